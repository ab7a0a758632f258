"""Two versions of the same cells: what became better or worse, what stayed, what cannot be told.

A difference is taken on the metric's scale (:mod:`trainscape.statistics.scores`), where more is
better. Under the same seeds both versions meet the same weights and data, so trials are paired by
seed; under other seeds the versions are two samples (Welch). What varies from seed to seed is the
sum of an effect that all cells share and of each cell's own, whose variance is drawn towards the
pool (:mod:`trainscape.statistics.variance`).

A diff of pure noise is to call nothing better or worse in 95 of 100 diffs. So the errors are
shared out: 2% for the cells, 1% for the mean of all cells, 1% for the means of the axes' values;
the rest is for noise that is not as normal as the formulas have it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import stdtr, stdtrit

from trainscape.statistics.variance import moderate, residuals, variances

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from trainscape.statistics.scores import Scale

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

Verdict = Literal["better", "worse", "same", "undecided"]

CELLS, OVERALL, VALUES = 0.02, 0.01, 0.01  # of diffs of pure noise: those that say more than is so
CONFIDENCE = 0.95  # of the intervals of single cells
PAIRS = 0.5  # the correlation of the versions' noise from which on pairs tell more than two samples
EQUAL = 0.90  # of the interval that lies within the margin where two one-sided tests at 5% say so


@dataclass(frozen=True)
class Sample:
    """Estimates on the scale, one a cell or a pool: arrays of one shape.

    Args:
        shift: of the mean, from the version before to the one after; more is better.
        error: the standard error of the shift.
        freedom: its degrees of freedom.
    """

    shift: Floats
    error: Floats
    freedom: Floats

    @property
    def p(self) -> Floats:
        """Two-sided p-values of no shift; 1 where nothing is known or moved."""
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.abs(self.shift) / self.error
        found = 2 * stdtr(self.freedom, -t)
        return np.where(np.isnan(t) | np.isnan(found), 1.0, found)

    def interval(self, confidence: float | Floats) -> tuple[Floats, Floats]:
        """The two ends of the interval by Student's t; infinite where the error is not known."""
        wide = stdtrit(self.freedom, (1 + confidence) / 2) * self.error
        wide = np.where(np.isnan(wide), np.inf, wide)
        return self.shift - wide, self.shift + wide


@dataclass(frozen=True)
class Changes:
    """What is said of each cell, or of each pool of cells: arrays of one shape.

    Args:
        change: of the metric, in its own unit.
        low: the lower end of the change's interval, in the metric's own unit.
        high: the upper end.
        p: two-sided p-values, adjusted for how many are looked at.
        verdict: better, worse, same or undecided.
        level: the confidence of the intervals.
    """

    change: Floats
    low: Floats
    high: Floats
    p: Floats
    verdict: list[Verdict]
    level: Floats


def filled(before: Floats, after: Floats, sign: int) -> tuple[Floats, Floats]:
    """Trials without a value (diverged, NaN) count as the worst value of any trial of both.

    Args:
        before: metric values, (C, S).
        after: likewise, (C, T).
        sign: 1 where more is better, −1 where less is.
    """
    known = np.concatenate([before[np.isfinite(before)], after[np.isfinite(after)]])
    worst = float((known.min() if sign > 0 else known.max()) if known.size else 0.0)
    one, other = (np.where(np.isfinite(side), side, worst) for side in (before, after))
    return one, other


def cells(before: Floats, after: Floats, scale: Scale, margin: float, *, paired: bool) -> Changes:
    """Compare cells one by one.

    Args:
        before: metric values, (C, S), none missing.
        after: likewise, (C, T); where paired, T = S, and columns are the same seeds.
        scale: what they are compared on.
        margin: a change as small as this is none in practice; in the metric's unit.
        paired: whether both versions have the same seeds.
    """
    found = sample(before, after, scale, paired=paired)
    middle = _middle(before, after, scale)

    def unit(by: Floats) -> Floats:
        return _unit(scale, middle, by)

    p = _adjusted(found.p)
    return _said(found, p, CELLS, unit, margin, np.full(len(p), CONFIDENCE))


def pools(
    before: Floats,
    after: Floats,
    scale: Scale,
    margin: float,
    members: Sequence[Flags],
    *,
    paired: bool,
) -> Changes:
    """The mean shift of all cells, then of the members of each pool; in this order.

    A seed's effect is common to all cells. So the mean over the cells is taken first, seed by seed,
    and what these means vary by is the error: C cells under S seeds are S observations, not C·S.

    An interval is at the level that decides its pool's verdict, so that the two agree: it leaves
    out zero where the pool is better or worse and holds zero where it is undecided, and one that
    is called the same has the 90% interval that lies within the margin.

    Args:
        before: metric values, (C, S), none missing.
        after: likewise, (C, T); where paired, T = S, and columns are the same seeds.
        scale: what they are compared on.
        margin: a change as small as this is none in practice; in the metric's unit.
        members: for each pool which cells are in it, (C,).
        paired: whether both versions have the same seeds.
    """
    every = [np.ones(len(before), bool), *members]
    middle = _middle(before, after, scale)
    found = pooled(scale.up(before), scale.up(after), every, paired=paired)

    def unit(by: Floats) -> Floats:
        moved = [_unit(scale, middle[own], shift) for own, shift in zip(every, by, strict=True)]
        return np.array([float(cell.mean()) for cell in moved])

    p = np.concatenate([found.p[:1], _stepped(found.p[1:])])
    allowed = np.array([OVERALL, *[VALUES] * len(members)])
    decides = np.array([OVERALL, *_step_of(found.p[1:], VALUES)])
    return _said(found, p, allowed, unit, margin, 1 - decides, same=EQUAL)


def sample(before: Floats, after: Floats, scale: Scale, *, paired: bool) -> Sample:
    """The shift of each cell on the scale, its error and degrees of freedom, (C,).

    A cell's error has two parts: that of the seeds' effects, which all cells share and S seeds tell
    of, and that of the cell's own, moderated. Their degrees of freedom combine after Satterthwaite
    (1946) and Welch (1947). Under the same seeds the cells' own parts are taken as pairs where that
    gains more than the half of the degrees of freedom that it costs: see :func:`alike`.
    """
    floor = _rounding(scale, before, after)
    first, second = scale.up(before), scale.up(after)
    groups = [second - first] if paired else [first, second]
    parts = [_common(group) for group in groups]
    if paired and alike(first, second) >= PAIRS:
        parts.append(_own(groups, 2 * floor))
    else:
        parts.append(_own([first, second], floor))
    return Sample(second.mean(1) - first.mean(1), *_combined(parts, len(before)))


def alike(first: Floats, second: Floats) -> float:
    """How a cell's own noise in one version goes with that in the other: the mean correlation.

    One number for all cells, as Smyth, Michaud and Scott (2005) have it: a few trials say little of
    one cell's.

    Args:
        first: values on the scale, (C, S).
        second: likewise, columns the same seeds.
    """
    if first.shape[1] < 2:
        return 0.0
    one, other = residuals(first), residuals(second)
    size = np.sqrt((one**2).sum(1) * (other**2).sum(1))
    varied = size > 0
    return float(((one * other).sum(1)[varied] / size[varied]).mean()) if varied.any() else 1.0


def pooled(first: Floats, second: Floats, members: Sequence[Flags], *, paired: bool) -> Sample:
    """The mean shift of each pool's cells, on the scale; seeds are what it varies by.

    Args:
        first: values on the scale, (C, S).
        second: likewise, (C, T).
        members: for each pool which cells are in it, (C,).
        paired: whether columns are the same seeds.
    """
    before = np.array([first[own].mean(0) for own in members])
    after = np.array([second[own].mean(0) for own in members])
    groups = [after - before] if paired else [before, after]
    parts = [
        (group.var(1, ddof=1) / group.shape[1], np.full(len(group), group.shape[1] - 1.0))
        for group in groups
        if group.shape[1] > 1
    ]
    known = parts if len(parts) == len(groups) else []
    return Sample(after.mean(1) - before.mean(1), *_combined(known, len(members)))


Part = tuple["Floats", "Floats"]  # a variance of a mean, and its degrees of freedom


def _common(values: Floats) -> Part:
    """The variance of the mean of the seeds' effects, which are common to all cells of (C, S)."""
    count, seeds = values.shape
    if count < 3 or seeds < 2:  # then a cell's own variance holds them
        return np.zeros(count), np.ones(count)
    left = values - values.mean(1, keepdims=True)
    effects = (left - residuals(values)).var(axis=1, ddof=1)
    return effects / seeds, np.full(count, seeds - 1.0)


def _own(groups: Sequence[Floats], floor: Floats) -> Part:
    """The variance of the shift of each cell, less the seeds' effects: Σ s²/S over the groups.

    That sum is moderated, not each part of it: both versions of a cell vary alike more often than
    not, so that the prior is worth its degrees of freedom once. Those of the sum before moderation
    are Welch's, from the means of the variances over the cells.

    Args:
        groups: on the scale: differences (C, S), or both versions (C, S) and (C, T).
        floor: a trial's variance is taken to be at least this, (C,).
    """
    count = len(groups[0])
    if min(group.shape[1] for group in groups) < 2:
        return np.full(count, np.nan), np.ones(count)
    found = [variances(group) for group in groups]
    sizes = [group.shape[1] for group in groups]
    total = np.sum([own / size for (own, _), size in zip(found, sizes, strict=True)], axis=0)
    usual = [float(own.mean()) / size for (own, _), size in zip(found, sizes, strict=True)]
    spread = sum(part**2 / free for part, (_, free) in zip(usual, found, strict=True))
    freedom = sum(usual) ** 2 / spread if spread > 0 else float(min(sizes) - 1)
    drawn = moderate(total, freedom)
    least = floor * sum(1 / size for size in sizes)
    return np.maximum(drawn.variance, least), np.full(count, float(drawn.freedom))


def _combined(parts: Sequence[Part], count: int) -> tuple[Floats, Floats]:
    """Standard error and degrees of freedom of a sum, after Satterthwaite; NaN where unknown."""
    if not parts:
        return np.full(count, np.nan), np.ones(count)
    total = np.sum([variance for variance, _ in parts], axis=0)
    spread = np.sum([variance**2 / freedom for variance, freedom in parts], axis=0)
    least = np.min([freedom for _, freedom in parts], axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = np.where(spread > 0, total**2 / spread, least)
    return np.sqrt(total), freedom


def _rounding(scale: Scale, before: Floats, after: Floats) -> Floats:
    """What rounding to whole examples alone makes a trial's value vary by, on the scale: (C,).

    Five trials with one and the same count of right answers do not show that a cell never varies.
    """
    if scale.kind != "logit":
        return np.zeros(len(before))
    share = np.concatenate([before, after], axis=1).mean(1)
    step = 0.5 / scale.examples  # within 0 and 1
    low, high = np.maximum(share - step, 0.0), np.minimum(share + step, 1.0)
    return np.asarray((scale.up(high) - scale.up(low)) ** 2 / 4)


def _middle(before: Floats, after: Floats, scale: Scale) -> Floats:
    """Half way between both versions' means, on the scale: (C,)."""
    return np.asarray((scale.up(before).mean(1) + scale.up(after).mean(1)) / 2)


def _unit(scale: Scale, middle: Floats, shift: Floats) -> Floats:
    """A shift on the scale, about the middle, as a change in the metric's own unit."""
    return scale.down(middle + shift / 2) - scale.down(middle - shift / 2)


def _adjusted(p: Floats) -> Floats:
    """p-values adjusted after Benjamini and Hochberg (1995) for the share of false discoveries."""
    from scipy.stats import false_discovery_control  # takes half a second

    return np.asarray(false_discovery_control(p)) if p.size else p


def _stepped(p: Floats) -> Floats:
    """p-values adjusted after Holm (1979) for any false one among them."""
    order = np.argsort(p)
    worst = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    found = np.empty_like(p)
    found[order] = np.minimum(worst, 1.0)
    return found


def _step_of(p: Floats, allowed: float) -> Floats:
    """The errors that Holm's steps allow each p-value: a pool is told where its p is at most that.

    The steps allow α/m, α/(m − 1), … from the least p-value on, and end at the first that is
    greater: the rest is compared with what this step allows.
    """
    order = np.argsort(p, kind="stable")
    steps = allowed / np.arange(len(p), 0, -1)
    failed = np.flatnonzero(p[order] > steps)
    last = int(failed[0]) if len(failed) else len(p)
    found = np.empty_like(p)
    found[order] = steps[np.minimum(np.arange(len(p)), last)]
    return found


def _said(
    found: Sample,
    p: Floats,
    allowed: float | Floats,
    unit: Callable[[Floats], Floats],
    margin: float,
    level: Floats,
    same: float | None = None,
) -> Changes:
    """The verdicts: same where the margin holds the 90% interval, else by p, else undecided.

    Args:
        found: what is estimated.
        p: adjusted p-values.
        allowed: the error that is allowed: what has a smaller adjusted p-value is told.
        unit: turns shifts on the scale into changes of the metric.
        margin: in the metric's unit.
        level: the confidence of each interval.
        same: that of the intervals of what is called the same; None for no other.
    """
    inner = np.array([unit(end) for end in found.interval(EQUAL)])
    alike = (np.abs(inner) <= margin).all(0)
    told = p <= allowed
    verdict: list[Verdict] = [
        "same" if equal else "undecided" if not known else "better" if up else "worse"
        for equal, known, up in zip(alike, told, found.shift > 0, strict=True)
    ]
    shown = level if same is None else np.where(alike, same, level)
    ends = np.sort([unit(end) for end in found.interval(shown)], axis=0)
    return Changes(unit(found.shift), ends[0], ends[1], p, verdict, shown)
