"""How the best learning rate follows the batch size: lr ∝ batch^α, with an interval.

Rules of thumb: α = 1 (Goyal et al., Accurate, large minibatch SGD, 1706.02677, for SGD), α = ½
(Malladi et al., On the SDEs and scaling rules for adaptive gradient algorithms, 2205.10287, for
Adam and RMSprop; Krizhevsky, One weird trick, 1404.5997). With Adam the best rate may also rise and
then fall (Li et al., Surge phenomenon in optimal learning rate and batch size scaling, 2405.14578),
so a quadratic term is fitted, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trainscape.statistics.draws import interval, resampled
from trainscape.statistics.peaks import peaks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Whole = NDArray[np.int64]

JITTER = 0.75  # of half a step: how far a vertex may be off, basins being no parabolas
UNTURNED = 1.0  # of half a step, where there is no parabola
ENOUGH = 3  # best rates off the ends of the axis that a line needs to be told on both sides


@dataclass(frozen=True)
class Term:
    """A coefficient: its estimate, and the range of each resample; an unknown end is infinite.

    Args:
        value: the estimate; None where neither end is known.
        lows: lower ends, (RESAMPLES,), never NaN: with one seed every resample is that seed, and
            the moves of the vertices alone differ.
        highs: upper ends, equal to the lower ones where all is known.
    """

    value: float | None
    lows: Floats
    highs: Floats

    @property
    def interval(self) -> tuple[float, float]:
        """The 95% interval, with −∞ or ∞ for an end that the study does not bound."""
        return interval(self.lows, self.highs)


@dataclass(frozen=True)
class Exponent:
    """α of some cells.

    Args:
        alpha: the slope of log best rate over log batch.
        bend: the change of this slope with every doubling of the batch; None for two batch sizes.
        sizes: batch sizes with a best rate.
        bests: those best rates.
        sides: −1 where the best rate is the lowest of its axis, 1 where the highest, else 0.
    """

    alpha: Term
    bend: Term | None
    sizes: list[float]
    bests: list[float]
    sides: list[int]


def exponent(
    losses: ArrayLike, sizes: Sequence[float], rates: Sequence[float], draw: np.random.Generator
) -> Exponent | None:
    """α with what resamples give, or None where fewer than two batch sizes have a best rate.

    In a resample the seeds of each batch size are drawn again, and every best rate is moved at
    random by up to three quarters of half a step (a whole half step where there is no parabola),
    since a vertex is off by as much where the basin is no parabola: a bootstrap alone covers the
    true α in about half of all studies. At an end of the axis the move goes inwards alone,
    because a best cell there may stand for a place up to half a step inside.

    A best rate at an end of its axis is only known to lie there or beyond. It pulls at the line if
    the line falls short of it, and not if the line lies beyond (least squares with inequalities).
    With fewer than three best rates off the ends, the ends are instead moved as far as they may
    lie: α is then bounded on one side or on none.

    Args:
        losses: (S, B, R), on a scale where noise is even, such as the logarithm; NaN for a diverged
            trial, whose cell then cannot be best.
        sizes: the batch sizes, (B,).
        rates: rising rates, (R,).
        draw: random numbers.
    """
    every = np.asarray(losses, dtype=np.float64)
    every = np.where(np.isfinite(every).all(0), every, np.inf)
    kept = np.isfinite(every[0]).any(-1)
    if kept.sum() < 2 or len(rates) < 2:
        return None
    every, batch = every[:, kept], np.asarray(sizes, dtype=np.float64)[kept]
    axis, x = np.log(np.asarray(rates, dtype=np.float64)), np.log2(batch)
    found = peaks(every.mean(0), axis)
    again = peaks(resampled(every, draw), axis)
    reach = np.where(again.turned, JITTER, UNTURNED) * again.half
    toss = draw.uniform(-1, 1, reach.shape)
    toss = np.where(again.side == 0, toss, -again.side * np.abs(toss))  # from an end only inwards
    moved = again.place + reach * toss
    middle = found.place - found.side * found.half / 2  # an end stands for half a step inwards
    terms = []
    for degree in (1, 2):
        if len(x) > degree:
            lows, highs = _coefficients(x, moved, again.side, degree)
            low, high = _coefficients(x, middle[None], found.side[None], degree)
            terms.append(Term(_value(low, high, x, middle, degree), lows, highs))
    return Exponent(
        terms[0],
        terms[1] if len(terms) > 1 else None,
        batch.tolist(),
        np.exp(found.place).tolist(),
        found.side.tolist(),
    )


def mean(terms: Sequence[Term]) -> Term:
    """The mean of coefficients whose resamples belong together.

    One bounded below and one above bound no mean: it has no value then, as a term has none.
    """
    known = [term.value for term in terms if term.value is not None]
    lows = np.mean([term.lows for term in terms], axis=0)
    highs = np.mean([term.highs for term in terms], axis=0)
    bounded = bool(np.isfinite(interval(lows, highs)).any())
    return Term(
        float(np.mean(known)) if bounded and len(known) == len(terms) else None, lows, highs
    )


def _value(low: Floats, high: Floats, x: Floats, y: Floats, degree: int) -> float | None:
    if np.isinf(low[0]) and np.isinf(high[0]):
        return None
    if low[0] == high[0]:
        return float(low[0])
    return float(_scaled(_solve(x, y[None], np.ones((1, len(x)), bool), degree), degree)[0])


def _coefficients(x: Floats, y: Floats, side: Whole, degree: int) -> tuple[Floats, Floats]:
    """The leading coefficients of curves of a degree through y (N, B): lower and upper ends.

    Args:
        x: log₂ batch, (B,).
        y: log best rates.
        side: of each, (N, B).
        degree: 1 or 2.
    """
    ended = (side != 0).any(1)
    enough = (side == 0).sum(1) >= ENOUGH
    values = _scaled(_within(x, y, side, degree, enough), degree)
    lows, highs = values.copy(), values.copy()
    loose = ended & ~enough
    if loose.any():
        weight = _leading(x, degree)[None] * side[loose]
        lows[loose] = np.where((weight < -1e-12).any(1), -np.inf, lows[loose])
        highs[loose] = np.where((weight > 1e-12).any(1), np.inf, highs[loose])
    return lows, highs


def _within(x: Floats, y: Floats, side: Whole, degree: int, enough: NDArray[np.bool_]) -> Floats:
    """Least squares (N, degree + 1); an ended point counts only if the curve falls short of it."""
    counts = np.ones_like(y, dtype=bool)
    found = _solve(x, y, counts, degree)
    for _ in range(2 * y.shape[1]):
        line = found @ _powers(x, degree).T
        now = (side == 0) | (side * (line - y) < 0) | ~enough[:, None]
        if (now == counts).all():
            break
        counts = now
        found = _solve(x, y, counts, degree)
    return found


def _solve(x: Floats, y: Floats, counts: NDArray[np.bool_], degree: int) -> Floats:
    powers = _powers(x, degree)
    square = np.einsum("nb,bi,bj->nij", counts, powers, powers)
    right = np.einsum("nb,bi,nb->ni", counts, powers, y)
    return np.asarray(np.linalg.solve(square, right[..., None])[..., 0])


def _powers(x: Floats, degree: int) -> Floats:
    return np.vander(x - x.mean(), degree + 1)


def _leading(x: Floats, degree: int) -> Floats:
    """What each y weighs in the leading coefficient, (B,)."""
    return np.asarray(np.linalg.pinv(_powers(x, degree))[0])


def _scaled(found: Floats, degree: int) -> Floats:
    """α, or the change of α with a doubling: rates are in natural logarithms, batches in log₂."""
    return np.asarray(found[:, 0] * (degree / np.log(2.0)))
