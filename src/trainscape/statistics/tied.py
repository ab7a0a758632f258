"""Which cells cannot be told from the best, and which of them to use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trainscape.statistics.best import DIGITS, complete
from trainscape.statistics.dunnett import quantile
from trainscape.statistics.variance import around_means, moderate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from trainscape.statistics.scores import Scale

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

BLOCK = 512  # cells that are compared with all others at once


@dataclass(frozen=True)
class Tied:
    """The cells that may be the best.

    Args:
        member: which cells they are, (C,).
        known: whether noise could be estimated; with one seed it cannot, and all complete cells
            are members.
        critical: the quantile that was used; infinite where nothing is known of noise.
        error: the standard error of each cell's mean on the scale, (C,); NaN for cells that are
            out, and where nothing is known of noise.
    """

    member: Flags
    known: bool
    critical: float
    error: Floats


def tied(values: Floats, scale: Scale, failed: Flags, level: float = 0.95) -> Tied:
    """The cells that cannot be told from the best: multiple comparisons with the best.

    Cell i stays if no rival j is ahead by more than d·s̃_j·√(2/S), d Dunnett's one-sided quantile
    for all rivals (Hsu, Constrained simultaneous confidence intervals for multiple comparisons with
    the best, Ann. Statist. 1984; Multiple Comparisons, 1996, chapter 4). Means are mean metrics
    on the scale; s̃² is moderated (Smyth 2004).

    Hsu has one variance for all. Here variances differ, and the rival's is taken for both cells,
    so that a cell that is unstable over seeds is not kept because so little is known of it:
    simulated on the default grid at twice its noise, each cell's own moderated variance kept a cell
    7 points below the best. One variance for all does as well there, but would claim too much where
    the leading cells vary more than the rest.

    Args:
        values: the metric of each cell and seed, (C, S), NaN where a trial is missing.
        scale: the metric's.
        failed: cells with a failed trial, (C,); they are out, and so are incomplete cells.
        level: probability that the best is a member.
    """
    member = complete(values, failed)
    index = np.flatnonzero(member)
    error = np.full(len(values), np.nan)
    if len(index) < 2 or values.shape[1] < 2:
        return Tied(member, values.shape[1] > 1, np.inf, error)
    found = moderate(*around_means(values[index], scale))
    mean = scale.up(values[index].mean(1))
    critical = quantile(len(index) - 1, round(float(found.freedom), 2), level)
    error[index] = np.sqrt(found.variance / values.shape[1])
    reach = critical * np.sqrt(2) * error[index]
    for start in range(0, len(index), BLOCK):
        block = slice(start, start + BLOCK)
        behind = mean[None] - mean[block, None]
        within = behind <= np.maximum(reach[None], 10.0**-DIGITS)
        member[index[block]] = within.all(1)
    return Tied(member, True, critical, error)


def room(member: Flags, line: NDArray[np.int64], lr: Floats) -> Floats:
    """How forgiving each cell is: decades of rate to the nearer end of its run of tied rates, (C,).

    A run is a stretch of neighbouring rates, all of them tied, of one optimizer, batch size and
    schedule. The cell in the middle of the longest run has the most room; a cell whose neighbours
    are not tied has 0.

    Args:
        member: which cells are tied, (C,): of the whole grid, not of the finalists alone.
        line: the number of each cell's optimizer, batch size and schedule, (C,).
        lr: of each cell, (C,).
    """
    found = np.zeros(len(member))
    for number in np.unique(line):
        cells = np.flatnonzero(line == number)
        cells = cells[np.argsort(lr[cells])]
        rates = np.log10(lr[cells])
        start = 0
        while start < len(cells):
            end = start
            while end + 1 < len(cells) and member[cells[start]] and member[cells[end + 1]]:
                end += 1
            run = slice(start, end + 1)
            found[cells[run]] = np.minimum(rates[run] - rates[start], rates[end] - rates[run])
            start = end + 1
    return found


@dataclass(frozen=True)
class Places:
    """What is known of cells beside their results; each (C,).

    Args:
        steps: what a trial of the cell costs; NaN counts as the most.
        room: see :func:`room`.
        batch: examples in a step.
        lr: peak rate.
        label: what names the cell and nothing else does.
    """

    steps: Floats
    room: Floats
    batch: Floats
    lr: Floats
    label: Sequence[str]


@dataclass(frozen=True)
class Choice:
    """The recommended cell, and why it is this one.

    Args:
        index: of the cell.
        first: of the cell with the best mean.
        equal: indices of the cells that it was chosen from, by increasing index.
        left: how many of these were left after each rule, in the order of the rules: steps, room,
            batch, mean, lr, label; up to the rule that left one.
    """

    index: int
    first: int
    equal: list[int]
    left: dict[str, int]


def choose(
    values: Floats, scale: Scale, found: Tied, places: Places, margin: float
) -> Choice | None:
    """The cell to use, of those as good as the best; None where no cell is complete.

    As good as the best is a cell within the margin of the best mean that is tied, or whose lag is
    within the margin up to the upper end of its interval. Of these, rule by rule: the fewest steps;
    the most room among tied rates; the smallest batch; the best mean; the smallest rate; the label.
    The order of cells decides nothing. That the mean comes late has a reason, too: a cell that is
    not chosen for its mean is not one that luck has lifted, so its interval holds.

    Args:
        values: (C, S), as :func:`tied` was given.
        scale: the metric's.
        found: what :func:`tied` found.
        places: what else is known of the cells.
        margin: what makes no difference in practice, in the metric's unit, at least 0. With one
            seed it counts as 0: nothing is known of noise.
    """
    complete_ = np.isfinite(values).all(1) & (found.member | np.isfinite(found.error))
    index = np.flatnonzero(complete_)
    if not len(index):
        return None
    mean = values[index].mean(1)
    better = scale.sign * mean
    lag = better.max() - better
    top = int(index[np.lexsort(([places.label[int(i)] for i in index], -better.round(DIGITS)))[0]])
    slack = 10.0**-DIGITS
    near = lag <= (margin if found.known else 0.0) + slack
    if found.known and np.isfinite(found.critical):
        error = found.error[index]
        ahead = found.critical * np.hypot(error, error[index == top]) / scale.slope(mean)
        near &= found.member[index] | (lag + ahead <= margin)
    equal = index[near]
    rules = {
        "steps": np.where(np.isfinite(places.steps), places.steps, np.inf)[equal],
        "room": -np.round(places.room[equal], 6),
        "batch": places.batch[equal],
        "mean": -np.round(better[near], DIGITS),
        "lr": places.lr[equal],
        "label": np.unique([places.label[int(i)] for i in equal], return_inverse=True)[1],
    }
    rest = np.arange(len(equal))
    left: dict[str, int] = {}
    for name, cost in rules.items():
        if len(rest) == 1:
            break
        rest = rest[cost[rest] == cost[rest].min()]
        left[name] = len(rest)
    return Choice(int(equal[rest[0]]), top, [int(i) for i in equal], left)
