"""Selects of floats by whole numbers and by truths, at full optimisation for AVX2.

gcc 12 mixes up the lanes of ``place == here ? x : 0`` where places are whole numbers that were made
narrower and 12 or 16 of them lie side by side, as in the gradient of a greatest number of a window.
`kept_if` in `kernels.h` keeps or drops a float by its bits.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from kit.c_kernels import Libraries, built, call, levels, same, some
from kit.programs import agree, case, numbers, places, slopes
from kit.programs import one_thread as one_thread  # autouse, once it is here

WIDTHS = (8, 12, 16, 17)
WINDOWS, PLACES = 9, 4


def selects(width: int) -> str:
    """Of each window's numbers, to which of its places each of them goes: two functions of C."""
    each, to = f"for (int c = 0; c < {width}; c++)", f"y[(i * {PLACES} + q) * {width} + c]"
    loop = f"for (int i = 0; i < {WINDOWS}; i++)"
    inner = f"UNROLL for (int q = 0; q < {PLACES}; q++)"
    return f"""
void by_numbers{width}(const int64_t *restrict index, const float *restrict x, float *restrict y) {{
    {loop} {{
        int32_t place[{width}];
        {each} place[c] = (int32_t)index[i * {width} + c];
        {inner} {{
            const int32_t here = i * {PLACES} + q;
            {each} {to} += kept_if(place[c] == here, x[i * {width} + c]);
        }}
    }}
}}
void by_truths{width}(const uint8_t *restrict mask, const float *restrict x, float *restrict y) {{
    {loop} {{
        {inner} {each} {to} += kept_if(mask[(i * {PLACES} + q) * {width} + c], x[i * {width} + c]);
    }}
}}"""


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Libraries:
    """Both functions at every width, as loops around the pooling kernels have them."""
    return built(tmp_path_factory.mktemp("selects"), [selects(width) for width in WIDTHS])


@pytest.mark.parametrize("width", WIDTHS)
def test_a_float_is_kept_in_its_own_lane(width: int, libraries: Libraries) -> None:
    """Each number goes to the one place that is named for it, and zeros to all others."""
    x = some(1, WINDOWS, width)
    place = np.random.default_rng(2).integers(0, PLACES, x.shape)
    index = place + PLACES * np.arange(WINDOWS)[:, None]
    mask = place[:, None] == np.arange(PLACES)[:, None]
    expected = np.where(mask, x[:, None], np.float32(0))
    for name, library in libraries.made.items():
        for function, by in (("by_numbers", index), ("by_truths", mask.astype(np.uint8))):
            found = np.zeros_like(expected)
            call(library, f"{function}{width}", by, x, found)
            same(found, expected, (name, function))


@pytest.mark.skipif("v3" not in levels(), reason="this processor has no AVX2")
def test_selects_in_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """What torch selects is what a program does, bit for bit."""
    monkeypatch.setenv("TRAINSCAPE_MARCH", "x86-64-v3")
    monkeypatch.setenv("TRAINSCAPE_CFLAGS", "-O3")

    def by_numbers(k: Tensor, here: Tensor, x: Tensor, y: Tensor) -> list[Tensor]:
        zero = torch.zeros(())
        return [
            torch.where(k == here, x, y),
            torch.where(k == here, x, zero) + y,
            torch.where(k.int() == here, x, zero),
            torch.where(k > 1, x, zero),
        ]

    def by_truths(mask: Tensor, x: Tensor, y: Tensor) -> list[Tensor]:
        return [torch.where(mask, x, y), x.masked_fill(mask, 0), y + x * mask]

    pooled = partial(functional.max_pool2d, kernel_size=2)
    cases = []
    for width in (8, 16, 17):
        x, y = (WINDOWS, 1, width), (WINDOWS, PLACES, width)
        for kind in (torch.int64, torch.int32, torch.uint8):
            k, here = places(PLACES, *x).to(kind), places(PLACES, WINDOWS, PLACES, 1).to(kind)
            cases.append(case(f"{kind}s, {width}", by_numbers, k, here, numbers(*x), numbers(*y)))
        mask = numbers(*y) > 0
        cases += [
            case(f"truths, {width}", by_truths, mask, numbers(*x), numbers(*y)),
            slopes(f"pool, {width}", pooled, numbers(2, width, 8, 8)),
        ]
    agree(*cases, rtol=0)
