/* The functions of functions.h by the type of their operand, as the tables of operations name them. */
#ifndef TRAINSCAPE_GENERIC_H
#define TRAINSCAPE_GENERIC_H

#include "functions.h"
#include <math.h>
#include <stdint.h>

/* Whether an index that data holds lies within an axis. One that does not is noted: nothing is read or
 * written there, and whoever runs the program is told. */
static int64_t index_outside;
static int any_outside;
static int is_outside(int64_t index) {
    index_outside = index;
    any_outside = 1;
    return 0;
}
#define INSIDE(index, size) ((uint64_t)(index) < (size) || is_outside(index))

#define BY_TYPE(x, of_float, of_double) _Generic((x), double: of_double, default: of_float)
#define FMA(a, b, c) BY_TYPE((a) + (b) + (c), __builtin_fmaf, __builtin_fma)(a, b, c)
#define SQRT(x) BY_TYPE(x, __builtin_sqrtf, __builtin_sqrt)(x)
#define ABS(x) BY_TYPE(x, __builtin_fabsf, __builtin_fabs)(x)
#define FLOOR(x) BY_TYPE(x, __builtin_floorf, __builtin_floor)(x)
#define CEIL(x) BY_TYPE(x, __builtin_ceilf, __builtin_ceil)(x)
#define TRUNC(x) BY_TYPE(x, __builtin_truncf, __builtin_trunc)(x)
#define RINT(x) BY_TYPE(x, __builtin_rintf, __builtin_rint)(x)
/* exact, as every fmod is */
#define FMOD(x, y) BY_TYPE((x) + (y), __builtin_fmodf, __builtin_fmod)(x, y)
#define EXP(x) BY_TYPE(x, ts_exp, ts_exp_d)(x)
#define LOG(x) BY_TYPE(x, ts_log, ts_log_d)(x)
/* of floats alone: a double is rounded first */
#define LOG1P(x) ts_log1p(x)
#define EXPM1(x) ts_expm1(x)
#define TANH(x) BY_TYPE(x, ts_tanh, ts_tanh_d)(x)
#define SIGMOID(x) ts_sigmoid(x)
#define ERF(x) ts_erf(x)
#define SIN(x) BY_TYPE(x, ts_sin, ts_sin_d)(x)
#define COS(x) BY_TYPE(x, ts_cos, ts_cos_d)(x)
#define POW(x, y) ts_pow(x, y)
/* NaN wins, and of zeros the first */
#define MAX(a, b) ((a) != (a) || (a) >= (b) ? (a) : (b))
#define MIN(a, b) ((a) != (a) || (a) <= (b) ? (a) : (b))
#define RELU(x) ((x) <= 0 ? 0 : (x))
#define SIGN(x) (((x) > 0) - ((x) < 0))
/* from a to b, from the nearer end */
#define LERP(a, b, w) (ABS(w) < 0.5f ? FMA(w, (b) - (a), a) : FMA(-(1 - (w)), (b) - (a), b))
/* What a trial keeps from step to step holds no subnormal numbers: they are 0. A moment of a weight
 * without gradients would else stay one for ever, which processors take a hundred times as slowly. */
static inline float settled(float x) {
    const uint32_t bits = ts_bits(x);
    return ts_float(bits & -(uint32_t)((bits & 0x7f800000) != 0));
}

#endif
