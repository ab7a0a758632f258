"""How much a cell's value varies from seed to seed, with five seeds to tell it by.

Each cell alone gives a variance that is off by a factor of three as often as not, and four equal
values in a row give none at all. Together the cells tell how variances are spread, and each cell's
is drawn towards that: Smyth's moderation (Linear models and empirical Bayes methods for assessing
differential expression, 2004, sections 4 and 6.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import digamma, polygamma

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trainscape.statistics.scores import Scale

    Floats = NDArray[np.float64]

SMALLEST = 1e-5  # of the median variance: below it a variance counts as that much


@dataclass(frozen=True)
class Moderated:
    """Variances of cells, drawn towards what all of them have in common.

    Args:
        variance: of one trial of each cell, (C,).
        freedom: degrees of freedom of each of these.
        prior: that of the common variance, d₀; infinite where all cells vary alike.
        common: the common variance, s₀².
    """

    variance: Floats
    freedom: float
    prior: float
    common: float


def residuals(values: Floats) -> Floats:
    """What is left of values (C, S) when each cell's mean and each seed's effect are taken off.

    Under one seed all cells meet the same weights and data, so that part of the noise is common to
    all. A seed's effect is the median over the cells, which a few unstable ones cannot move.
    """
    left = values - values.mean(1, keepdims=True)
    if len(values) > 2:
        effects = np.median(left, axis=0)
        left = left - (effects - effects.mean())
    return np.asarray(left)


def variances(values: Floats) -> tuple[Floats, int]:
    """The variance over seeds of each cell of values (C, S), the seeds' effects taken off; S − 1.

    Raises:
        ValueError: there is one seed.
    """
    cells, seeds = values.shape
    if seeds < 2:
        raise ValueError("the variance over seeds needs two")
    lost = 1 - 1 / cells if cells > 2 else 1.0  # a seed's effect is estimated from the cells, too
    return (residuals(values) ** 2).sum(1) / ((seeds - 1) * lost), seeds - 1


def around_means(values: Floats, scale: Scale, effects: bool = True) -> tuple[Floats, int]:
    """The variance of one trial around its cell's mean metric, told on the scale; S − 1.

    The mean of log odds is not the log odds of the mean: for a cell that is unstable over seeds
    the two are points apart, and it is the mean metric that a user gets. So deviations are taken in
    the metric's own unit and carried to the scale by its slope at the cell's mean (delta method).

    A share moves by whole examples, and a few equal counts do not show that all others would be
    equal: each sum of squares counts one more seed that was half an example off.

    Args:
        values: raw metric of cells and seeds, (C, S), none missing.
        scale: the metric's.
        effects: take the seeds' effects off: for what compares cells of the same seeds. One cell's
            mean over fresh seeds varies with them, too.

    Raises:
        ValueError: there is one seed.
    """
    found, freedom = variances(values)
    if not effects:
        found = values.var(1, ddof=1)
    least = (scale.step / 2) ** 2 / freedom
    return (found + least) * scale.slope(values.mean(1)) ** 2, freedom


def moderate(variance: Floats, freedom: float) -> Moderated:
    """Draw variances (C,) towards the pool: s̃² = (d₀s₀² + d·s²)/(d₀ + d).

    d₀ and s₀² are fitted by the mean and the variance of log s² over the cells.

    Args:
        variance: of each cell, at least zero.
        freedom: degrees of freedom of each, d.
    """
    middle = float(np.median(variance))
    if not middle > 0:
        middle = float(variance.mean())
    if not middle > 0:  # nothing varies
        return Moderated(np.zeros_like(variance), freedom, 0.0, 0.0)
    logs = np.log(np.maximum(variance, SMALLEST * middle))
    spread = logs - digamma(freedom / 2) + np.log(freedom / 2)
    excess = -float(polygamma(1, freedom / 2))
    if len(variance) > 1:
        excess += float(spread.var(ddof=1))
    if excess > 0 and len(variance) > 1:
        prior = 2 * trigamma_inverse(excess)
        common = float(np.exp(spread.mean() + digamma(prior / 2) - np.log(prior / 2)))
        drawn = (prior * common + freedom * variance) / (prior + freedom)
        return Moderated(drawn, prior + freedom, prior, common)
    common = float(variance.mean())  # no cell varies otherwise than the rest
    total = freedom * len(variance)
    return Moderated(np.full_like(variance, common), total, np.inf, common)


def trigamma_inverse(value: float) -> float:
    """The x > 0 with ψ′(x) = value > 0, by Newton's method on 1/ψ′ (Smyth 2004, appendix)."""
    x = 0.5 + 1 / value
    for _ in range(50):
        now = float(polygamma(1, x))
        step = now * (1 - now / value) / float(polygamma(2, x))
        x += step
        if abs(step) < 1e-10 * x:
            break
    return x
