"""How far a mean metric may be from what other seeds, or other data, would give."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri, stdtrit

from trainscape.statistics.dunnett import greatest
from trainscape.statistics.variance import around_means, moderate

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from trainscape.statistics.scores import Scale

    Floats = NDArray[np.float64]
    Interval = tuple[float, float]

HALF = 0.5  # of an example that is wrong in every seed
UNKNOWN = (float("nan"), float("nan"))


def over_seeds(
    values: Floats, scale: Scale, level: float = 0.95, among: int = 1, below: int = 1
) -> tuple[Floats, Floats]:
    """Where the mean metric of each cell lies over all seeds: low and high ends, (C,) each.

    Student's t around the mean metric on the scale, with the moderated variance of its linear part
    (Smyth 2004), turned back to the metric's unit. The cells are those that were trained on these
    seeds; together they tell how variances are spread. In simulated studies a mean of log odds
    turned back covers 88% at twice the default grid's noise, since it is not the log odds of the
    mean; this one 95%.

    A cell that was chosen by these very values is the best of several partly by luck. With
    ``among`` the end towards worse is as far away as luck may have lifted the best of so many equal
    cells: the quantile of the greatest of them, which errs to that side alone. So the interval
    holds whichever of them is chosen; without it, it covers 90%. ``below`` is the same for a cell
    that is the worst of several: then the end towards better is further away.

    Args:
        values: the metric of each cell and seed, (C, S), NaN where a trial is missing.
        scale: the metric's.
        level: of the interval.
        among: from how many cells the one in question was chosen by these values; 1 for a cell that
            was named before, and for another metric than the one it was chosen by.
        below: from how many cells it was taken as the worst by these values.

    Returns:
        NaN for cells with a missing trial, and for all cells where there is one seed.
    """
    low, high = np.full(len(values), np.nan), np.full(len(values), np.nan)
    whole = np.isfinite(values).all(1)
    if values.shape[1] < 2 or not whole.any():
        return low, high
    found = moderate(*around_means(values[whole], scale, effects=False))
    middle = scale.up(values[whole].mean(1))
    error = np.sqrt(found.variance / values.shape[1])
    reach = t_quantile(level, found.freedom)
    lifted = max(reach, greatest(among, round(float(found.freedom), 2), level))
    lowered = max(reach, greatest(below, round(float(found.freedom), 2), level))
    worse, better = scale.down(middle - lifted * error), scale.down(middle + lowered * error)
    low[whole], high[whole] = np.minimum(worse, better), np.maximum(worse, better)
    return low, high


def wilson(share: float, examples: float, level: float = 0.95) -> Interval:
    """Wilson's score interval of a share of examples (JASA 1927): of 360 right in 99% of cases.

    Args:
        share: between 0 and 1.
        examples: how many, N; need not be whole.
        level: of the interval.
    """
    z = float(ndtri(0.5 + level / 2))
    middle = (share + z * z / (2 * examples)) / (1 + z * z / examples)
    inner = share * (1 - share) / examples + (z / (2 * examples)) ** 2
    reach = z * np.sqrt(inner) / (1 + z * z / examples)
    return max(0.0, float(middle - reach)), min(1.0, float(middle + reach))


def over_examples(outcomes: Floats, share: bool, level: float = 0.95) -> Interval:
    """Where a cell's mean metric would lie with other test examples of the same kind.

    Shares: Wilson's interval with the number of examples that would vary as much, N·p(1 − p)/s², s²
    the variance between examples (a design effect: Kish, Survey Sampling, 1965). Examples that
    every seed gets right or wrong count fully; where seeds disagree, their mean varies less than a
    coin. Half an example that every seed gets wrong is added to N·s², for the few hard ones that
    decide a share near 1 may all be missing. In simulated data that gives 93 to 98.5% at 98% and
    99% of 287 and 360 examples; without it, down to 78%. Other metrics: Student's t over examples.

    Args:
        outcomes: each test example's metric, its mean over seeds, (N,).
        share: whether the metric is a share of examples.
        level: of the interval.

    Returns:
        NaN where there are fewer than two examples, or one has no value.
    """
    count = len(outcomes)
    if count < 2 or not np.isfinite(outcomes).all():
        return UNKNOWN
    if not share:
        return student(outcomes, level)
    mean = float(outcomes.mean())
    squares = float(((outcomes - mean) ** 2).sum())
    alike = (count * mean * (1 - mean) + HALF) / (squares + HALF)
    return wilson(mean, count * max(alike, 1.0), level)


def student(values: ArrayLike, level: float = 0.95, together: int = 1) -> Interval:
    """Student's t interval of a mean.

    Args:
        values: independent, in one unit, (N,).
        level: of the interval; of several that are told together, that with which all hold.
        together: how many these are (Bonferroni).

    Returns:
        Low and high end, in the values' unit; NaN of fewer than two values.

    >>> [round(end, 2) for end in student([1.0, 2.0, 3.0])]  # 2 ± 4.303 / √3
    [-0.48, 4.48]
    """
    found = np.asarray(values, dtype=np.float64)
    count = len(found)
    if count < 2:
        return UNKNOWN
    mean = float(found.mean())
    squares = float(((found - mean) ** 2).sum())
    reach = t_quantile(1 - (1 - level) / together, count - 1)
    reach *= (squares / (count - 1) / count) ** 0.5
    return mean - reach, mean + reach


def difference_over_examples(
    first: Floats, second: Floats, share: bool, level: float = 0.95
) -> Interval:
    """Where the difference of two cells' mean metrics, first − second, lies with other examples.

    The examples are the same for both, so each gives one difference: Student's t over these. Of
    shares the sum of squares is at least that of half an example on which one cell alone is right:
    that a few hundred examples show no difference does not prove that there is none.

    Args:
        first: each test example's metric under one cell, its mean over seeds, (N,).
        second: under the other.
        share: whether the metric is a share of examples.
        level: of the interval.
    """
    apart = first - second
    count = len(apart)
    if count < 2 or not np.isfinite(apart).all():
        return UNKNOWN
    squares = max(float(((apart - apart.mean()) ** 2).sum()), HALF if share else 0.0)
    reach = t_quantile(level, count - 1) * (squares / (count - 1) / count) ** 0.5
    return float(apart.mean()) - reach, float(apart.mean()) + reach


def both(mean: float, *parts: Interval) -> Interval:
    """An interval for new seeds and new data at once: the distances to the ends add as squares.

    Variances of independent parts add; so do squared distances to the ends of intervals that are
    not symmetric (Zou and Donner, Construction of confidence limits about effect measures, Stat.
    Med. 2008, there called MOVER). The seeds' share is in the examples' means, too, which makes the
    sum a little too wide.
    """
    below = sum((mean - low) ** 2 for low, _ in parts) ** 0.5
    above = sum((high - mean) ** 2 for _, high in parts) ** 0.5
    return mean - below, mean + above


def t_quantile(level: float, freedom: float) -> float:
    """Student's two-sided quantile: so many standard errors reach to either end of an interval.

    Args:
        level: of the interval, 0 to 1.
        freedom: degrees of freedom, from 1; infinite for a normal distribution.
    """
    if not np.isfinite(freedom):
        return float(ndtri(0.5 + level / 2))
    return float(stdtrit(freedom, 0.5 + level / 2))
