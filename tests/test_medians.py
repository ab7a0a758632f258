"""The interval of a median by order statistics, and that of a product."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import bdtr

from trainscape.statistics.medians import around_median, coverage, product, rank


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.987, 0.99])
def test_ranks_are_those_of_the_binomial(level: float) -> None:
    """The rank is the highest at which both tails together are small enough, up to many values."""
    for count in (*range(60), 1500):
        tail = (1 - level) / 2
        expected = sum(1 for k in range(count // 2) if bdtr(k, count, 0.5) <= tail)
        assert rank(count, level) == expected


def test_coverage_of_five_values() -> None:
    """The least and the most of five miss the median in 1 of 16 cases; no rank holds it never."""
    assert (coverage(5, 1), coverage(5, 0)) == (0.9375, 0.0)
    assert around_median([3.0, 1.0, 2.0, 5.0, 4.0], 0.95) is None
    assert around_median([3.0, 1.0, 2.0, 5.0, 4.0], 0.93) == (1.0, 5.0)
    assert around_median([*[1.0] * 5, math.inf, math.inf], 0.95) == (1.0, math.inf)


def test_a_median_is_held_whatever_the_distribution() -> None:
    """Of skewed values with outliers, and of whole numbers that are often equal."""
    draws = np.random.default_rng(0)
    skewed = np.exp(draws.standard_t(2, (4000, 20)))
    whole = draws.poisson(3, (4000, 20)).astype(float)
    for values, middle in ((skewed, 1.0), (whole, 3.0)):
        ends = [around_median(row.tolist(), 0.95) for row in values]
        held = np.mean([end is not None and end[0] <= middle <= end[1] for end in ends])
        assert held > 0.945


def test_a_product_is_held_as_often_as_its_parts() -> None:
    """Two medians with intervals of 95% each: their product's holds in about 95%, not in 90%."""
    draws = np.random.default_rng(1)
    held = []
    for first, second in np.exp(draws.normal(0, 0.3, (3000, 2, 20))):
        ends = [around_median(part.tolist(), 0.95) for part in (first, second)]
        assert ends[0] and ends[1]
        low, high = product(float(np.median(first)), float(np.median(second)), ends[0], ends[1])
        held.append(low <= 1.0 <= high)
    assert 0.94 < np.mean(held) < 0.985


def test_product_by_hand() -> None:
    """Where one part is known exactly the other's interval remains; an open end stays open."""
    assert product(10.0, 2.0, (10.0, 10.0), (1.0, 8.0)) == pytest.approx((10.0, 80.0))
    low, high = product(10.0, 2.0, (5.0, math.inf), (2.0, 2.0))
    assert low == pytest.approx(10.0) and high == math.inf
