"""Optimizer against optimizer: differences over the same seeds, all intervals right at once."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trainscape.statistics.scores import Scale

    Floats = NDArray[np.float64]

Verdict = Literal["better", "worse", "equal", "undecided"]

DRAWS = 20_000  # simulated studies behind a quantile: its standard error is about 0.02
AT_ONCE = 2_000
ENOUGH = 10  # seeds from which drawing among them says something
SMALLEST = 0.1  # of a pair's standard error: that of a resample is no smaller
DIGITS = 3  # decimals of the quantile: other machines' last bits do not change it


@dataclass(frozen=True)
class Versus:
    """One of two compared with the other.

    Args:
        first: its row.
        second: the row that it is compared with.
        difference: how much better the first is in the mean, in the metric's unit: above zero is
            better, whether more or less of the metric is.
        low: low end of the interval that holds together with all others; NaN with one seed.
        high: high end.
        verdict: ``equal`` where the interval lies within the margin, else ``better`` or ``worse``
            where it leaves out zero, else ``undecided``.
    """

    first: int
    second: int
    difference: float
    low: float
    high: float
    verdict: Verdict


def versus(
    values: Floats,
    scale: Scale,
    margin: float,
    reference: int | None = None,
    level: float = 0.95,
    draws: int = DRAWS,
) -> list[Versus]:
    """Compare rows pair by pair, with simultaneous intervals of their mean differences.

    Each pair's differences over seeds give a t statistic; the quantile is that of the greatest of
    their absolute values. It is simulated for normal rows with the covariance that was seen (the
    single-step max-|t| of Hothorn, Bretz and Westfall, Simultaneous inference in general parametric
    models, Biom. J. 2008; the variance is each pair's own, since rows vary unlike). With ten seeds
    or more it is also simulated by drawing from these seeds (Romano and Wolf, Exact and approximate
    stepdown methods for multiple hypothesis testing, JASA 2005), and the larger one counts: cells
    that fail now and then are not normal. At twice the default grid's noise the normal one alone
    covers 92%, both 95%. The rows must not be chosen by these values: by another metric, or
    before the seeds were drawn.

    Args:
        values: raw metric of each optimizer's cell and seed, (K, S), the same seeds in all rows;
            rows with NaN are left out.
        scale: the metric's.
        margin: what makes no difference in practice, in the metric's unit.
        reference: the row that all others are compared with; without it, all pairs are.
        level: probability that all intervals hold.
        draws: simulated studies.

    Returns:
        All pairs, in the order of rows; with a reference (row, reference).
    """
    rows = [int(i) for i in np.flatnonzero(np.isfinite(values).all(1))]
    if reference is None:
        pairs = list(combinations(rows, 2))
    else:
        pairs = [(i, reference) for i in rows if i != reference and reference in rows]
    if not pairs:
        return []
    first, second = np.array(pairs).T
    mean = scale.sign * (values[first].mean(1) - values[second].mean(1))
    seeds = values.shape[1]
    if seeds < 2:
        return [
            Versus(i, j, float(m), np.nan, np.nan, "undecided")
            for (i, j), m in zip(pairs, mean, strict=True)
        ]
    place = {row: k for k, row in enumerate(rows)}
    a, b = np.array([[place[i], place[j]] for i, j in pairs]).T
    covariance = np.atleast_2d(np.cov(values[rows]))
    # a few equal counts of examples do not show that all others would be equal
    covariance = covariance + np.eye(len(rows)) * (scale.step / 2) ** 2 / (seeds - 1)
    error = np.sqrt(_of_pairs(covariance[None], a, b)[0] / seeds)
    quantile = max_t(covariance, a, b, seeds, level, draws)
    if seeds >= ENOUGH:
        apart = values[first] - values[second]
        least = 2 * (scale.step / 2) ** 2 / (seeds - 1)
        quantile = max(quantile, resampled_max_t(apart, error, least, level, draws))
    reach = quantile * error
    return [
        Versus(i, j, float(m), float(m - r), float(m + r), _verdict(m - r, m + r, margin))
        for (i, j), m, r in zip(pairs, mean, reach, strict=True)
    ]


def max_t(
    covariance: Floats,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    seeds: int,
    level: float,
    draws: int = DRAWS,
) -> float:
    """The quantile of the greatest |t| over pairs of rows; 0 where no pair varies.

    Args:
        covariance: of the rows, (K, K).
        first: one row of each pair, (P,).
        second: the other, (P,).
        seeds: how many, S.
        level: probability below the quantile.
        draws: simulated studies. The numbers are PCG64's, named by rows, seeds and pairs, so that
            the same question has the same answer everywhere.
    """
    varies = _of_pairs(covariance[None], first, second)[0] > 0
    if not varies.any():
        return 0.0
    first, second = first[varies], second[varies]
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T  # symmetric: no sign to choose
    name = f"max-t {len(covariance)} {seeds} {len(first)}"
    draw = np.random.Generator(np.random.PCG64(list(name.encode())))
    found = []
    for start in range(0, draws, AT_ONCE):
        size = (min(AT_ONCE, draws - start), seeds, len(covariance))
        rows = draw.standard_normal(size) @ root
        mean = rows.mean(1)
        rows -= mean[:, None]
        spread = np.swapaxes(rows, 1, 2) @ rows / (seeds - 1)
        error = np.sqrt(_of_pairs(spread, first, second) / seeds)
        found.append((np.abs(mean[:, first] - mean[:, second]) / error).max(1))
    return round(float(np.quantile(np.concatenate(found), level)), DIGITS)


def resampled_max_t(
    apart: Floats, error: Floats, least: float, level: float, draws: int = DRAWS
) -> float:
    """The quantile of the greatest |t| over pairs when seeds are drawn again from those seen.

    Args:
        apart: differences of pairs, (P, S).
        error: the standard error of each pair's mean, (P,); pairs with 0 are left out.
        least: what is added to each pair's variance.
        level: probability below the quantile.
        draws: how often seeds are drawn.
    """
    apart, error = apart[error > 0], error[error > 0]
    if not len(apart):
        return 0.0
    seeds = apart.shape[1]
    middle = apart - apart.mean(1, keepdims=True)
    draw = np.random.Generator(np.random.PCG64(list(f"seeds {seeds}".encode())))
    found = []
    for start in range(0, draws, AT_ONCE):
        size = min(AT_ONCE, draws - start)
        # how often each seed was drawn: means and mean squares are matrix products with it
        often = draw.multinomial(seeds, np.full(seeds, 1 / seeds), size).T / seeds
        mean = middle @ often
        variance = (middle**2 @ often - mean**2) * seeds / (seeds - 1) + least
        spread = np.sqrt(np.maximum(variance, 0) / seeds)
        spread = np.maximum(spread, SMALLEST * error[:, None])  # the same value drawn S times
        found.append(np.abs(mean / spread).max(0))
    return round(float(np.quantile(np.concatenate(found), level)), DIGITS)


def _of_pairs(covariance: Floats, first: NDArray[np.int64], second: NDArray[np.int64]) -> Floats:
    """Variances of differences of rows: of covariances (N, K, K), for each pair, (N, P)."""
    own = np.diagonal(covariance, axis1=1, axis2=2)
    apart = own[:, first] + own[:, second] - 2 * covariance[:, first, second]
    return np.asarray(np.maximum(apart, 0.0))


def _verdict(low: float, high: float, margin: float) -> Verdict:
    """What an interval of a difference says."""
    if -margin <= low and high <= margin:
        return "equal"
    if low > 0:
        return "better"
    return "worse" if high < 0 else "undecided"
