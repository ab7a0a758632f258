"""The C kernels of compiled steps: against torch, bit by bit against plain loops, in bounds."""

from __future__ import annotations

import ctypes
import importlib.util
import mmap
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

import trainscape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Array = NDArray[Any]

KERNELS = Path(trainscape.__file__).parent / "compiled" / "c"
FLAGS = ("-std=gnu11", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-fPIC")
ZERO, BIAS, OUTPUT = 0, 1, 2

# What the kernels must equal, bit for bit: one chain a number, in the written order.
PLAIN = r"""
#include <math.h>
#include <stdint.h>
typedef struct { long b, ih, iw, ci, co, kh, kw, sh, sw, ph, pw, dh, dw;
                 long xb, xi, xj, yb, yi, yj, wo; } conv;
#define OUT(n, k, s, p, d) ((n + 2 * p - d * (k - 1) - 1) / s + 1)
#define OH OUT(s->ih, s->kh, s->sh, s->ph, s->dh)
#define OW OUT(s->iw, s->kw, s->sw, s->pw, s->dw)
#define FOR(i, n) for (long i = 0; i < (n); i++)
void product(const long *s, const float *a, const float *b, const float *bias, float *c) {
    long M = s[0], N = s[1], K = s[2], am = s[3], ak = s[4], bk = s[5], from = s[6], cm = s[7];
    FOR(m, M) FOR(n, N) {
        float t = from == 0 ? 0 : from == 1 ? bias[n] : c[m * cm + n];
        FOR(k, K) t = fmaf(a[m * am + k * ak], b[k * bk + n], t);
        c[m * cm + n] = t;
    }
}
void product_double(const long *s, const double *a, const double *b, const double *bias,
                    double *c) {
    long M = s[0], N = s[1], K = s[2], am = s[3], ak = s[4], bk = s[5], from = s[6], cm = s[7];
    FOR(m, M) FOR(n, N) {
        double t = from == 0 ? 0 : from == 1 ? bias[n] : c[m * cm + n];
        FOR(k, K) t = fma(a[m * am + k * ak], b[k * bk + n], t);
        c[m * cm + n] = t;
    }
}
void column_sums(const long *s, const float *x, float *y) {
    FOR(n, s[1]) { float t = 0; FOR(m, s[0]) t += x[m * s[2] + n]; y[n] = t; }
}
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
void conv_grad_weight(const conv *s, const float *x, const float *dy, float *gw, float *gb) {
    FOR(ki, s->kh) FOR(kj, s->kw) FOR(c, s->ci) FOR(o, s->co) {
        float t = 0;
        FOR(b, s->b) FOR(i, OH) FOR(j, OW)
            t = fmaf(at(s, x, b, i * s->sh - s->ph + ki * s->dh, j * s->sw - s->pw + kj * s->dw, c),
                     dy[b * s->yb + i * s->yi + j * s->yj + o], t);
        gw[((ki * s->kw + kj) * s->ci + c) * s->wo + o] = t;
    }
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
class Product:
    """Shape and layout of one product: `turned` has a by columns, `gap` numbers follow each row."""

    m: int
    n: int
    k: int
    start: int = ZERO
    turned: bool = False
    gap: int = 0

    @property
    def strides(self) -> tuple[int, int, int, int]:
        """The strides am and ak, bk, cm."""
        a = (1, self.m + self.gap) if self.turned else (self.k + self.gap, 1)
        return *a, self.n + self.gap, self.n + self.gap


@dataclass(frozen=True)
class Conv:
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
    def out(self) -> tuple[int, int]:
        """The rows and columns of outputs."""
        return (
            (self.ih + 2 * self.ph - self.dh * (self.kh - 1) - 1) // self.sh + 1,
            (self.iw + 2 * self.pw - self.dw * (self.kw - 1) - 1) // self.sw + 1,
        )

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
        strides = []
        for _, rows, columns, channels in (self.x_shape, self.y_shape):
            strides += [rows * columns * channels, columns * channels, channels]
        return [*self.sizes, *strides, self.co + self.gap]


@dataclass(frozen=True)
class Pool:
    """A pooling: sizes as in `struct pool`."""

    b: int
    ih: int
    iw: int
    c: int
    kh: int = 2
    kw: int = 2
    sh: int = 2
    sw: int = 2
    ph: int = 0
    pw: int = 0

    @property
    def out(self) -> tuple[int, int]:
        """The rows and columns of outputs."""
        return (
            (self.ih + 2 * self.ph - self.kh) // self.sh + 1,
            (self.iw + 2 * self.pw - self.kw) // self.sw + 1,
        )

    @property
    def numbers(self) -> list[int]:
        """All of `struct pool`, in its order."""
        sizes = [getattr(self, field.name) for field in fields(self)]
        for rows, columns in ((self.ih, self.iw), self.out):
            sizes += [rows * columns * self.c, columns * self.c, self.c]
        return sizes


PRODUCTS = (
    Product(1, 1, 1),
    Product(16, 64, 64, BIAS),
    Product(64, 10, 64, BIAS),
    Product(64, 48, 17, turned=True),
    Product(37, 200, 65, OUTPUT, gap=3),
    Product(13, 7, 5, BIAS, gap=1),
    Product(50, 33, 300, BIAS, turned=True, gap=2),  # pieces of k
    Product(2, 47, 3, OUTPUT),
    Product(31, 26, 12, turned=True, gap=5),
    Product(17, 5, 1030, OUTPUT),
)
DOUBLE = (0, 4, 5)  # the places of those that are made of doubles, too
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
POOLS = (
    Pool(3, 8, 8, 16),
    Pool(2, 7, 9, 5, kh=3, kw=3, ph=1, pw=1),
    Pool(2, 6, 7, 70, kh=3, kw=2, sh=1, sw=2, ph=1),
    Pool(1, 5, 5, 1, kh=5, kw=5, sh=1, sw=1, ph=2, pw=2),
)


def numbers(values: list[int]) -> str:
    """The initialiser of a struct."""
    return "{" + ", ".join(map(str, values)) + "}"


def source() -> str:
    """One C function for each kernel and shape, all sizes constant."""
    lines = ['#include "kernels.h"']
    for i, p in enumerate(PRODUCTS):
        am, ak, bk, cm = p.strides
        for kind, number in (("", "float"), ("_double", "double"))[: 1 + (i in DOUBLE)]:
            lines.append(
                f"void product{kind}{i}(const {number} *a, const {number} *b, const {number} *bias,"
                f" {number} *c) {{ product{kind}({p.m}, {p.n}, {p.k}, a, {am}, {ak}, b, {bk},"
                f" {p.start}, bias, c, {cm}); }}"
            )
        lines.append(
            f"void product_rows{i}(const float *a, const float *b, const float *bias, float *c) {{"
            f" for (int m = 0; m < {p.m}; m += 2 * PRODUCT_ROWS) product_rows({p.m}, {p.n}, {p.k},"
            f" a, {am}, {ak}, b, {bk}, {p.start}, bias, c, {cm}, m, m + 2 * PRODUCT_ROWS < {p.m} ?"
            f" m + 2 * PRODUCT_ROWS : {p.m}); }}"
        )
        lines.append(
            f"void transpose{i}(const float *x, float *y) {{ transpose({p.m}, {p.n}, x, {cm}, y,"
            f" {p.m + p.gap}); }}"
        )
        lines.append(
            f"void column_sums{i}(const float *x, float *y) {{ column_sums({p.m}, {p.n}, x, {cm},"
            " y); }"
        )
    for i, s in enumerate(CONVS):
        around, sizes = f"{s.b}, {s.ih}, {s.iw}, {s.ci}", ", ".join(map(str, s.sizes))
        lines += [
            f"static const struct conv conv{i} = {numbers(s.numbers)};",
            f"const long scratch{i} = CONV_SCRATCH({around}, {s.ph}, {s.pw});",
            f"const long scratch_input{i} = CONV_GRAD_INPUT_SCRATCH({sizes});",
            f"void conv_forward{i}(const float *x, const float *w, const float *bias, float *y,"
            f" float *t) {{ conv_forward(conv{i}, x, w, {BIAS if i % 2 else ZERO}, bias, y, t); }}",
            f"void conv_grad_weight{i}(const float *x, const float *dy, float *gw, float *gb,"
            f" float *t) {{ conv_grad_weight(conv{i}, x, dy, gw, gb, t); }}",
            f"void conv_grad_bias{i}(const float *dy, float *gb) {{"
            f" conv_grad_bias(conv{i}, dy, gb); }}",
            f"void conv_grad_input{i}(const float *dy, const float *w, float *dx, float *t) {{"
            f" conv_grad_input(conv{i}, dy, w, dx, t); }}",
        ]
    for i, q in enumerate(POOLS):
        lines += [
            f"static const struct pool pool{i} = {numbers(q.numbers)};",
            f"void max_pool_forward{i}(const float *x, float *y, int64_t *index) {{"
            f" max_pool_forward(pool{i}, x, y, index); }}",
            f"void max_pool_backward{i}(const float *dy, const int64_t *index, float *dx) {{"
            f" max_pool_backward(pool{i}, dy, index, dx); }}",
            f"void avg_pool_forward{i}(const float *x, float *y) {{"
            f" avg_pool_forward(pool{i}, x, y); }}",
            f"void avg_pool_backward{i}(const float *dy, float *dx) {{"
            f" avg_pool_backward(pool{i}, dy, dx); }}",
        ]
    return "\n".join(lines) + "\n"


def commands() -> dict[str, list[str]]:
    """Every compiler and target whose code can be made and run here."""
    found: dict[str, list[str]] = {}
    information = Path("/proc/cpuinfo")
    flags = set(information.read_text().split()) if information.exists() else set()
    levels = {"v3": {"avx2", "fma"}, "v4": {"avx2", "fma", "avx512f", "avx512vl", "avx512dq"}}
    runs = [level for level, needed in levels.items() if needed <= flags]
    if compiler := shutil.which("cc"):
        found |= {f"cc {level}": [compiler, "-O3", f"-march=x86-64-{level}"] for level in runs}
        if not runs:
            found["cc"] = [compiler, "-O3"]
    if importlib.util.find_spec("ziglang"):
        zig = [sys.executable, "-m", "ziglang", "cc", "-O3"]
        found |= {f"clang {level}": [*zig, f"-mcpu=x86_64_{level}"] for level in runs}
    if clang := shutil.which("clang"):
        found |= {f"clang {level}": [clang, "-O3", f"-march=x86-64-{level}"] for level in runs}
    return found


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, ctypes.CDLL]:
    """The kernels by each compiler and target, and the plain loops as `plain`."""
    made = commands()
    if not made:
        pytest.skip("no C compiler here")
    folder = tmp_path_factory.mktemp("kernels")
    (folder / "kernels.c").write_text(source())
    (folder / "plain.c").write_text(PLAIN)
    running = {}
    for i, (name, command) in enumerate(made.items()):
        made_of = [*command, *FLAGS, f"-I{KERNELS}", "kernels.c", "-o", f"{i}.so"]
        running[name] = (f"{i}.so", made_of)
    running["plain"] = ("plain.so", [*next(iter(made.values())), "-O1", *FLAGS, "plain.c", "-o"])
    running["plain"][1].append("plain.so")
    jobs = {
        name: subprocess.Popen(
            [*command, "-shared", "-lm"], cwd=folder, stderr=subprocess.PIPE, text=True
        )
        for name, (_, command) in running.items()
    }
    for name, job in jobs.items():
        _, errors = job.communicate()
        assert job.returncode == 0, f"{name}: {errors}"
    return {name: ctypes.CDLL(str(folder / file)) for name, (file, _) in running.items()}


def call(library: ctypes.CDLL, name: str, *arrays: Array | None) -> None:
    """Calls a function with pointers to the arrays."""
    pointers = [None if a is None else ctypes.c_void_p(a.ctypes.data) for a in arrays]
    getattr(library, name)(*pointers)


def kernels(libraries: Mapping[str, ctypes.CDLL]) -> Iterator[tuple[str, ctypes.CDLL]]:
    """All but the plain loops."""
    for name, library in libraries.items():
        if name != "plain":
            yield name, library


def scratch_sizes(library: ctypes.CDLL, i: int) -> list[int]:
    """The scratch that a convolution needs, and that the gradient of its input needs."""
    names = (f"scratch{i}", f"scratch_input{i}")
    return [ctypes.c_long.in_dll(library, name).value for name in names]


def some(seed: int, *shape: int) -> NDArray[np.float32]:
    """Numbers that round in nearly every sum."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def same(found: Array, expected: Array, what: object) -> None:
    """Fails unless all bits agree."""
    assert found.tobytes() == expected.tobytes(), what


def near(found: Array, expected: torch.Tensor | Array) -> None:
    """Fails unless the numbers agree as sums of floats do."""
    np.testing.assert_allclose(found, np.asarray(expected), rtol=1e-4, atol=1e-4)


def canaries(*shape: int) -> NDArray[np.float32]:
    """An output before it is made: what no kernel may touch keeps this value."""
    return np.full(shape, -12345.678, np.float32)


def wide(array: Array) -> torch.Tensor:
    """As a tensor of doubles."""
    return torch.from_numpy(np.array(array, np.float64))


@pytest.mark.parametrize("i", range(len(PRODUCTS)), ids=[str(p) for p in PRODUCTS])
def test_product(i: int, libraries: Mapping[str, ctypes.CDLL]) -> None:
    """Products by floats and doubles, whole and by rows, with gaps and by columns."""
    p = PRODUCTS[i]
    am, ak, bk, cm = p.strides
    shape = np.array([p.m, p.n, p.k, am, ak, bk, p.start, cm], np.int64)
    for kind, number in (("product", np.float32), ("product_double", np.float64)):
        if number is np.float64 and i not in DOUBLE:
            continue
        a = some(1, *((p.k, p.m + p.gap) if p.turned else (p.m, p.k + p.gap))).astype(number)
        b, bias = some(2, p.k, bk).astype(number), some(3, p.n).astype(number)
        c = some(4, p.m, cm).astype(number)
        expected = c.copy()
        call(libraries["plain"], kind, shape, a, b, bias, expected)
        left = a[:, : p.m].T if p.turned else a[:, : p.k]
        start: Array = {ZERO: np.zeros(p.n), BIAS: bias, OUTPUT: c[:, : p.n]}[p.start]
        product = left.astype(np.float64) @ b[:, : p.n].astype(np.float64) + start
        near(expected[:, : p.n], product)
        for name, library in kernels(libraries):
            for function in (kind, "product_rows") if number is np.float32 else (kind,):
                found = c.copy()
                call(library, f"{function}{i}", a, b, bias, found)
                same(found, expected, (name, function))


@pytest.mark.parametrize("i", range(len(PRODUCTS)), ids=[str(p) for p in PRODUCTS])
def test_transpose_and_sums(i: int, libraries: Mapping[str, ctypes.CDLL]) -> None:
    """Copies with the other axis as unit stride, and sums of columns."""
    p = PRODUCTS[i]
    x = some(1, p.m, p.n + p.gap)
    sums = np.zeros(p.n, np.float32)
    call(libraries["plain"], "column_sums", np.array([p.m, p.n, p.n + p.gap], np.int64), x, sums)
    near(sums, x[:, : p.n].sum(0, np.float64))
    for name, library in kernels(libraries):
        turned, found = canaries(p.n, p.m + p.gap), canaries(p.n)
        expected = turned.copy()
        expected[:, : p.m] = x[:, : p.n].T
        call(library, f"transpose{i}", x, turned)
        same(turned, expected, name)
        call(library, f"column_sums{i}", x, found)
        same(found, sums, name)


@pytest.mark.parametrize("i", range(len(CONVS)), ids=[str(s) for s in CONVS])
def test_convolution(i: int, libraries: Mapping[str, ctypes.CDLL]) -> None:
    """A convolution, and the gradients of its weights, bias and input."""
    s = CONVS[i]
    x, w, dy, bias = some(1, *s.x_shape), some(2, *s.w_shape), some(3, *s.y_shape), some(4, s.co)
    y, gw, gb, dx = (canaries(*a.shape) for a in (dy, w, bias, x))
    shape, plain = np.array(s.numbers, np.int64), libraries["plain"]
    call(plain, "conv_forward", shape, x, w, bias if i % 2 else None, y)
    call(plain, "conv_grad_weight", shape, x, dy, gw, gb)
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

    for name, library in kernels(libraries):
        sizes = scratch_sizes(library, i)
        scratch, scratch_input = (canaries(size + 9) for size in sizes)
        found = [canaries(*a.shape) for a in (y, gw, gb, gb, dx)]
        call(library, f"conv_forward{i}", x, w, bias, found[0], scratch)
        call(library, f"conv_grad_weight{i}", x, dy, found[1], found[2], scratch)
        call(library, f"conv_grad_bias{i}", dy, found[3])
        call(library, f"conv_grad_input{i}", dy, w, found[4], scratch_input)
        for what, a, b in zip(
            ("y", "gw", "gb", "gb alone", "dx"), found, (y, gw, gb, gb, dx), strict=True
        ):
            same(a, b, (name, what))
        for size, array in zip(sizes, (scratch, scratch_input), strict=True):
            same(array[size:], canaries(9), (name, "scratch"))


@pytest.mark.parametrize("i", range(len(POOLS)), ids=[str(q) for q in POOLS])
def test_pooling(i: int, libraries: Mapping[str, ctypes.CDLL]) -> None:
    """Greatest numbers with ties and NaN, means, and the gradients of both."""
    q = POOLS[i]
    x = np.round(some(1, q.b, q.ih, q.iw, q.c) * 2) / 2  # ties
    x[some(2, *x.shape) > 1.5] = np.nan
    x[some(5, *x.shape) > 1.5] = -np.inf
    dy = some(3, q.b, *q.out, q.c)
    window = ((q.kh, q.kw), (q.sh, q.sw), (q.ph, q.pw))
    image = torch.from_numpy(x).permute(0, 3, 1, 2).requires_grad_()
    gradient = torch.from_numpy(dy).permute(0, 3, 1, 2)
    out, places = functional.max_pool2d(image, *window, return_indices=True)
    (dx,) = torch.autograd.grad(out, image, gradient)
    fine = torch.from_numpy(some(4, *x.shape)).permute(0, 3, 1, 2).requires_grad_()
    means = functional.avg_pool2d(fine, *window)
    (dfine,) = torch.autograd.grad(means, fine, gradient)
    last = [t.detach().permute(0, 2, 3, 1).numpy() for t in (out, places, dx, fine, means, dfine)]
    smooth = np.ascontiguousarray(last[3])
    first: list[Array] = []
    for name, library in kernels(libraries):
        y, index = canaries(*dy.shape), np.full(dy.shape, -1)
        back, mean, spread = canaries(*x.shape), canaries(*dy.shape), canaries(*x.shape)
        call(library, f"max_pool_forward{i}", x, y, index)
        call(library, f"max_pool_backward{i}", dy, index, back)
        call(library, f"avg_pool_forward{i}", smooth, mean)
        call(library, f"avg_pool_backward{i}", dy, spread)
        np.testing.assert_array_equal(y, last[0])
        np.testing.assert_array_equal(index, last[1])
        near(back, last[2])
        near(mean, last[4])
        near(spread, last[5])
        made = [y, index, back, mean, spread]
        first = first or made
        for a, b in zip(made, first, strict=True):
            same(a, b, name)


class Fenced:
    """Memory for arrays that end, or start, at a page that may not be touched."""

    def __init__(self, *, at_end: bool) -> None:
        self.at_end = at_end
        self.kept: list[mmap.mmap] = []

    def array(self, like: Array) -> Array:
        """A copy of an array, shared with forked processes."""
        page = mmap.PAGESIZE
        size = -(-like.nbytes // page) * page
        memory = mmap.mmap(-1, size + 2 * page)
        self.kept.append(memory)
        start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        protect = ctypes.CDLL(None).mprotect
        for fence in (start, start + page + size):
            assert protect(ctypes.c_void_p(fence), ctypes.c_size_t(page), 0) == 0
        offset = page + (size - like.nbytes if self.at_end else 0)
        found = np.frombuffer(memory, like.dtype, like.size, offset).reshape(like.shape)
        found[...] = like
        return found


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("at_end", [True, False])
def test_in_bounds(at_end: bool, libraries: Mapping[str, ctypes.CDLL]) -> None:
    """No kernel touches the page before or after any of its arrays."""
    fenced = Fenced(at_end=at_end)
    put = fenced.array
    calls: list[tuple[str, tuple[Array, ...]]] = []
    for i, p in enumerate(PRODUCTS):
        a = put(some(1, *((p.k, p.m + p.gap) if p.turned else (p.m, p.k + p.gap))))
        b, bias, c = (
            put(some(2, p.k, p.n + p.gap)),
            put(some(3, p.n)),
            put(some(4, p.m, p.n + p.gap)),
        )
        if p.gap and at_end:  # the last row's gap is outside, too
            a, b, c = (t.reshape(-1)[p.gap :] for t in (a, b, c))
        turned = put(canaries(p.n * (p.m + p.gap) - p.gap))
        calls += [(f"{kind}{i}", (a, b, bias, c)) for kind in ("product", "product_rows")]
        calls += [(f"transpose{i}", (c, turned)), (f"column_sums{i}", (c, bias))]
        if i in DOUBLE:
            doubles = tuple(put(t.astype(np.float64)) for t in (a, b, bias, c))
            calls.append((f"product_double{i}", doubles))
    library = next(library for _, library in kernels(libraries))
    for i, s in enumerate(CONVS):
        x, w, y = put(some(1, *s.x_shape)), put(some(2, *s.w_shape)), put(some(3, *s.y_shape))
        bias = put(some(4, s.co))
        if s.gap and at_end:
            x, w, y = (t.reshape(-1)[s.gap :] for t in (x, w, y))
        sizes = scratch_sizes(library, i)
        scratch, scratch_input = (put(canaries(size)) for size in sizes)
        calls += [
            (f"conv_forward{i}", (x, w, bias, y, scratch)),
            (f"conv_grad_weight{i}", (x, y, w, bias, scratch)),
            (f"conv_grad_bias{i}", (y, bias)),
            (f"conv_grad_input{i}", (y, w, x, scratch_input)),
        ]
    for i, q in enumerate(POOLS):
        x, y = put(some(1, q.b, q.ih, q.iw, q.c)), put(some(2, q.b, *q.out, q.c))
        index = put(np.zeros(y.shape, np.int64))
        calls += [
            (f"max_pool_forward{i}", (x, y, index)),
            (f"max_pool_backward{i}", (y, index, x)),
            (f"avg_pool_forward{i}", (x, y)),
            (f"avg_pool_backward{i}", (y, x)),
        ]
    for build, library in kernels(libraries):
        at = put(np.zeros(1, np.int64))  # how far it came
        child = os.fork()
        if not child:
            for number, (name, arrays) in enumerate(calls):
                at[0] = number
                call(library, name, *arrays)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert status == 0, (build, calls[int(at[0])][0])
