"""Which cells may be the best: a grid's finalists, before any cell is trained on fresh seeds.

The best of hundreds of means is the best partly by luck. Each mean is therefore drawn towards what
the top of the grid has in common, the more so the noisier it is (Efron and Morris, Data analysis
using Stein's estimator and its generalizations, JASA 1975), and cells are ranked by the probability
that they are the best of all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import log_ndtr

from trainscape.statistics.variance import around_means, moderate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from trainscape.statistics.scores import Scale

    Floats = NDArray[np.float64]
    Key = tuple[float | str, ...]

TOP = 4  # the common prior is fitted to the best quarter of the cells ...
FEWEST = 10  # ... and to at least this many
LEAST = 0.1  # share of what top cells' means vary that is no noise, at the least
GRID = 801  # points at which the probability of being best is summed up
REACH = 6.0  # standard deviations to either side of a mean that count
CHANCES = 3  # decimals of a probability that rank; below them the mean does
DIGITS = 9  # decimals of a mean on the scale that rank: not a machine's last bits


def complete(values: Floats, failed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which cells of values (C, S) take part: no trial is missing and none failed, (C,)."""
    found: NDArray[np.bool_] = np.isfinite(values).all(1) & ~failed
    return found


def finalists(
    values: Floats,
    scale: Scale,
    groups: NDArray[np.int64],
    failed: NDArray[np.bool_],
    count: int,
    keys: Sequence[Key] | None = None,
) -> list[int]:
    """The cells to train on fresh seeds: the best of every group, then those most likely the best.

    Cells are ranked by their probability of being the best in tenths of a percent, then by their
    shrunk mean. Of every group the first in this ranking and the cell with the best mean take part:
    an unstable cell may be the likeliest of its group to be the best of all, and still be a poor
    one; and the best mean of a few seeds may be luck. The answer does not depend on the order of
    cells. Cells with a missing or a failed trial are out.

    Args:
        values: the metric of each cell and seed, (C, S), NaN where a trial is missing.
        scale: the metric's.
        groups: the number of each cell's optimizer, (C,).
        failed: which cells have a failed trial, (C,).
        count: how many finalists; more where the groups' own are more than that.
        keys: what breaks an exact tie, the least first, of each cell: such as (steps, batch size,
            rate, names). Without them, all cells that tie with the last one are finalists, too.

    Returns:
        Indices of cells, the most promising first; none where no cell is complete.
    """
    index = np.flatnonzero(complete(values, failed))
    if not len(index):
        return []
    # sums in floating point depend on their order: it is that of the values, not of the list
    index = index[np.lexsort(values[index].T[::-1])]
    mean, sd = shrunk(values[index], scale)
    chance = chance_of_best(mean, sd)
    scores = [
        (-round(float(p), CHANCES), -round(float(m), DIGITS))
        for p, m in zip(chance, mean, strict=True)
    ]
    tied = [keys[int(i)] if keys else () for i in index]
    ranks = [(*score, *key) for score, key in zip(scores, tied, strict=True)]
    ranking = sorted(range(len(index)), key=ranks.__getitem__)
    means = scale.sign * values[index].mean(1)
    order = [(-round(float(m), DIGITS), *key) for m, key in zip(means, tied, strict=True)]
    chosen = _first_of_groups(ranks, groups[index]) | _first_of_groups(order, groups[index])
    rest = [place for place in ranking if place not in chosen]
    room = max(0, count - len(chosen))
    chosen |= set(rest[:room])
    if 0 < room < len(rest):
        chosen |= {place for place in rest[room:] if ranks[place] == ranks[rest[room - 1]]}
    return [int(index[place]) for place in ranking if place in chosen]


def _first_of_groups(ranks: list[tuple[float | str, ...]], groups: NDArray[np.int64]) -> set[int]:
    """The least rank of each group, and what ties with it."""
    first: dict[int, tuple[float | str, ...]] = {}
    for rank, group in zip(ranks, groups.tolist(), strict=True):
        first[group] = min(first.get(group, rank), rank)
    return {place for place, rank in enumerate(ranks) if rank == first[int(groups[place])]}


def shrunk(values: Floats, scale: Scale) -> tuple[Floats, Floats]:
    """What five seeds and the rest of the grid tell of each cell: a mean and its sd, (C,) each.

    The prior is a normal distribution fitted to the best quarter of the cells by moments: τ² is the
    variance of their means less what noise adds to it (its median, for one unstable cell would
    say that all is noise), and a tenth of it at least. It suits cells that may be the best; those
    far below are drawn up, yet stay far below. In simulated studies of the default grid the twenty
    finalists held the true best more often than with no shrinkage, with a prior fitted to half the
    grid, and with Kiefer and Wolfowitz's free-form prior, which breaks down where noise is near
    zero.

    Args:
        values: raw metric, (C, S), none missing. With one seed nothing is known of noise: means
            stay, and their sd is 0.
        scale: the metric's; what is returned is on it.
    """
    mean = scale.up(values.mean(1))
    if values.shape[1] < 2 or len(values) < 2:
        return mean, np.zeros(len(mean))
    noise = moderate(*around_means(values, scale)).variance / values.shape[1]
    top = np.sort(mean)[-max(FEWEST, len(mean) // TOP) :]
    seen = float(top.var(ddof=1))
    spread = max(seen - float(np.median(noise[mean >= top[0]])), LEAST * seen)
    centre = float(top.mean())
    total = spread + noise
    weight = np.divide(spread, total, out=np.ones_like(total), where=total > 0)
    return centre + weight * (mean - centre), np.sqrt(weight * noise)


def chance_of_best(mean: Floats, sd: Floats) -> Floats:
    """The probability of each of independent normals to be the greatest, (C,): ∫ φ_i ∏_{j≠i} Φ_j.

    By the trapezoidal rule on 801 points over all that can be greatest, to about 1e-6. Where
    nothing varies, the greatest means share the probability.
    """
    known = float(sd.max(initial=0.0))
    if not known > 0:
        first = mean == mean.max()
        return np.asarray(first / first.sum())
    width = np.maximum(sd, 1e-3 * known)
    low = float((mean - REACH * width).max())
    high = float((mean + REACH * width).max())
    able = mean + REACH * width >= low
    points = np.linspace(low, high, GRID)
    where = (points - mean[able, None]) / width[able, None]
    below = log_ndtr(where)
    density = np.exp(-0.5 * where**2 + below.sum(0) - below) / width[able, None]
    found = np.zeros(len(mean))
    found[able] = density.sum(1)
    return np.asarray(found / found.sum())
