"""Resamples of seeds, and percentiles of what they give."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

RESAMPLES = 2000
TAIL = 0.025  # outside a 95% interval on each side


def generator(*names: str) -> np.random.Generator:
    """Random numbers by name: the same in every run, those of different names independent."""
    return np.random.Generator(np.random.PCG64(list("/".join(names).encode())))


def resampled(values: Floats, draw: np.random.Generator, count: int = RESAMPLES) -> Floats:
    """Means over resampled seeds, for each batch size (or other group) on its own.

    Of S seeds S − 1 are drawn with replacement: means of so many vary with variance s²/S, s² being
    the unbiased variance over seeds, where means of S draws would vary with (S − 1)/S of it (Rao
    and Wu, Resampling inference with complex survey data, 1988, section 2.1). Groups are drawn
    apart, because what seeds have in common is small beside what they have not; so with five groups
    an interval rests on five times as many degrees of freedom as under common draws.

    Args:
        values: (S, G, …), G groups.
        draw: random numbers.
        count: of resamples.

    Returns:
        (count, G, …); with one seed its own values, count times.
    """
    seeds, groups = values.shape[:2]
    chosen = draw.integers(seeds, size=(count, max(seeds - 1, 1), groups))
    total = np.zeros((count, *values.shape[1:]))
    for place in range(chosen.shape[1]):
        total += values[chosen[:, place], np.arange(groups)]
    return np.asarray(total / chosen.shape[1])


def interval(lows: ArrayLike, highs: ArrayLike | None = None) -> tuple[float, float]:
    """The 95% percentile interval of resamples; a bound that is infinite stays so.

    Args:
        lows: one value of each resample, or where a resample gives a range, its lower end.
        highs: the upper ends, where there are any.
    """
    low = np.asarray(lows, dtype=np.float64)
    high = low if highs is None else np.asarray(highs, dtype=np.float64)
    return (
        float(np.quantile(low, TAIL, method="inverted_cdf")),
        float(np.quantile(high, 1 - TAIL, method="inverted_cdf")),
    )
