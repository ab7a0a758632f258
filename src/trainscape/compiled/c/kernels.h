/* Products, convolutions, transposition and pooling for a training step whose shapes are constants.
 *
 * The bits of every result are fixed by this file, not by the compiler or the processor. Each
 * output number is one chain of fused multiply-adds in a written order, which starts from 0, a bias
 * or the number already there. Vectors run over different outputs and never split a chain, so their
 * width decides speed alone. Compile with -ffp-contract=off, and without -ffast-math.
 *
 * Calling conventions
 *
 * - Every function is inlined where it is called. Sizes and strides must be constants there, so
 *   that the compiler makes loops for that shape alone. Only m0 and m1 of `product_rows` may be
 *   variables.
 * - Strides count elements, not bytes. "Unit stride" along an axis: its elements lie side by side.
 * - Nothing but the addressed elements is read or written. No alignment is needed, but rows of b,
 *   of weights and of outputs are fastest where they start at multiples of 64 bytes.
 * - No output overlaps an input. A product may add to what its output holds.
 *
 * product(M, N, K, a, am, ak, b, bk, from, bias, c, cm)
 *     c[m*cm + n] = start + sum over k of a[m*am + k*ak] * b[k*bk + n], for m < M, n < N, k < K
 *     `from` is FROM_ZERO, FROM_BIAS (start is bias[n]) or FROM_OUTPUT (start is c[m*cm + n]).
 * product_rows(M, N, K, a, am, ak, b, bk, from, bias, c, cm, m0, m1)
 *     the same for m0 <= m < m1 alone. m0 is a multiple of PRODUCT_ROWS, m1 is one or M.
 * product_double(M, N, K, a, am, ak, b, bk, from, bias, c, cm)
 *     the same as `product` for doubles, simple and slower
 * transpose(rows, cols, x, xi, y, yj)
 *     y[j*yj + i] = x[i*xi + j] for i < rows, j < cols
 *
 * Images lie as x[b*xb + i*xi + j*xj + c] ("channels last"), outputs as y[b*yb + i*yi + j*yj + o],
 * weights as w[((ki*kw + kj)*ci + c)*wo + o]. `struct conv` and `struct pool` hold sizes and
 * strides. Gradients lie as what they are gradients of.
 *
 * conv_forward(s, x, w, from, bias, y, scratch)
 *     y[b,i,j,o] = start + sum over ki, kj, c of x[b, i*sh - ph + ki*dh, j*sw - pw + kj*dw, c] *
 *     w[ki,kj,c,o]. `from` is FROM_ZERO or FROM_BIAS. Around the image x is 0, and these zeros are
 *     multiplied and added as all other numbers are.
 * conv_grad_weight(s, x, dy, gw, scratch)
 *     gw[ki,kj,c,o] = 0 + sum over b, i, j of x[the same] * dy[b,i,j,o]
 * conv_grad_bias(s, dy, gb)
 *     gb[o] = 0 + dy[0,0,0,o] + ..., plain additions in the order of b, i, j
 * conv_grad_input(s, dy, w, dx, scratch)
 *     dx[b,i,j,c] = 0 + sum over ki, kj, o of dy[b, (i+ph-ki*dh)/sh, (j+pw-kj*dw)/sw, o] *
 *     w[ki,kj,c,o]. Taps that leave a remainder take no part. Those outside dy meet zeros, as
 *     above. The scratch holds CONV_GRAD_INPUT_SCRATCH(...) floats, of the other two
 *     CONV_SCRATCH(...).
 *
 * max_pool_forward(s, x, y, index), max_pool_backward(s, dy, index, dx)
 *     `index` lies as y does, and holds i*iw + j of the greatest number.
 * avg_pool_forward(s, x, y), avg_pool_backward(s, dy, dx)
 *     The frame counts as zeros: each sum is divided by kh*kw.
 */
#ifndef TRAINSCAPE_KERNELS_H
#define TRAINSCAPE_KERNELS_H

#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 64")
#define SMALLER(a, b) ((a) < (b) ? (a) : (b))
#define LARGER(a, b) ((a) > (b) ? (a) : (b))
#define UP(a, b) (((a) + (b) - 1) / (b)) /* a / b, rounded up */

/* ---------------------------------------------------------------- vectors, by target
 *
 * LANES numbers each. `load_part` and `store_part` touch the first n of them, with 0 < n < LANES.
 * PANEL vectors side by side and MOST_ROWS(vectors) rows of them are what fits in the registers,
 * with room for one row of b and one number of a. 8 or more chains at once hide the latency of an
 * addition.
 */
#if defined(__AVX512F__)

#include <immintrin.h>
typedef __m512 vec;
#define LANES 16
#define PANEL 2
#define MOST_ROWS(vectors) ((vectors) == 1 ? 16 : (vectors) == 2 ? 14 : (vectors) == 3 ? 8 : 6)
#define MASK(n) ((__mmask16)((1u << (n)) - 1))
INLINE vec fma_v(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }
INLINE vec add_v(vec a, vec b) { return _mm512_add_ps(a, b); }
INLINE vec all_v(float a) { return _mm512_set1_ps(a); }
INLINE vec load_v(const float *p) { return _mm512_loadu_ps(p); }
INLINE void store_v(float *p, vec a) { _mm512_storeu_ps(p, a); }
INLINE vec load_part(const float *p, int n) { return _mm512_maskz_loadu_ps(MASK(n), p); }
INLINE void store_part(float *p, vec a, int n) { _mm512_mask_storeu_ps(p, MASK(n), a); }

#elif defined(__AVX2__) && defined(__FMA__)

#include <immintrin.h>
typedef __m256 vec;
#define LANES 8
#define PANEL 2
#define MOST_ROWS(vectors) ((vectors) == 1 ? 12 : 6)
/* 8 lanes from here on, of which the first n are on */
static const int32_t mask_table[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
#define MASK(n) _mm256_loadu_si256((const __m256i *)(mask_table + 8 - (n)))
INLINE vec fma_v(vec a, vec b, vec c) { return _mm256_fmadd_ps(a, b, c); }
INLINE vec add_v(vec a, vec b) { return _mm256_add_ps(a, b); }
INLINE vec all_v(float a) { return _mm256_set1_ps(a); }
INLINE vec load_v(const float *p) { return _mm256_loadu_ps(p); }
INLINE void store_v(float *p, vec a) { _mm256_storeu_ps(p, a); }
INLINE vec load_part(const float *p, int n) { return _mm256_maskload_ps(p, MASK(n)); }
INLINE void store_part(float *p, vec a, int n) { _mm256_maskstore_ps(p, MASK(n), a); }

#else

#define LANES 4
#define PANEL 4
#define MOST_ROWS(vectors) ((vectors) == 1 ? 16 : (vectors) == 2 ? 12 : (vectors) == 3 ? 8 : 6)

#if defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>
typedef float32x4_t vec;
INLINE vec fma_v(vec a, vec b, vec c) { return vfmaq_f32(c, a, b); }
INLINE vec load_v(const float *p) { return vld1q_f32(p); }
INLINE void store_v(float *p, vec a) { vst1q_f32(p, a); }
#else
typedef float vec __attribute__((vector_size(16)));
INLINE vec fma_v(vec a, vec b, vec c) {
    vec r;
    UNROLL for (int i = 0; i < 4; i++) r[i] = __builtin_fmaf(a[i], b[i], c[i]);
    return r;
}
INLINE vec load_v(const float *p) { return (vec){p[0], p[1], p[2], p[3]}; }
INLINE void store_v(float *p, vec a) { UNROLL for (int i = 0; i < 4; i++) p[i] = a[i]; }
#endif
INLINE vec add_v(vec a, vec b) { return a + b; }
INLINE vec all_v(float a) { return (vec){a, a, a, a}; }
INLINE vec load_part(const float *p, int n) {
    return (vec){p[0], n > 1 ? p[1] : 0, n > 2 ? p[2] : 0, 0};
}
INLINE void store_part(float *p, vec a, int n) { UNROLL for (int i = 0; i < n; i++) p[i] = a[i]; }

#endif

/* ---------------------------------------------------------------- one tile of outputs
 *
 * Products, convolutions and their gradients are all the same: rows of outputs, each row unit
 * stride along n, where every output walks through three nested loops and multiplies one number of
 * a, its row's, by one of b, its column's. They differ in strides alone.
 */
enum from { FROM_ZERO, FROM_BIAS, FROM_OUTPUT };

struct walk {
    int n[3];           /* lengths, outermost first */
    long a[3], b[3];    /* steps in a and b */
};

/* If one step of the outer loop continues the inner loop, the two are one loop. */
INLINE struct walk join(struct walk w) {
    if (w.a[1] == w.n[2] * w.a[2] && w.b[1] == w.n[2] * w.b[2]) {
        w.n[2] *= w.n[1];
        w.n[1] = w.n[0], w.a[1] = w.a[0], w.b[1] = w.b[0];
        w.n[0] = 1;
    }
    return w;
}

INLINE vec load_some(const float *p, int part) { return part ? load_part(p, part) : load_v(p); }
INLINE void store_some(float *p, vec v, int part) {
    if (part) store_part(p, v, part);
    else store_v(p, v);
}

#define PART(v) ((v) == vectors - 1 ? part : 0)

/* ri * rj rows of `vectors` vectors, of whose last only `part` lanes count (all of them if 0). Row
 * (i, j) reads a + i*ai + j*aj and writes c + i*ci + j*cj. All in registers from start to end. */
INLINE void tile(int ri, int rj, int vectors, int part, const float *a, long ai, long aj,
                 const float *b, float *c, long ci, long cj, struct walk w, enum from from,
                 const float *bias) {
    const int rows = ri * rj;
    vec acc[16][4];
#define C(r, v) (c + (r) / rj * ci + (r) % rj * cj + (v) * LANES)
    if (from == FROM_OUTPUT) {
        UNROLL for (int r = 0; r < rows; r++) {
            UNROLL for (int v = 0; v < vectors; v++) acc[r][v] = load_some(C(r, v), PART(v));
        }
    } else {
        UNROLL for (int v = 0; v < vectors; v++) {
            const vec start = from == FROM_BIAS ? load_some(bias + v * LANES, PART(v)) : all_v(0);
            UNROLL for (int r = 0; r < rows; r++) acc[r][v] = start;
        }
    }
    w = join(w);
    for (int p = 0; p < w.n[0]; p++) {
        for (int q = 0; q < w.n[1]; q++) {
            const float *ak = a + p * w.a[0] + q * w.a[1], *bk = b + p * w.b[0] + q * w.b[1];
            for (int k = 0; k < w.n[2]; k++) {
                vec bs[4];
                UNROLL for (int v = 0; v < vectors; v++) bs[v] = load_some(bk + v * LANES, PART(v));
                UNROLL for (int r = 0; r < rows; r++) {
                    const vec x = all_v(ak[r / rj * ai + r % rj * aj]);
                    UNROLL for (int v = 0; v < vectors; v++) acc[r][v] = fma_v(x, bs[v], acc[r][v]);
                }
                ak += w.a[2];
                bk += w.b[2];
            }
        }
    }
    UNROLL for (int r = 0; r < rows; r++) {
        UNROLL for (int v = 0; v < vectors; v++) store_some(C(r, v), acc[r][v], PART(v));
    }
#undef C
}

/* ---------------------------------------------------------------- all outputs, tile by tile
 *
 * ni * nj rows of n numbers. Columns are split into panels, whose part of b stays in the nearest
 * cache while all rows pass it. Rows are split into tiles of two sizes that differ by one, so that
 * none is small: 26 = 13 + 13, 32 = 11 + 11 + 10. Rows short along j are tiled along i, with all of
 * j.
 */
INLINE void panel(int vectors, int part, int ni, int nj, const float *a, long ai, long aj,
                  const float *b, float *c, long ci, long cj, struct walk w, enum from from,
                  const float *bias) {
    const int most = MOST_ROWS(vectors);
    const int along_i = nj <= most; /* then a tile is `width` by nj, else 1 by `width` */
    const int n = along_i ? ni : nj;
    const int tiles = UP(n, along_i ? most / nj : most);
    const int wide = UP(n, tiles), narrow = wide - 1;
    const int wides = n - tiles * narrow; /* the other tiles are narrow */
    const long at = along_i ? ai : aj, ct = along_i ? ci : cj;
    for (int i = 0; i < (along_i ? 1 : ni); i++) {
        for (int t = 0; t < wides; t++)
            tile(along_i ? wide : 1, along_i ? nj : wide, vectors, part,
                 a + i * ai + t * wide * at, ai, aj, b, c + i * ci + t * wide * ct, ci, cj, w, from,
                 bias);
        for (int t = 0; t < tiles - wides; t++)
            tile(along_i ? narrow : 1, along_i ? nj : narrow, vectors, part,
                 a + i * ai + (wides * wide + t * narrow) * at, ai, aj, b,
                 c + i * ci + (wides * wide + t * narrow) * ct, ci, cj, w, from, bias);
    }
}

INLINE void plane(int ni, int nj, int n, const float *a, long ai, long aj, const float *b, float *c,
                  long ci, long cj, struct walk w, enum from from, const float *bias) {
    const int vectors = SMALLER(PANEL, UP(n, LANES));
    const int width = vectors * LANES, panels = n / width, rest = n % width;
    if (from != FROM_BIAS) bias = b; /* read by nobody, but may be moved along like b */
    for (int p = 0; p < panels; p++)
        panel(vectors, 0, ni, nj, a, ai, aj, b + p * width, c + p * width, ci, cj, w, from,
              bias + p * width);
    if (rest)
        panel(UP(rest, LANES), rest % LANES, ni, nj, a, ai, aj, b + panels * width,
              c + panels * width, ci, cj, w, from, bias + panels * width);
}

/* The sums of rows of b, of so many vectors. */
INLINE void sum_rows(int vectors, int part, const float *b, float *y, struct walk w) {
    vec acc[4];
    UNROLL for (int v = 0; v < vectors; v++) acc[v] = all_v(0);
    w = join(w);
    for (int p = 0; p < w.n[0]; p++) {
        for (int q = 0; q < w.n[1]; q++) {
            for (int k = 0; k < w.n[2]; k++) {
                const float *row = b + p * w.b[0] + q * w.b[1] + k * w.b[2];
                UNROLL for (int v = 0; v < vectors; v++)
                    acc[v] = add_v(acc[v], load_some(row + v * LANES, PART(v)));
            }
        }
    }
    UNROLL for (int v = 0; v < vectors; v++) store_some(y + v * LANES, acc[v], PART(v));
}
#undef PART

/* ---------------------------------------------------------------- products */

/* Rows of a block, which split into equal tiles. */
#define PRODUCT_ROWS 24
/* Where b's panel is too large for the nearest cache, k goes in pieces of at most this length, all
 * rows for one piece, then the next. Chains go on from c: a stored number is the number. */
#define PRODUCT_DEPTH 256

INLINE void product(int M, int N, int K, const float *restrict a, long am, long ak,
                    const float *restrict b, long bk, enum from from, const float *restrict bias,
                    float *restrict c, long cm) {
    const int pieces = M > MOST_ROWS(PANEL) ? UP(K, PRODUCT_DEPTH) : 1, depth = UP(K, pieces);
    for (int k = 0; k < K; k += depth) {
        const struct walk w = {{1, 1, SMALLER(depth, K - k)}, {0, 0, ak}, {0, 0, bk}};
        plane(1, M, N, a + k * ak, 0, am, b + k * bk, c, 0, cm, w, k ? FROM_OUTPUT : from, bias);
    }
}

INLINE void product_rows(int M, int N, int K, const float *restrict a, long am, long ak,
                         const float *restrict b, long bk, enum from from,
                         const float *restrict bias, float *restrict c, long cm, int m0, int m1) {
    const int last = M % PRODUCT_ROWS;
    for (int m = m0; m < m1 - last * (m1 == M); m += PRODUCT_ROWS)
        product(PRODUCT_ROWS, N, K, a + m * am, am, ak, b, bk, from, bias, c + m * cm, cm);
    if (last && m1 == M)
        product(last, N, K, a + (M - last) * am, am, ak, b, bk, from, bias, c + (M - last) * cm,
                cm);
}

INLINE void product_double(int M, int N, int K, const double *restrict a, long am, long ak,
                           const double *restrict b, long bk, enum from from,
                           const double *restrict bias, double *restrict c, long cm) {
    for (int m = 0; m < M; m++) {
        for (int n = 0; n < N; n++)
            c[m * cm + n] = from == FROM_ZERO ? 0 : from == FROM_BIAS ? bias[n] : c[m * cm + n];
        for (int k = 0; k < K; k++) {
            const double x = a[m * am + k * ak];
            for (int n = 0; n < N; n++)
                c[m * cm + n] = __builtin_fma(x, b[k * bk + n], c[m * cm + n]);
        }
    }
}

/* ---------------------------------------------------------------- transposition
 *
 * A block is LANES rows by 4 columns. Vector r collects rows r, 4+r, 8+r, ..., 4 numbers of each,
 * so each group of 4 lanes holds a 4 x 4 matrix, and 8 shuffles within groups transpose all of
 * them.
 */
#if LANES == 16
INLINE vec quarters(const float *p, long step) {
    vec v = _mm512_castps128_ps512(_mm_loadu_ps(p));
    v = _mm512_insertf32x4(v, _mm_loadu_ps(p + step), 1);
    v = _mm512_insertf32x4(v, _mm_loadu_ps(p + 2 * step), 2);
    return _mm512_insertf32x4(v, _mm_loadu_ps(p + 3 * step), 3);
}
#define LOW_PAIRS _mm512_unpacklo_ps
#define HIGH_PAIRS _mm512_unpackhi_ps
#define LOW_HALVES(a, b) _mm512_shuffle_ps(a, b, 0x44)
#define HIGH_HALVES(a, b) _mm512_shuffle_ps(a, b, 0xee)
#elif LANES == 8
INLINE vec quarters(const float *p, long step) {
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(p + step), 1);
}
#define LOW_PAIRS _mm256_unpacklo_ps
#define HIGH_PAIRS _mm256_unpackhi_ps
#define LOW_HALVES(a, b) _mm256_shuffle_ps(a, b, 0x44)
#define HIGH_HALVES(a, b) _mm256_shuffle_ps(a, b, 0xee)
#else
INLINE vec quarters(const float *p, long step) { return (void)step, load_v(p); }
#define LOW_PAIRS(a, b) ((vec){a[0], b[0], a[1], b[1]})
#define HIGH_PAIRS(a, b) ((vec){a[2], b[2], a[3], b[3]})
#define LOW_HALVES(a, b) ((vec){a[0], a[1], b[0], b[1]})
#define HIGH_HALVES(a, b) ((vec){a[2], a[3], b[2], b[3]})
#endif

INLINE void transpose(int rows, int cols, const float *restrict x, long xi, float *restrict y,
                      long yj) {
    const int i1 = rows / LANES * LANES, j1 = cols / 4 * 4;
    for (int i = 0; i < i1; i += LANES) {
        for (int j = 0; j < j1; j += 4) {
            const float *p = x + i * xi + j;
            float *q = y + j * yj + i;
            const vec r0 = quarters(p, 4 * xi), r1 = quarters(p + xi, 4 * xi);
            const vec r2 = quarters(p + 2 * xi, 4 * xi), r3 = quarters(p + 3 * xi, 4 * xi);
            const vec l01 = LOW_PAIRS(r0, r1), l23 = LOW_PAIRS(r2, r3);
            const vec h01 = HIGH_PAIRS(r0, r1), h23 = HIGH_PAIRS(r2, r3);
            store_v(q, LOW_HALVES(l01, l23));
            store_v(q + yj, HIGH_HALVES(l01, l23));
            store_v(q + 2 * yj, LOW_HALVES(h01, h23));
            store_v(q + 3 * yj, HIGH_HALVES(h01, h23));
        }
        for (int j = j1; j < cols; j++) {
            for (int l = 0; l < LANES; l++) y[j * yj + i + l] = x[(i + l) * xi + j];
        }
    }
    for (int j = 0; j < cols; j++) {
        for (int i = i1; i < rows; i++) y[j * yj + i] = x[i * xi + j];
    }
}

/* ---------------------------------------------------------------- convolutions */

struct conv {
    int b, ih, iw, ci;          /* images: how many, rows, columns, channels in */
    int co, kh, kw;             /* channels out, taps */
    int sh, sw, ph, pw, dh, dw; /* stride (1 or more), padding, dilation (1 or more) */
    long xb, xi, xj;            /* strides of x */
    long yb, yi, yj;            /* strides of y */
    long wo;                    /* from one row of weights to the next */
};

/* Outputs along an axis. */
#define CONV_OUT(size, kernel, stride, padding, dilation) \
    (((size) + 2 * (padding) - (dilation) * ((kernel) - 1) - 1) / (stride) + 1)

#define ROWS_OUT(s) CONV_OUT((s).ih, (s).kh, (s).sh, (s).ph, (s).dh)
#define COLUMNS_OUT(s) CONV_OUT((s).iw, (s).kw, (s).sw, (s).pw, (s).dw)

/* Images copied into a frame at once: some if they are small, as a tile should walk a long way. */
#define CONV_GROUP(b, ih, iw) SMALLER(b, LARGER(1, 512 / ((ih) * (iw))))

/* The floats of scratch that conv_forward and conv_grad_weight need: framed images. */
#define CONV_SCRATCH(b, ih, iw, ci, ph, pw)                           \
    ((ph) || (pw) ? CONV_GROUP(b, (ih) + 2 * (ph), (iw) + 2 * (pw)) * \
                        ((ih) + 2 * (ph)) * ((iw) + 2 * (pw)) * (ci)  \
                  : 1)

/* Rows of zeros that the gradient of the input needs before dy, and rows of dy with these and with
 * those after it. The same for columns. */
#define CONV_BEFORE(kernel, stride, padding, dilation) \
    (LARGER(0, (dilation) * ((kernel) - 1) - (padding)) / (stride))
#define CONV_AROUND(size, kernel, stride, padding, dilation)   \
    (CONV_BEFORE(kernel, stride, padding, dilation) +          \
     LARGER(CONV_OUT(size, kernel, stride, padding, dilation), \
            ((size) - 1 + (padding)) / (stride) + 1))
/* From one row of transposed weights to the next. */
#define CONV_PITCH(ci) ((ci) <= 16 ? (ci) : UP(ci, 16) * 16)

/* The floats of scratch that conv_grad_input needs: transposed weights, and framed gradients. */
#define CONV_GRAD_INPUT_SCRATCH(b, ih, iw, ci, co, kh, kw, sh, sw, ph, pw, dh, dw)      \
    ((kh) * (kw) * (co) * CONV_PITCH(ci) +                                              \
     CONV_GROUP(b, CONV_AROUND(ih, kh, sh, ph, dh), CONV_AROUND(iw, kw, sw, pw, dw)) *  \
         CONV_AROUND(ih, kh, sh, ph, dh) * CONV_AROUND(iw, kw, sw, pw, dw) * (co))

/* Copies `n` images of h rows by w columns into the middle of `frame`, whose images have fh rows by
 * fw columns, with `before` rows and columns before each. The rest of the frame stays as it is. */
INLINE void put_in_frame(int n, int h, int w, int c, const float *restrict x, long xb, long xi,
                         long xj, int before_i, int before_j, int fh, int fw,
                         float *restrict frame) {
    for (int b = 0; b < n; b++) {
        for (int i = 0; i < h; i++) {
            const float *p = x + b * xb + i * xi;
            float *q = frame + (((long)b * fh + before_i + i) * fw + before_j) * c;
            if (xj == c) memcpy(q, p, sizeof(float) * w * c);
            else
                for (int j = 0; j < w; j++) memcpy(q + j * c, p + j * xj, sizeof(float) * c);
        }
    }
}

/* Images as the tiles read them: some at once, copied into a frame of zeros where there is padding. */
struct framed {
    int on, group;   /* whether they are copied, how many at once */
    int h, w;        /* rows and columns with the frame */
    long xb, xi, xj; /* strides */
};
INLINE struct framed frame_of(struct conv s) {
    const int on = s.ph || s.pw, h = s.ih + 2 * s.ph, w = s.iw + 2 * s.pw;
    return (struct framed){on, CONV_GROUP(s.b, h, w), h, w, on ? (long)h * w * s.ci : s.xb,
                           on ? (long)w * s.ci : s.xi, on ? (long)s.ci : s.xj};
}
/* n images from b0 on; the frame around them is zero already. */
INLINE const float *in_frame(struct conv s, struct framed f, int n, int b0, const float *restrict x,
                             float *restrict scratch) {
    if (!f.on) return x + b0 * s.xb;
    put_in_frame(n, s.ih, s.iw, s.ci, x + b0 * s.xb, s.xb, s.xi, s.xj, s.ph, s.pw, f.h, f.w, scratch);
    return scratch;
}

INLINE void conv_forward(struct conv s, const float *restrict x, const float *restrict w,
                         enum from from, const float *restrict bias, float *restrict y,
                         float *restrict scratch) {
    const int oh = ROWS_OUT(s), ow = COLUMNS_OUT(s);
    const struct framed f = frame_of(s);
    const long xb = f.xb, xi = f.xi, xj = f.xj;
    const struct walk taps = {{s.kh, s.kw, s.ci},
                              {s.dh * xi, s.dw * xj, 1},
                              {s.kw * s.ci * s.wo, s.ci * s.wo, s.wo}};
    if (f.on) memset(scratch, 0, sizeof(float) * f.group * xb);
    for (int b0 = 0; b0 < s.b; b0 += f.group) {
        const int n = SMALLER(f.group, s.b - b0);
        const float *images = in_frame(s, f, n, b0, x, scratch);
        for (int b = 0; b < n; b++)
            plane(oh, ow, s.co, images + b * xb, s.sh * xi, s.sw * xj, w, y + (b0 + b) * s.yb, s.yi,
                  s.yj, taps, from, bias);
    }
}

INLINE void conv_grad_bias(struct conv s, const float *restrict dy, float *restrict gb) {
    const struct walk places = {{s.b, ROWS_OUT(s), COLUMNS_OUT(s)}, {0}, {s.yb, s.yi, s.yj}};
    const int width = 4 * LANES, panels = s.co / width, rest = s.co % width;
    for (int p = 0; p < panels; p++) sum_rows(4, 0, dy + p * width, gb + p * width, places);
    if (rest)
        sum_rows(UP(rest, LANES), rest % LANES, dy + panels * width, gb + panels * width, places);
}

INLINE void conv_grad_weight(struct conv s, const float *restrict x, const float *restrict dy,
                             float *restrict gw, float *restrict scratch) {
    const int oh = ROWS_OUT(s), ow = COLUMNS_OUT(s);
    const struct framed f = frame_of(s);
    const long xb = f.xb, xi = f.xi, xj = f.xj;
    /* taps along j whose rows of weights lie as their numbers in x do are one run of rows */
    const int run = xj == s.ci && s.dw == 1 ? s.kw * s.ci : s.ci;
    const int piece = SMALLER(oh, LARGER(1, 512 / ow)); /* rows of outputs that stay near */
    if (f.on) memset(scratch, 0, sizeof(float) * f.group * xb);
    for (int b0 = 0; b0 < s.b; b0 += f.group) {
        const int n = SMALLER(f.group, s.b - b0);
        const float *images = in_frame(s, f, n, b0, x, scratch);
        for (int i = 0; i < oh; i += piece) {
            const struct walk places = {{n, SMALLER(piece, oh - i), ow},
                                        {xb, s.sh * xi, s.sw * xj},
                                        {s.yb, s.yi, s.yj}};
            const enum from from = b0 || i ? FROM_OUTPUT : FROM_ZERO;
            for (int k = 0; k < s.kw * s.ci / run; k++)
                plane(s.kh, run, s.co, images + i * s.sh * xi + k * s.dw * xj, s.dh * xi, 1,
                      dy + b0 * s.yb + i * s.yi, gw + k * run * s.wo, s.kw * s.ci * s.wo, s.wo,
                      places, from, gw);
        }
    }
}

/* Of the inputs i = first, first + stride, ... of one axis: how many there are, and which taps they
 * meet. All of them meet the same ones, so strides are handled one remainder at a time. */
struct taps {
    int inputs, first, count, step; /* taps: first, first + step, ... */
    long place, back; /* the first input's output by the first tap, and from tap to tap */
};
INLINE struct taps taps_of(int first, int size, int kernel, int stride, int padding, int dilation) {
    struct taps t = {UP(size - first, stride), 0, 0, 1, 0, dilation};
    if (stride == 1) {
        t.count = kernel;
        t.place = first + padding;
        return t;
    }
    while (t.step * dilation % stride) t.step++;
    while (t.first < kernel && (first + padding - t.first * dilation) % stride) t.first++;
    t.count = UP(kernel - t.first, t.step);
    t.place = t.count ? (first + padding - t.first * dilation) / stride : 0;
    t.back = t.step * dilation / stride;
    return t;
}

INLINE void conv_grad_input(struct conv s, const float *restrict dy, const float *restrict w,
                            float *restrict dx, float *restrict scratch) {
    const int oh = ROWS_OUT(s), ow = COLUMNS_OUT(s);
    const int before_i = CONV_BEFORE(s.kh, s.sh, s.ph, s.dh);
    const int before_j = CONV_BEFORE(s.kw, s.sw, s.pw, s.dw);
    const int fh = CONV_AROUND(s.ih, s.kh, s.sh, s.ph, s.dh);
    const int fw = CONV_AROUND(s.iw, s.kw, s.sw, s.pw, s.dw);
    const int framed = fh > oh || fw > ow, group = CONV_GROUP(s.b, fh, fw);
    const long yb = framed ? (long)fh * fw * s.co : s.yb, yi = framed ? fw * s.co : s.yi;
    const long yj = framed ? s.co : s.yj, pitch = CONV_PITCH(s.ci);
    float *frame = scratch + s.kh * s.kw * s.co * pitch;
    for (int k = 0; k < s.kh * s.kw; k++)
        transpose(s.ci, s.co, w + k * s.ci * s.wo, s.wo, scratch + k * s.co * pitch, pitch);
    if (framed) memset(frame, 0, sizeof(float) * group * yb);
    for (int b0 = 0; b0 < s.b; b0 += group) {
        const int n = SMALLER(group, s.b - b0);
        const float *images = framed ? frame + before_i * yi + before_j * yj : dy + b0 * yb;
        if (framed)
            put_in_frame(n, oh, ow, s.co, dy + b0 * s.yb, s.yb, s.yi, s.yj, before_i, before_j, fh,
                         fw, frame);
        for (int i = 0; i < SMALLER(s.sh, s.ih); i++) {
            for (int j = 0; j < SMALLER(s.sw, s.iw); j++) {
                const struct taps ti = taps_of(i, s.ih, s.kh, s.sh, s.ph, s.dh);
                const struct taps tj = taps_of(j, s.iw, s.kw, s.sw, s.pw, s.dw);
                const struct walk walk = {
                    {ti.count, tj.count, s.co},
                    {-ti.back * yi, -tj.back * yj, 1},
                    {ti.step * s.kw * s.co * pitch, tj.step * s.co * pitch, pitch}};
                const float *wt = scratch + (ti.first * s.kw + tj.first) * s.co * pitch;
                for (int b = 0; b < n; b++) {
                    const float *a = images + b * yb + ti.place * yi + tj.place * yj;
                    float *c = dx + (b0 + b) * s.xb + i * s.xi + j * s.xj;
                    /* Some remainders have one input more than others. Each size must be a
                     * constant where its loops are made. */
                    const int ni = LARGER(1, s.ih / s.sh), nj = LARGER(1, s.iw / s.sw);
#define IF_INPUTS(ni, nj)                                                                     \
    if (ti.inputs == (ni) && tj.inputs == (nj))                                               \
        plane(ni, nj, s.ci, a, yi, yj, wt, c, s.sh * s.xi, s.sw * s.xj, walk, FROM_ZERO, wt)
                    IF_INPUTS(ni, nj);
                    if (s.iw % s.sw) IF_INPUTS(ni, nj + 1);
                    if (s.ih % s.sh) IF_INPUTS(ni + 1, nj);
                    if (s.ih % s.sh && s.iw % s.sw) IF_INPUTS(ni + 1, nj + 1);
#undef IF_INPUTS
                }
            }
        }
    }
}

/* ---------------------------------------------------------------- pooling */

struct pool {
    int b, ih, iw, c;           /* images: how many, rows, columns, channels */
    int kh, kw, sh, sw, ph, pw; /* window, stride, padding (at most half the window) */
    long xb, xi, xj;            /* strides of x */
    long yb, yi, yj;            /* strides of y */
};

/* For each output, in the order of b, i, j: its image, and the part [i0, i1) x [j0, j1) of the
 * image that its window covers. */
#define EACH_WINDOW(s)                                                                      \
    for (int b = 0; b < (s).b; b++)                                                         \
        for (int i = 0; i < CONV_OUT((s).ih, (s).kh, (s).sh, (s).ph, 1); i++)               \
            for (int j = 0, i0 = LARGER(0, i * (s).sh - (s).ph),                            \
                     i1 = SMALLER((s).ih, i * (s).sh - (s).ph + (s).kh);                    \
                 j < CONV_OUT((s).iw, (s).kw, (s).sw, (s).pw, 1); j++)                      \
                for (int j0 = LARGER(0, j * (s).sw - (s).pw),                               \
                         j1 = SMALLER((s).iw, j * (s).sw - (s).pw + (s).kw), once = 1;      \
                     once; once = 0)

/* Channels at a time, in small arrays that become registers: full blocks, then what is left, so that
 * their number is a constant in both. Without padding the window's is one, too. */
#define POOL_CHANNELS 16
#define EACH_BLOCK(s, work)                                                 \
    {                                                                       \
        int c0 = 0;                                                         \
        for (; c0 + POOL_CHANNELS <= (s).c; c0 += POOL_CHANNELS) {          \
            enum { n = POOL_CHANNELS };                                     \
            work                                                            \
        }                                                                   \
        if ((s).c % POOL_CHANNELS) {                                        \
            const int n = (s).c % POOL_CHANNELS;                            \
            work                                                            \
        }                                                                   \
    }
#define POOL_ROWS(s) ((s).ph ? i1 - i0 : (s).kh)
#define POOL_COLUMNS(s) ((s).pw ? j1 - j0 : (s).kw)

/* The greatest number of each window. Of equal ones the first counts, in the order of rows. Of NaNs
 * the last does, and any NaN is greater than all numbers: torch's rules. */
INLINE void max_of_window(struct pool s, const float *restrict x, float *restrict y,
                          int64_t *restrict index, int n, int rows, int columns, int first) {
    float best[POOL_CHANNELS];
    int32_t place[POOL_CHANNELS];
    for (int c = 0; c < n; c++) best[c] = -__builtin_inff(), place[c] = first;
    UNROLL for (int p = 0; p < rows; p++) {
        UNROLL for (int q = 0; q < columns; q++) {
            const float *from = x + p * s.xi + q * s.xj;
            const int32_t here = first + p * s.iw + q;
            for (int c = 0; c < n; c++) {
                const int32_t wins = -((from[c] > best[c]) | (from[c] != from[c]));
                best[c] = wins ? from[c] : best[c];
                place[c] = (place[c] & ~wins) | (here & wins);
            }
        }
    }
    for (int c = 0; c < n; c++) y[c] = best[c];
    for (int c = 0; c < n; c++) index[c] = place[c];
}

INLINE void max_pool_forward(struct pool s, const float *restrict x, float *restrict y,
                             int64_t *restrict index) {
    EACH_WINDOW(s) {
        const float *from = x + b * s.xb + i0 * s.xi + j0 * s.xj;
        const long to = b * s.yb + i * s.yi + j * s.yj;
        EACH_BLOCK(s, max_of_window(s, from + c0, y + to + c0, index + to + c0, n, POOL_ROWS(s),
                                    POOL_COLUMNS(s), i0 * s.iw + j0);)
    }
}

INLINE void fill_zero(struct pool s, float *restrict x) {
    for (int b = 0; b < s.b; b++) {
        for (int i = 0; i < s.ih; i++) {
            for (int j = 0; j < s.iw; j++) {
                for (int c = 0; c < s.c; c++) x[b * s.xb + i * s.xi + j * s.xj + c] = 0;
            }
        }
    }
}

/* x or 0, by its bits: gcc 12 mixes up the lanes of a select of floats by whole numbers for AVX2. */
INLINE float kept_if(int32_t yes, float x) {
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits &= -yes;
    memcpy(&x, &bits, sizeof bits);
    return x;
}

/* dx = 0, then each output's gradient is added at its index, in the order of b, i, j. All places of
 * a window are visited and the others add a zero, which changes no sum that started from zero: so
 * that channels stay vectors. */
INLINE void spread_to_window(struct pool s, const float *dy, const int64_t *index, float *dx, int n,
                             int rows, int columns, int first) {
    int32_t place[POOL_CHANNELS];
    for (int c = 0; c < n; c++) place[c] = (int32_t)index[c];
    UNROLL for (int p = 0; p < rows; p++) {
        UNROLL for (int q = 0; q < columns; q++) {
            float *to = dx + p * s.xi + q * s.xj;
            const int32_t here = first + p * s.iw + q;
            for (int c = 0; c < n; c++) to[c] += kept_if(place[c] == here, dy[c]);
        }
    }
}

INLINE void max_pool_backward(struct pool s, const float *restrict dy,
                              const int64_t *restrict index, float *restrict dx) {
    fill_zero(s, dx);
    EACH_WINDOW(s) {
        const long from = b * s.yb + i * s.yi + j * s.yj;
        float *to = dx + b * s.xb + i0 * s.xi + j0 * s.xj;
        EACH_BLOCK(s, spread_to_window(s, dy + from + c0, index + from + c0, to + c0, n,
                                       POOL_ROWS(s), POOL_COLUMNS(s), i0 * s.iw + j0);)
    }
}

/* The sum of each window in the order of rows, from 0, divided by kh*kw. */
INLINE void sum_of_window(struct pool s, const float *restrict x, float *restrict y, int n, int rows,
                          int columns) {
    float sum[POOL_CHANNELS];
    for (int c = 0; c < n; c++) sum[c] = 0;
    UNROLL for (int p = 0; p < rows; p++)
        UNROLL for (int q = 0; q < columns; q++)
            for (int c = 0; c < n; c++) sum[c] += x[p * s.xi + q * s.xj + c];
    for (int c = 0; c < n; c++) y[c] = sum[c] / (float)(s.kh * s.kw);
}

INLINE void avg_pool_forward(struct pool s, const float *restrict x, float *restrict y) {
    EACH_WINDOW(s) {
        const float *from = x + b * s.xb + i0 * s.xi + j0 * s.xj;
        float *to = y + b * s.yb + i * s.yi + j * s.yj;
        EACH_BLOCK(s, sum_of_window(s, from + c0, to + c0, n, POOL_ROWS(s), POOL_COLUMNS(s));)
    }
}

/* dx = 0, then dy / (kh*kw) of each output is added to its window, in the order of b, i, j. */
INLINE void avg_pool_backward(struct pool s, const float *restrict dy, float *restrict dx) {
    fill_zero(s, dx);
    EACH_WINDOW(s) {
        const float *from = dy + b * s.yb + i * s.yi + j * s.yj;
        for (int p = i0; p < i1; p++) {
            for (int q = j0; q < j1; q++) {
                float *to = dx + b * s.xb + p * s.xi + q * s.xj;
                for (int c = 0; c < s.c; c++) to[c] += from[c] / (float)(s.kh * s.kw);
            }
        }
    }
}

#endif
