"""The C kernels of products and of transposes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from kit.c_kernels import (
    BIAS,
    OUTPUT,
    ZERO,
    Array,
    Libraries,
    built,
    call,
    canaries,
    near,
    same,
    some,
)
from kit.fenced import Fenced
from kit.fenced import fenced as fenced

# What the kernels must equal, bit for bit: one chain a number, in the written order.
PLAIN_PRODUCT = """
void NAME(const long *s, const NUMBER *a, const NUMBER *b, const NUMBER *bias, NUMBER *c) {
    long M = s[0], N = s[1], K = s[2], am = s[3], ak = s[4], bk = s[5], from = s[6], cm = s[7];
    FOR(m, M) FOR(n, N) {
        NUMBER t = from == 0 ? 0 : from == 1 ? bias[n] : c[m * cm + n];
        FOR(k, K) t = FMA(a[m * am + k * ak], b[k * bk + n], t);
        c[m * cm + n] = t;
    }
}
"""
KINDS = (("product", "float", "fmaf"), ("product_double", "double", "fma"))


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

    @property
    def a_shape(self) -> tuple[int, int]:
        """The stored shape of a."""
        return (self.k, self.m + self.gap) if self.turned else (self.m, self.k + self.gap)

    @property
    def b_shape(self) -> tuple[int, int]:
        """The stored shape of b."""
        return self.k, self.n + self.gap

    @property
    def c_shape(self) -> tuple[int, int]:
        """The stored shape of c."""
        return self.m, self.n + self.gap


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

each_product = pytest.mark.parametrize("i", range(len(PRODUCTS)), ids=map(str, PRODUCTS))


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Libraries:
    """One C function for each kernel and shape, all sizes constant; and the plain loops."""
    lines = []
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
    plain = [
        PLAIN_PRODUCT.replace("NAME", name).replace("NUMBER", number).replace("FMA", fma)
        for name, number, fma in KINDS
    ]
    return built(tmp_path_factory.mktemp("products"), lines, "".join(plain))


@each_product
def test_product(i: int, libraries: Libraries) -> None:
    """Products by floats and doubles, whole and by rows, with gaps and by columns."""
    p = PRODUCTS[i]
    *steps, cm = p.strides
    shape = np.array([p.m, p.n, p.k, *steps, p.start, cm], np.int64)
    for kind, number in (("product", np.float32), ("product_double", np.float64)):
        if number is np.float64 and i not in DOUBLE:
            continue
        a, b, bias, c = (
            some(seed, *sizes).astype(number)
            for seed, sizes in enumerate((p.a_shape, p.b_shape, (p.n,), p.c_shape), 1)
        )
        expected = c.copy()
        call(libraries.plain, kind, shape, a, b, bias, expected)
        left = a[:, : p.m].T if p.turned else a[:, : p.k]
        start: Array = {ZERO: np.zeros(p.n), BIAS: bias, OUTPUT: c[:, : p.n]}[p.start]
        product = left.astype(np.float64) @ b[:, : p.n].astype(np.float64) + start
        near(expected[:, : p.n], product)
        for name, library in libraries.made.items():
            for function in (kind, "product_rows") if number is np.float32 else (kind,):
                found = c.copy()
                call(library, f"{function}{i}", a, b, bias, found)
                same(found, expected, (name, function))


@each_product
def test_transpose(i: int, libraries: Libraries) -> None:
    """Copies with the other axis as unit stride."""
    p = PRODUCTS[i]
    x = some(1, *p.c_shape)
    for name, library in libraries.made.items():
        turned = canaries(p.n, p.m + p.gap)
        expected = turned.copy()
        expected[:, : p.m] = x[:, : p.n].T
        call(library, f"transpose{i}", x, turned)
        same(turned, expected, name)


def test_a_number_outside_is_seen(libraries: Libraries) -> None:
    """The fence holds: what has room for one number less than is written ends the process."""
    at, p = next((i, p) for i, p in enumerate(PRODUCTS) if p.n * p.m > 1)
    fence = Fenced(at_end=True)
    x, turned = fence.put(some(1, *p.c_shape)), fence.put(canaries(p.n * p.m - 1))
    with pytest.raises(AssertionError, match=f"transpose{at}"):
        fence.stay_inside(libraries, [(f"transpose{at}", (x, turned))])


def test_products_in_bounds(fenced: Fenced, libraries: Libraries) -> None:
    """No kernel touches the page before or after any of its arrays."""
    put = fenced.put
    calls: list[tuple[str, tuple[Array, ...]]] = []
    for i, p in enumerate(PRODUCTS):
        a, b, c = (
            put(some(seed, *shape), p.gap)
            for seed, shape in enumerate((p.a_shape, p.b_shape, p.c_shape), 1)
        )
        bias = put(some(4, p.n))
        turned = put(canaries(p.n * (p.m + p.gap) - p.gap))
        calls += [(f"{kind}{i}", (a, b, bias, c)) for kind in ("product", "product_rows")]
        calls.append((f"transpose{i}", (c, turned)))
        if i in DOUBLE:
            doubles = tuple(put(t.astype(np.float64)) for t in (a, b, bias, c))
            calls.append((f"product_double{i}", doubles))
    fenced.stay_inside(libraries, calls)
