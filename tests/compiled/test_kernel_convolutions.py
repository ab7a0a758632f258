"""The C kernels of convolutions and of their gradients."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch.nn import functional

from kit.c_kernels import (
    BIAS,
    ZERO,
    Array,
    Libraries,
    Window,
    built,
    call,
    canaries,
    initialiser,
    near,
    same,
    some,
    strides,
    wide,
)
from kit.fenced import fenced as fenced

if TYPE_CHECKING:
    from kit.fenced import Fenced

# What the kernels must equal, bit for bit: one chain a number, in the written order.
PLAIN = """
typedef struct { long b, ih, iw, ci, co, kh, kw, sh, sw, ph, pw, dh, dw;
                 long xb, xi, xj, yb, yi, yj, wo; } conv;
#define OUT(n, k, s, p, d) ((n + 2 * p - d * (k - 1) - 1) / s + 1)
#define OH OUT(s->ih, s->kh, s->sh, s->ph, s->dh)
#define OW OUT(s->iw, s->kw, s->sw, s->pw, s->dw)
static float at(const conv *s, const float *x, long b, long i, long j, long c) {
    if (i < 0 || j < 0 || i >= s->ih || j >= s->iw) return 0;
    return x[b * s->xb + i * s->xi + j * s->xj + c];
}
void conv_forward(const conv *s, const float *x, const float *w, const float *bias, float *y) {
    FOR(b, s->b) FOR(i, OH) FOR(j, OW) FOR(o, s->co) {
        float t = bias ? bias[o] : 0;
        FOR(ki, s->kh) FOR(kj, s->kw) FOR(c, s->ci)
            t = fmaf(at(s, x, b, i * s->sh - s->ph + ki * s->dh, j * s->sw - s->pw + kj * s->dw, c),
                     w[((ki * s->kw + kj) * s->ci + c) * s->wo + o], t);
        y[b * s->yb + i * s->yi + j * s->yj + o] = t;
    }
}
void conv_grad_weight(const conv *s, const float *x, const float *dy, float *gw) {
    FOR(ki, s->kh) FOR(kj, s->kw) FOR(c, s->ci) FOR(o, s->co) {
        float t = 0;
        FOR(b, s->b) FOR(i, OH) FOR(j, OW)
            t = fmaf(at(s, x, b, i * s->sh - s->ph + ki * s->dh, j * s->sw - s->pw + kj * s->dw, c),
                     dy[b * s->yb + i * s->yi + j * s->yj + o], t);
        gw[((ki * s->kw + kj) * s->ci + c) * s->wo + o] = t;
    }
}
void conv_grad_bias(const conv *s, const float *dy, float *gb) {
    FOR(o, s->co) {
        float t = 0;
        FOR(b, s->b) FOR(i, OH) FOR(j, OW) t += dy[b * s->yb + i * s->yi + j * s->yj + o];
        gb[o] = t;
    }
}
void conv_grad_input(const conv *s, const float *dy, const float *w, float *dx) {
    FOR(b, s->b) FOR(i, s->ih) FOR(j, s->iw) FOR(c, s->ci) {
        float t = 0;
        FOR(ki, s->kh) FOR(kj, s->kw) FOR(o, s->co) {
            long p = i + s->ph - ki * s->dh, q = j + s->pw - kj * s->dw;
            if (p % s->sh || q % s->sw) continue;
            p /= s->sh, q /= s->sw;
            t = fmaf(p < 0 || q < 0 || p >= OH || q >= OW
                         ? 0 : dy[b * s->yb + p * s->yi + q * s->yj + o],
                     w[((ki * s->kw + kj) * s->ci + c) * s->wo + o], t);
        }
        dx[b * s->xb + i * s->xi + j * s->xj + c] = t;
    }
}
"""


@dataclass(frozen=True)
class Conv(Window):
    """A convolution: sizes as in `struct conv`, and `gap` numbers after channels and weights."""

    b: int
    ih: int
    iw: int
    ci: int
    co: int
    kh: int = 3
    kw: int = 3
    sh: int = 1
    sw: int = 1
    ph: int = 0
    pw: int = 0
    dh: int = 1
    dw: int = 1
    gap: int = 0

    @property
    def sizes(self) -> list[int]:
        """The sizes in the order of `struct conv`."""
        return [getattr(self, field.name) for field in fields(self) if field.name != "gap"]

    @property
    def x_shape(self) -> tuple[int, ...]:
        """The stored shape of images."""
        return self.b, self.ih, self.iw, self.ci + self.gap

    @property
    def y_shape(self) -> tuple[int, ...]:
        """The stored shape of outputs."""
        return self.b, *self.out, self.co + self.gap

    @property
    def w_shape(self) -> tuple[int, ...]:
        """The stored shape of weights."""
        return self.kh, self.kw, self.ci, self.co + self.gap

    @property
    def numbers(self) -> list[int]:
        """All of `struct conv`, in its order."""
        steps = [*strides(self.x_shape), *strides(self.y_shape)]
        return [*self.sizes, *steps, self.co + self.gap]


CONVS = (
    Conv(3, 8, 8, 1, 16, ph=1, pw=1),
    Conv(5, 4, 4, 16, 32, ph=1, pw=1),
    Conv(1, 28, 28, 1, 32),
    Conv(1, 9, 15, 3, 10, kh=5, kw=2, ph=2, gap=2),
    Conv(2, 11, 10, 3, 64, sh=2, sw=2, ph=1, pw=1),
    Conv(2, 7, 9, 5, 7, kh=2, kw=4, sh=3, sw=2, ph=1, pw=2),
    Conv(2, 13, 12, 4, 17, ph=2, pw=2, dh=2, dw=2),
    Conv(1, 14, 13, 2, 3, sh=2, sw=3, ph=2, pw=1, dh=3, dw=2, gap=1),
    Conv(3, 6, 6, 18, 33, kh=1, kw=1, sh=2, sw=2),
    Conv(9, 1, 1, 4, 5, kh=1, kw=1),
    Conv(2, 2, 3, 2, 3, kh=2, kw=1, sh=3, sw=4),
    Conv(2, 7, 7, 3, 5, kh=2, kw=2, sh=2, sw=2),
    Conv(1, 30, 34, 2, 6, ph=1, pw=1),  # rows of one image in pieces
)


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Libraries:
    """One C function for each kernel and shape, all sizes constant; and the plain loops."""
    lines = []
    for i, s in enumerate(CONVS):
        around, sizes = f"{s.b}, {s.ih}, {s.iw}, {s.ci}", ", ".join(map(str, s.sizes))
        lines += [
            f"static const struct conv conv{i} = {initialiser(s.numbers)};",
            f"const long scratch{i} = CONV_SCRATCH({around}, {s.ph}, {s.pw});",
            f"const long scratch_input{i} = CONV_GRAD_INPUT_SCRATCH({sizes});",
            f"void conv_forward{i}(const float *x, const float *w, const float *bias, float *y,"
            f" float *t) {{ conv_forward(conv{i}, x, w, {BIAS if i % 2 else ZERO}, bias, y, t); }}",
            f"void conv_grad_weight{i}(const float *x, const float *dy, float *gw, float *t) {{"
            f" conv_grad_weight(conv{i}, x, dy, gw, t); }}",
            f"void conv_grad_bias{i}(const float *dy, float *gb) {{"
            f" conv_grad_bias(conv{i}, dy, gb); }}",
            f"void conv_grad_input{i}(const float *dy, const float *w, float *dx, float *t) {{"
            f" conv_grad_input(conv{i}, dy, w, dx, t); }}",
        ]
    return built(tmp_path_factory.mktemp("convolutions"), lines, PLAIN)


def scratch_sizes(library: ctypes.CDLL, i: int) -> list[int]:
    """The scratch that a convolution needs, and that the gradient of its input needs."""
    names = (f"scratch{i}", f"scratch_input{i}")
    return [ctypes.c_long.in_dll(library, name).value for name in names]


@pytest.mark.parametrize("i", range(len(CONVS)), ids=map(str, CONVS))
def test_convolution(i: int, libraries: Libraries) -> None:
    """A convolution, and the gradients of its weights, bias and input."""
    s = CONVS[i]
    x, w, dy, bias = some(1, *s.x_shape), some(2, *s.w_shape), some(3, *s.y_shape), some(4, s.co)
    y, gw, gb, dx = (canaries(*a.shape) for a in (dy, w, bias, x))
    shape, plain = np.array(s.numbers, np.int64), libraries.plain
    call(plain, "conv_forward", shape, x, w, bias if i % 2 else None, y)
    call(plain, "conv_grad_weight", shape, x, dy, gw)
    call(plain, "conv_grad_bias", shape, dy, gb)
    call(plain, "conv_grad_input", shape, dy, w, dx)

    image = wide(x[..., : s.ci]).permute(0, 3, 1, 2).requires_grad_()
    weight = wide(w[..., : s.co]).permute(3, 2, 0, 1).requires_grad_()
    offset = (wide(bias) * (i % 2)).requires_grad_()
    out = functional.conv2d(
        image, weight, offset, (s.sh, s.sw), (s.ph, s.pw), dilation=(s.dh, s.dw)
    )
    gradients = torch.autograd.grad(
        out, (image, weight, offset), wide(dy[..., : s.co]).permute(0, 3, 1, 2)
    )
    near(y[..., : s.co], out.detach().permute(0, 2, 3, 1))
    near(dx[..., : s.ci], gradients[0].permute(0, 2, 3, 1))
    near(gw[..., : s.co], gradients[1].permute(2, 3, 1, 0))
    near(gb, gradients[2])

    for name, library in libraries.made.items():
        sizes = scratch_sizes(library, i)
        scratch, scratch_input = (canaries(size + 9) for size in sizes)
        made = {"y": y, "gw": gw, "gb": gb, "dx": dx}
        found = [canaries(*a.shape) for a in made.values()]
        call(library, f"conv_forward{i}", x, w, bias, found[0], scratch)
        call(library, f"conv_grad_weight{i}", x, dy, found[1], scratch)
        call(library, f"conv_grad_bias{i}", dy, found[2])
        call(library, f"conv_grad_input{i}", dy, w, found[3], scratch_input)
        for (what, expected), array in zip(made.items(), found, strict=True):
            same(array, expected, (name, what))
        for size, array in zip(sizes, (scratch, scratch_input), strict=True):
            same(array[size:], canaries(9), (name, "scratch"))


def test_convolutions_in_bounds(fenced: Fenced, libraries: Libraries) -> None:
    """No kernel touches the page before or after any of its arrays."""
    put = fenced.put
    calls: list[tuple[str, tuple[Array, ...]]] = []
    library = next(iter(libraries.made.values()))
    for i, s in enumerate(CONVS):
        x, w, y = (
            put(some(seed, *shape), s.gap)
            for seed, shape in enumerate((s.x_shape, s.w_shape, s.y_shape), 1)
        )
        bias = put(some(4, s.co))
        sizes = scratch_sizes(library, i)
        scratch, scratch_input = (put(canaries(size)) for size in sizes)
        calls += [
            (f"conv_forward{i}", (x, w, bias, y, scratch)),
            (f"conv_grad_weight{i}", (x, y, w, scratch)),
            (f"conv_grad_bias{i}", (y, bias)),
            (f"conv_grad_input{i}", (y, w, x, scratch_input)),
        ]
    fenced.stay_inside(libraries, calls)
