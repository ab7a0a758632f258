/* addmm */
static void s0(float *restrict b0, const float *restrict b1, const float *restrict b2, const float *restrict b3) {
    product(2, 3, 4, b1 + 0, 4, 1, b2 + 0, 3, FROM_BIAS, b3 + 0, b0 + 0, 3);
}

/* relu */
static void s1(float *restrict b0, const float *restrict b1) {
    for (long i0 = 0; i0 < 6; i0++)
    {
        const float v0 = b1[i0];
        const float v1 = (float)(RELU(v0));
        b0[i0] = v1;
    }
}

/* amax */
static void s2(float *restrict b0, const float *restrict b1) {
    for (long i0 = 0; i0 < 2; i0++) { float s = -INFINITY; for (long k0 = 0; k0 < 3; k0++) { s = MAX(s, (float)b1[i0 * 3 + k0]); } b0[i0] = s; }
}

/* sub */
static void s3(float *restrict b0, const float *restrict b1, const float *restrict b2) {
    for (long i0 = 0; i0 < 2; i0++)
    for (long i1 = 0; i1 < 3; i1++)
    {
        const float v0 = b1[i0 * 3 + i1];
        const float v1 = b2[i0];
        const float v2 = (float)(v0 - v1);
        b0[i0 * 3 + i1] = v2;
    }
}

/* exp, nll_loss_backward */
static void s4(float *restrict b0, float *restrict b1, const float *restrict b2) {
    for (long i0 = 0; i0 < 6; i0++)
    {
        const float v0 = b2[i0];
        const float v1 = (float)(EXP(v0));
        b0[i0] = v1;
        const float v2 = (float)((0x0.0p+0f));
        b1[i0] = v2;
    }
}

/* sum */
static void s5(float *restrict b0, const float *restrict b1) {
    for (long i0 = 0; i0 < 2; i0++) { float s = 0; for (long k0 = 0; k0 < 3; k0++) { s = s + (float)b1[i0 * 3 + k0]; } b0[i0] = s; }
}

/* log */
static void s6(float *restrict b0, const float *restrict b1) {
    for (long i0 = 0; i0 < 2; i0++)
    {
        const float v0 = b1[i0];
        const float v1 = (float)(LOG(v0));
        b0[i0] = v1;
    }
}

/* sub */
static void s7(float *restrict b0, const float *restrict b1, const float *restrict b2) {
    for (long i0 = 0; i0 < 2; i0++)
    for (long i1 = 0; i1 < 3; i1++)
    {
        const float v0 = b1[i0 * 3 + i1];
        const float v1 = b2[i0];
        const float v2 = (float)(v0 - v1);
        b0[i0 * 3 + i1] = v2;
    }
}

/* nll_loss_forward */
static void s8(float *restrict b0, float *restrict b1, const float *restrict b2, const int64_t *restrict b3) {
    float sum = 0, count = 0; for (long i = 0; i < 2; i++) { const int64_t row = b3[i]; if (row == -100) { continue; } const int inside = INSIDE(row, 3); const float share = inside ? 1 : NAN; const float part = inside ? -share * b2[i * 3 + row] : NAN; sum += part; count += share; } b0[0] = sum / count; b1[0] = count;
}

/* nll_loss_backward */
static void s9(float *restrict b0, const int64_t *restrict b1, const float *restrict b2) {
    const float n0[1] = {(0x1.0000000000000p+0f)};
    for (long i = 0; i < 2; i++) { const int64_t row = b1[i]; if (row != -100 && INSIDE(row, 3)) b0[i * 3 + row] = -n0[0] / b2[0]; }
}

/* exp */
static void s10(float *restrict b0, const float *restrict b1) {
    for (long i0 = 0; i0 < 6; i0++)
    {
        const float v0 = b1[i0];
        const float v1 = (float)(EXP(v0));
        b0[i0] = v1;
    }
}

/* sum */
static void s11(float *restrict b0, const float *restrict b1) {
    for (long i0 = 0; i0 < 2; i0++) { float s = 0; for (long k0 = 0; k0 < 3; k0++) { s = s + (float)b1[i0 * 3 + k0]; } b0[i0] = s; }
}

/* mul */
static void s12(float *restrict b0, const float *restrict b1, const float *restrict b2) {
    for (long i0 = 0; i0 < 2; i0++)
    for (long i1 = 0; i1 < 3; i1++)
    {
        const float v0 = b1[i0 * 3 + i1];
        const float v1 = b2[i0];
        const float v2 = (float)(v0 * v1);
        b0[i0 * 3 + i1] = v2;
    }
}

/* sub, threshold_backward */
static void s13(float *restrict b0, const float *restrict b1, const float *restrict b2, const float *restrict b3) {
    for (long i0 = 0; i0 < 6; i0++)
    {
        const float v0 = b1[i0];
        const float v1 = b2[i0];
        const float v2 = (float)(v0 - v1);
        const float v3 = b3[i0];
        const float v4 = (float)(v3 <= (0x0.0p+0f) ? 0 : v2);
        b0[i0] = v4;
    }
}

/* mm */
static void s14(float *restrict b0, const float *restrict b1, const float *restrict b2) {
    product(4, 3, 2, b1 + 0, 1, 4, b2 + 0, 3, FROM_ZERO, (void *)0, b0 + 0, 3);
}

/* mul, add, sub */
static void s15(float *restrict b0, float *restrict b1, const float *restrict b2) {
    for (long i0 = 0; i0 < 12; i0++)
    {
        const float v0 = b0[i0];
        const float v1 = settled((float)(v0 * (0x1.cccccc0000000p-1f)));
        const float v2 = b2[i0];
        const float v3 = settled((float)(v1 + v2));
        b0[i0] = v3;
        const float v4 = b1[i0];
        const float v5 = settled((float)(FMA(-(0x1.99999a0000000p-4f), v3, v4)));
        b1[i0] = v5;
    }
}

void work(char **slots) {
    s0((void *)(scratch + 0), (void *)slots[0], (void *)slots[1], (void *)slots[2]);
    s1((void *)(scratch + 64), (void *)(scratch + 0));
    s2((void *)(scratch + 0), (void *)(scratch + 64));
    s3((void *)(scratch + 128), (void *)(scratch + 64), (void *)(scratch + 0));
    s4((void *)(scratch + 0), (void *)(scratch + 192), (void *)(scratch + 128));
    s5((void *)(scratch + 256), (void *)(scratch + 0));
    s6((void *)(scratch + 0), (void *)(scratch + 256));
    s7((void *)(scratch + 256), (void *)(scratch + 128), (void *)(scratch + 0));
    s8((void *)(scratch + 0), (void *)(scratch + 128), (void *)(scratch + 256), (void *)slots[3]);
    s9((void *)(scratch + 192), (void *)slots[3], (void *)(scratch + 128));
    s10((void *)(scratch + 0), (void *)(scratch + 256));
    s11((void *)(scratch + 128), (void *)(scratch + 192));
    s12((void *)(scratch + 256), (void *)(scratch + 0), (void *)(scratch + 128));
    s13((void *)(scratch + 0), (void *)(scratch + 192), (void *)(scratch + 256), (void *)(scratch + 64));
    s14((void *)slots[4], (void *)slots[0], (void *)(scratch + 0));
    s15((void *)slots[5], (void *)slots[1], (void *)slots[4]);
}
