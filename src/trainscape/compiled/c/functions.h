/* Elementary functions whose bits no compiler, libm or machine decides.

   Every operation is one that IEEE 754 rounds exactly: + - * /, and fused multiply-adds written
   out as such. Compile without -ffast-math and with -ffp-contract=off. Nothing branches, so that
   a loop over any of these is vectorised. A NaN that comes out is always the same one, because
   machines differ in the sign of those they make.

   The coefficients are minimax fits of our own (Remez exchanges, linear programs), rounded one
   after another, each time refitting the rest; the arithmetic around them follows the methods
   named. Errors, in units in the last place (ulp), were measured by tests/compiled. */
#ifndef TRAINSCAPE_FUNCTIONS_H
#define TRAINSCAPE_FUNCTIONS_H

#include <stdint.h>
#include <string.h>

#define TS_NAN __builtin_nanf("")
#define TS_INFINITY __builtin_inff()

/* A polynomial by Horner's rule, constant term first; FMA decides its precision. */
#define TS_POLY1(FMA, x, c, d) FMA(d, x, c)
#define TS_POLY2(FMA, x, c, ...) FMA(TS_POLY1(FMA, x, __VA_ARGS__), x, c)
#define TS_POLY3(FMA, x, c, ...) FMA(TS_POLY2(FMA, x, __VA_ARGS__), x, c)
#define TS_POLY4(FMA, x, c, ...) FMA(TS_POLY3(FMA, x, __VA_ARGS__), x, c)
#define TS_POLY5(FMA, x, c, ...) FMA(TS_POLY4(FMA, x, __VA_ARGS__), x, c)
#define TS_POLY6(FMA, x, c, ...) FMA(TS_POLY5(FMA, x, __VA_ARGS__), x, c)
#define TS_POLY7(FMA, x, c, ...) FMA(TS_POLY6(FMA, x, __VA_ARGS__), x, c)
#define TS_POLY8(FMA, x, c, ...) FMA(TS_POLY7(FMA, x, __VA_ARGS__), x, c)
#define TS_POLY9(FMA, x, c, ...) FMA(TS_POLY8(FMA, x, __VA_ARGS__), x, c)
#define TS_POLY10(FMA, x, c, ...) FMA(TS_POLY9(FMA, x, __VA_ARGS__), x, c)
#define TS_POLY11(FMA, x, c, ...) FMA(TS_POLY10(FMA, x, __VA_ARGS__), x, c)

static inline float ts_fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
static inline double ts_fma_d(double a, double b, double c) { return __builtin_fma(a, b, c); }

static inline uint32_t ts_bits(float x) { uint32_t b; memcpy(&b, &x, sizeof b); return b; }
static inline float ts_float(uint32_t b) { float x; memcpy(&x, &b, sizeof x); return x; }
static inline uint64_t ts_bits_d(double x) { uint64_t b; memcpy(&b, &x, sizeof b); return b; }
static inline double ts_double(uint64_t b) { double x; memcpy(&x, &b, sizeof x); return x; }

/* condition (0 or 1) ? a : b, by masks: at a branch gcc would move one side's work into it, and
   then do that work masked, with whatever slow numbers the other lanes hold. */
static inline float ts_select(uint32_t condition, float a, float b) {
    return ts_float((ts_bits(a) & -condition) | (ts_bits(b) & (condition - 1)));
}
static inline double ts_select_d(uint64_t condition, double a, double b) {
    return ts_double((ts_bits_d(a) & -condition) | (ts_bits_d(b) & (condition - 1)));
}

/* torch's maximum and minimum: a NaN wins; of equal zeros, the first. */
static inline float ts_max(float a, float b) { return ((b > a) | (b != b)) ? b : a; }
static inline float ts_min(float a, float b) { return ((b < a) | (b != b)) ? b : a; }

/* torch's sign: 0 for zeros of both signs and for NaN. */
static inline float ts_sign(float x) { return (float)((x > 0.0f) - (x < 0.0f)); }

/* Adding 1.5 * 2^23 (2^52) rounds to an integer, whose bits are then the sum's lowest ones:
   the conversion that costs least, and no machine treats an overflow its own way. */
#define TS_ROUND 0x1.8p23f
#define TS_ROUND_D 0x1.8p52

/* log 2 as two floats (doubles), and 1 / log 2 */
#define TS_LN2 0.693147182f
#define TS_LN2_REST (-1.90465421e-09f)
#define TS_LN2_D 0.6931471805599453
#define TS_LN2_REST_D 2.3190468138462996e-17
#define TS_PER_LN2 1.44269502f
#define TS_PER_LN2_D 1.4426950408889634

/* ---- exponentials: x = n log 2 + r (Cody and Waite), exp(x) = 2^n (1 + r + r^2 q(r)) ---- */

struct ts_exp_parts { float r, r_rest, beyond; uint32_t n; };

/* r and what its rounding left, beyond = exp(r) - 1 - r, and n; for |x| up to 104 or so */
static inline struct ts_exp_parts ts_exp_split(float x) {
    float rounded = ts_fma(x, TS_PER_LN2, TS_ROUND);
    float n = rounded - TS_ROUND;
    float near = ts_fma(n, -TS_LN2, x);
    float r = ts_fma(n, -TS_LN2_REST, near);
    float q = TS_POLY5(ts_fma, r, 0.5f, 0.166666657f, 0.0416664928f, 0.00833354425f, 0.00139323389f,
        0.000197634334f);
    struct ts_exp_parts parts = {
        r, ts_fma(n, -TS_LN2_REST, near - r), r * r * q, ts_bits(rounded) - ts_bits(TS_ROUND)};
    return parts;
}

/* 2^n x, by two factors: the last product alone rounds, also to a subnormal number */
static inline float ts_scale(float x, uint32_t n) {
    uint32_t half = (n + 256) >> 1, other = n + 256 - half; /* each 128 too high */
    return x * ts_float((half - 1) << 23) * ts_float((other - 1) << 23);
}

static inline float ts_exp(float x) {
    float inside = x > 89.0f ? 89.0f : x; /* beyond: infinity, and below: zero */
    inside = inside < -104.0f ? -104.0f : inside;
    struct ts_exp_parts e = ts_exp_split(inside);
    float y = ts_scale(1.0f + (e.r + e.beyond), e.n);
    return x == x ? y : TS_NAN;
}

static inline float ts_expm1(float x) {
    float inside = x > 89.0f ? 89.0f : x;
    inside = inside < -18.0f ? -18.0f : inside; /* below: -1 */
    struct ts_exp_parts e = ts_exp_split(inside);
    float half = ts_float((e.n + 126) << 23); /* 2^n / 2, for 2^128 is no float */
    float y = 2.0f * ts_fma(half, e.beyond + e.r_rest, ts_fma(half, e.r, half - 0.5f));
    y = __builtin_fabsf(x) < 0x1p-25f ? x : y; /* keeps -0 and subnormal numbers */
    return x == x ? y : TS_NAN;
}

/* From e = exp(-|x|), which cannot overflow; what the roundings of e and of 1 + e left then
   corrects the quotient, which on their account alone would err by up to 2.3 ulp. */
static inline float ts_sigmoid(float x) {
    float a = __builtin_fabsf(x);
    struct ts_exp_parts parts = ts_exp_split(a > 104.0f ? -104.0f : -a);
    float near = 1.0f + (parts.r + parts.beyond);
    float near_rest = (parts.r - (near - 1.0f)) + (parts.beyond + parts.r_rest);
    float e = ts_scale(near, parts.n), e_rest = ts_scale(near_rest, parts.n);
    float sum = 1.0f + e, sum_rest = (e - (sum - 1.0f)) + e_rest;
    float above = x < 0.0f ? e : 1.0f, above_rest = x < 0.0f ? e_rest : 0.0f;
    float y = above / sum;
    float error = ts_fma(-y, sum, above) + ts_fma(-y, sum_rest, above_rest);
    y = ts_fma(error, x < 0.0f ? 1.0f - y : y, y); /* that factor is 1 / sum */
    return x == x ? y : TS_NAN;
}

/* An odd polynomial near 0, where 1 - 2 / (exp(2x) + 1) would cancel. */
static inline float ts_tanh(float x) {
    float a = __builtin_fabsf(x), s = a * a;
    float small = ts_fma(a * s, TS_POLY5(ts_fma, s, -0.333333313f, 0.133332178f, -0.0539475791f,
        0.021702772f, -0.0081782788f, 0.00214082841f), a);
    float large = 1.0f - 2.0f / (ts_exp(2.0f * a) + 1.0f);
    float y = __builtin_copysignf(ts_select(a < 0.625f, small, large), x);
    return x == x ? y : TS_NAN;
}

/* An odd polynomial near 0; further out 1 - exp(p), where the polynomial p fits log erfc. */
static inline float ts_erf(float x) {
    float a = __builtin_fabsf(x), s = a * a;
    float small = ts_fma(a, TS_POLY6(ts_fma, s, 0.128379166f, -0.376126289f, 0.112836257f,
        -0.0268557314f, 0.00519240554f, -0.000804978539f, 7.99677582e-05f), a);
    float inside = a > 4.0f ? 4.0f : a; /* beyond: 1 */
    float p = TS_POLY7(ts_fma, inside, 0.000170550571f, -1.12949514f, -0.633386672f, -0.108236626f,
        0.0250915438f, -0.00416057045f, 0.000432319473f, -2.09118371e-05f);
    float y = __builtin_copysignf(ts_select(a < 0.92f, small, 1.0f - ts_exp(p)), x);
    return x == x ? y : TS_NAN;
}

static inline double ts_exp_d(double x) {
    double inside = x > 710.0 ? 710.0 : x;
    inside = inside < -746.0 ? -746.0 : inside;
    double rounded = ts_fma_d(inside, TS_PER_LN2_D, TS_ROUND_D);
    double n = rounded - TS_ROUND_D;
    double r = ts_fma_d(n, -TS_LN2_REST_D, ts_fma_d(n, -TS_LN2_D, inside));
    double q = TS_POLY10(ts_fma_d, r, 0.5, 0.16666666666666688, 0.041666666666666824,
        0.0083333333333139841, 0.0013888888888778355, 0.00019841269902906721,
        2.4801587571714277e-05, 2.7557229313331592e-06, 2.755705996698998e-07,
        2.5113677135410342e-08, 2.0974352442815957e-09);
    uint64_t high = ts_bits_d(rounded) - ts_bits_d(TS_ROUND_D) + 2048; /* n, and 2048 more */
    uint64_t half = high >> 1, other = high - half;
    double y = 1.0 + ts_fma_d(r * r, q, r);
    y = y * ts_double((half - 1) << 52) * ts_double((other - 1) << 52);
    return x == x ? y : (double)TS_NAN;
}

static inline double ts_tanh_d(double x) {
    double a = __builtin_fabs(x), s = a * a;
    double p = TS_POLY11(ts_fma_d, s, -0.33333333333333309, 0.13333333333329161,
        -0.053968253965734778, 0.021869488459813242, -0.0088632341716133219, 0.0035921126039876084,
        -0.0014557169314482941, 0.0005894132023271095, -0.00023690315774795335,
        9.1365518421166283e-05, -2.9991016296389901e-05, 5.9554047573618872e-06);
    double large = 1.0 - 2.0 / (ts_exp_d(2.0 * a) + 1.0);
    double y = __builtin_copysign(ts_select_d(a < 0.625, ts_fma_d(a * s, p, a), large), x);
    return x == x ? y : (double)TS_NAN;
}

/* ---- logarithms: x = 2^e (1 + f), log x = e log 2 + log(1 + f) ---- */

#define TS_LOG_LEAST 0x3f2aaaabu /* the bits of 2/3: 1 + f lies between that and 4/3 */

/* e log 2 + log(1 + f + rest), where rest is below f's rounding */
static inline float ts_log_join(float e, float f, float rest) {
    float q = TS_POLY8(ts_fma, f, -0.5f, 0.333332151f, -0.249998063f, 0.200104266f, -0.166801959f,
        0.14005734f, -0.121874794f, 0.139845937f, -0.128800422f);
    rest = ts_fma(e, TS_LN2_REST, ts_fma(-f, rest, rest)); /* rest / (1 + f), near enough */
    return ts_fma(e, TS_LN2, f + ts_fma(f * f, q, rest));
}

/* e of a positive normal number */
static inline int32_t ts_log_exponent(float x) {
    return (int32_t)((ts_bits(x) - TS_LOG_LEAST + (128u << 23)) >> 23) - 128;
}

static inline float ts_log(float x) {
    int subnormal = x < 0x1p-126f;
    float normal = subnormal ? x * 0x1p24f : x;
    int32_t e = ts_log_exponent(normal);
    float f = ts_float(ts_bits(normal) - ((uint32_t)e << 23)) - 1.0f;
    float y = ts_log_join((float)e - (subnormal ? 24.0f : 0.0f), f, 0.0f);
    y = x < TS_INFINITY ? y : TS_INFINITY;
    y = x == 0.0f ? -TS_INFINITY : y;
    return x >= 0.0f ? y : TS_NAN;
}

/* 1 + x only chooses e; f = 2^-e x + (2^-e - 1), and what its rounding left. */
static inline float ts_log1p(float x) {
    int32_t e = ts_log_exponent(1.0f + x);
    float fourfold = ts_float((uint32_t)(129 - e) << 23); /* 4 * 2^-e, for 2^-128 is subnormal */
    float shift = ts_fma(0.25f, fourfold, -1.0f);
    float f = ts_fma(0.25f * x, fourfold, shift);
    float y = ts_log_join((float)e, f, ts_fma(0.25f * x, fourfold, shift - f));
    y = __builtin_fabsf(x) < 0x1p-25f ? x : y; /* keeps -0 and subnormal numbers */
    y = x < TS_INFINITY ? y : TS_INFINITY;
    y = x == -1.0f ? -TS_INFINITY : y;
    return x >= -1.0f ? y : TS_NAN;
}

/* 1 + f within sqrt(1/2) and sqrt(2); log(1 + f) = 2 atanh(s) with s = f / (2 + f), arranged
   (as in Sun's fdlibm) so that f, the largest term, stays exact. */
static inline double ts_log_d(double x) {
    double lift = x < 0x1p-1022 ? 54.0 : 0.0;
    uint64_t bits = ts_bits_d(x < 0x1p-1022 ? x * 0x1p54 : x);
    uint64_t high = (bits - ts_bits_d(0.70710678118654752) + (1024ull << 52)) >> 52;
    double e = ts_double(ts_bits_d(0x1p52) | high) - 0x1p52 - 1024.0 - lift;
    double f = ts_double(bits - ((high - 1024) << 52)) - 1.0;
    double s = f / (2.0 + f), z = s * s, square = 0.5 * f * f;
    double rest = z * TS_POLY7(ts_fma_d, z, 0.66666666666666663, 0.40000000000004937,
        0.28571428569404261, 0.22222222608263992, 0.18181778236617266, 0.1538699453902094,
        0.13252011217820897, 0.13236083969230586);
    double y = f - (square - ts_fma_d(s, square + rest, e * TS_LN2_REST_D));
    y = ts_fma_d(e, TS_LN2_D, y);
    y = x < (double)TS_INFINITY ? y : (double)TS_INFINITY;
    y = x == 0.0 ? -(double)TS_INFINITY : y;
    return x >= 0.0 ? y : (double)TS_NAN;
}

/* exp(y log |x|) in double, rounded once more; then C's and torch's special cases. */
static inline float ts_pow(float x, float y) {
    double base = x, power = y, a = __builtin_fabs(base), b = __builtin_fabs(power);
    double even = b < 0x1p25 ? b : 0x1p25; /* floats from 2^24 on are even integers */
    double rounded = even + 0x1p52, whole = rounded - 0x1p52;
    uint64_t odd = ts_bits_d(rounded) & ts_bits_d(base) >> 63; /* and x negative */
    double result = ts_exp_d(power * ts_log_d(a));
    double flipped = ts_double(ts_bits_d(result) ^ odd << 63);
    double root = base < 0.0 ? (double)TS_NAN : result;
    root = a < (double)TS_INFINITY ? root : result;
    result = whole == even ? flipped : root;
    double unit = b > 0x1p128 ? 1.0 : result;
    result = a == 1.0 ? unit : result;
    result = base == 1.0 ? 1.0 : result;
    result = power == 0.0 ? 1.0 : result;
    return result == result ? (float)result : TS_NAN;
}

/* ---- sine and cosine: x = n pi/2 + r (Cody and Waite, pi/2 as three doubles) ---- */

/* The sine of hi + lo + quarters * pi/2, for |hi| up to 2^50, its sign flipped by that of x */
static inline double ts_sine(double hi, double lo, uint64_t quarters, double x) {
    double rounded = ts_fma_d(hi, 0.6366197723675814, TS_ROUND_D);
    double n = rounded - TS_ROUND_D;
    double near = ts_fma_d(n, -6.123233995736766e-17, ts_fma_d(n, -1.5707963267948966, hi));
    double r = near + ts_fma_d(n, 1.4973849048591698e-33, lo);
    double z = r * r, half = 0.5 * z, one = 1.0 - half;
    double sine = ts_fma_d(r * z, TS_POLY5(ts_fma_d, z, -0.16666666666666632, 0.0083333333333224201,
        -0.00019841269829769378, 2.7557313668389592e-06, -2.5050753244435829e-08,
        1.5896458810829676e-10), r);
    double tail = ts_fma_d(z * z, TS_POLY5(ts_fma_d, z, 0.041666666666666595,
        -0.0013888888888873303, 2.480158728894692e-05, -2.755731419174337e-07,
        2.0875700698568888e-09, -1.1358443185247285e-11), (1.0 - one) - half);
    quarters += ts_bits_d(rounded);
    uint64_t bits = ts_bits_d(ts_select_d(quarters & 1, one + tail, sine));
    double y = ts_double(bits ^ (quarters & 2) << 62 ^ (ts_bits_d(x) & 1ull << 63));
    return y == y ? y : (double)TS_NAN;
}

/* For |x| up to 2^48; beyond that the same bits everywhere, but no longer the sine. */
static inline double ts_sin_d(double x) { return ts_sine(__builtin_fabs(x), 0.0, 0, x); }
static inline double ts_cos_d(double x) { return ts_sine(__builtin_fabs(x), 0.0, 1, 1.0); }

/* 2^(16 j) modulo 2 pi, and what that leaves: a short form of Payne and Hanek's table */
static const double ts_turns[8] = {1.0, 2.377246116913046, -2.661358811665301,
                                   0.12986070095632937, 3.1179919528418854, -1.0319386487100328};
static const double ts_turns_rest[8] = {0.0, -2.120879638185595e-16, -1.9707934795230919e-16,
                                        3.4618516565559846e-18, 4.661047956453333e-17,
                                        3.2275494129790613e-17};

/* For all floats: |x| = 2^(16 j) y with y < 2^48. An infinity becomes a NaN on the way. */
static inline float ts_sine_float(double x, uint64_t quarters, double sign) {
    double size = __builtin_fabs(x);
    uint64_t j = (ts_bits_d(size + 0x1p32) - ts_bits_d(0x1p32)) >> 56 & 7;
    double y = size * ts_double((1023 - 16 * j) << 52);
    double hi = y * ts_turns[j];
    double lo = ts_fma_d(y, ts_turns_rest[j], ts_fma_d(y, ts_turns[j], -hi));
    float result = (float)ts_sine(hi, lo, quarters, sign);
    return result == result ? result : TS_NAN;
}

static inline float ts_sin(float x) { return ts_sine_float(x, 0, x); }
static inline float ts_cos(float x) { return ts_sine_float(x, 1, 1.0); }

#endif
