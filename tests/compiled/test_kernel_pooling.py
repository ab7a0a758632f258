"""The C kernels of pooling, forwards and backwards."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch.nn import functional

from kit.c_kernels import (
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
)
from kit.fenced import fenced as fenced

if TYPE_CHECKING:
    from kit.fenced import Fenced


@dataclass(frozen=True)
class Pool(Window):
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
    def x_shape(self) -> tuple[int, ...]:
        """The shape of images."""
        return self.b, self.ih, self.iw, self.c

    @property
    def y_shape(self) -> tuple[int, ...]:
        """The shape of outputs."""
        return self.b, *self.out, self.c

    @property
    def numbers(self) -> list[int]:
        """All of `struct pool`, in its order."""
        sizes = [getattr(self, field.name) for field in fields(self)]
        return [*sizes, *strides(self.x_shape), *strides(self.y_shape)]


POOLS = (
    Pool(3, 8, 8, 16),
    Pool(2, 7, 9, 5, kh=3, kw=3, ph=1, pw=1),
    Pool(2, 6, 7, 70, kh=3, kw=2, sh=1, sw=2, ph=1),
    Pool(1, 5, 5, 1, kh=5, kw=5, sh=1, sw=1, ph=2, pw=2),
)


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Libraries:
    """One C function for each kernel and shape, all sizes constant."""
    lines = []
    for i, q in enumerate(POOLS):
        lines += [
            f"static const struct pool pool{i} = {initialiser(q.numbers)};",
            f"void max_pool_forward{i}(const float *x, float *y, int64_t *index) {{"
            f" max_pool_forward(pool{i}, x, y, index); }}",
            f"void max_pool_backward{i}(const float *dy, const int64_t *index, float *dx) {{"
            f" max_pool_backward(pool{i}, dy, index, dx); }}",
            f"void avg_pool_forward{i}(const float *x, float *y) {{"
            f" avg_pool_forward(pool{i}, x, y); }}",
            f"void avg_pool_backward{i}(const float *dy, float *dx) {{"
            f" avg_pool_backward(pool{i}, dy, dx); }}",
        ]
    return built(tmp_path_factory.mktemp("pooling"), lines)


@pytest.mark.parametrize("i", range(len(POOLS)), ids=map(str, POOLS))
def test_pooling(i: int, libraries: Libraries) -> None:
    """Greatest numbers with ties and NaN, means, and the gradients of both."""
    q = POOLS[i]
    x = np.round(some(1, *q.x_shape) * 2) / 2  # ties
    x[some(2, *x.shape) > 1.5] = np.nan
    x[some(5, *x.shape) > 1.5] = -np.inf
    dy = some(3, *q.y_shape)
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
    for name, library in libraries.made.items():
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


def test_pooling_in_bounds(fenced: Fenced, libraries: Libraries) -> None:
    """No kernel touches the page before or after any of its arrays."""
    put = fenced.put
    calls: list[tuple[str, tuple[Array, ...]]] = []
    for i, q in enumerate(POOLS):
        x, y = put(some(1, *q.x_shape)), put(some(2, *q.y_shape))
        index = put(np.zeros(y.shape, np.int64))
        calls += [
            (f"max_pool_forward{i}", (x, y, index)),
            (f"max_pool_backward{i}", (y, index, x)),
            (f"avg_pool_forward{i}", (x, y)),
            (f"avg_pool_backward{i}", (y, x)),
        ]
    fenced.stay_inside(libraries, calls)
