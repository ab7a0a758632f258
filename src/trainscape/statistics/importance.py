"""What matters: the shares of each axis, and of each two together, in how cells differ.

Functional analysis of variance (Hutter et al., An efficient approach for assessing hyperparameter
importance, 2014, section 3), where every point of the grid was trained: marginal means are then
exact, and no model of the grid is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from trainscape.statistics.draws import RESAMPLES, interval, resampled
from trainscape.statistics.variance import variances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

HIGHER = ("higher order",)
BLOCK = 250  # resamples that are in memory at once


@dataclass(frozen=True)
class Share:
    """How much of the variance between cells lies in some axes.

    Args:
        axes: one name, or two for what they do together beyond each alone; HIGHER for the rest.
        share: of the variance between cells, seed noise taken off.
        bounds: its 95% interval; NaN with one seed.
    """

    axes: tuple[str, ...]
    share: float
    bounds: tuple[float, float]


@dataclass(frozen=True)
class Importance:
    """The shares of a grid.

    Args:
        shares: the greatest first.
        noise: the part of the variance between observed means that is seed noise; None for one
            seed, whose noise is in the shares.
    """

    shares: list[Share]
    noise: float | None


def importance(
    values: ArrayLike,
    axes: Sequence[str],
    draw: np.random.Generator,
    best_over: str | None = None,
    resamples: int = RESAMPLES,
) -> Importance | None:
    """Shares of the variance between the cells of a full grid; None where no cells differ.

    V_u = mean over u's points of (marginal mean less the effects of its subsets)², of which
    σ²/S·df_u/N is seed noise: N cells, df_u the product of (points − 1), σ² the mean variance over
    seeds. That is taken off, and what falls below zero is zero. A resample draws the seeds of every
    cell again, seeds' common effects taken off before; it has the noise twice, which is taken off
    twice.

    The best of noisy cells is too good by luck, and varies less than one cell does: with
    ``best_over`` the resamples tell both, and luck and noise are taken off.

    Args:
        values: (A₁, …, Aₖ, S), on a scale where more is better and noise is even; a cell with a NaN
            has no value and counts as the worst cell that has one.
        axes: the names of the k axes; an axis of one point is passed over.
        draw: random numbers.
        best_over: an axis that is to be taken at its best point, for every point of the others.
        resamples: how many.
    """
    whole, names, best = _arranged(_imputed(np.asarray(values, dtype=np.float64)), axes, best_over)
    *shape, seeds = whole.shape
    flat = whole.reshape(-1, seeds)
    top = _top(flat.mean(1).reshape(1, *shape), best)
    # differences as small as a rounding error are none
    if not float(top.var()) > 1e-18 * max(1.0, float(np.abs(top).max()) ** 2):
        return None
    again = _resamples(flat, draw, resamples if seeds > 1 else 0, shape, best)
    noise = 0.0 if seeds < 2 else float(variances(flat)[0].mean()) / seeds
    if best and seeds > 1:
        luck = again.mean(0) - top
        top, again = top - luck, again - 2 * luck
        noise = float(again.var(0).mean())
    raw, taken = _parts(top, names), _noise(top.shape[1:], names, noise)
    found, spread = _shares(raw, taken, 1), _shares(_parts(again, names), taken, 2)
    bounds = {part: interval(spread[part]) if seeds > 1 else (np.nan, np.nan) for part in found}
    shares = [Share(part, float(value[0]), bounds[part]) for part, value in found.items()]
    shares.sort(key=lambda share: -share.share)
    total = sum(float(value[0]) for value in raw.values())
    return Importance(shares, None if seeds < 2 else sum(taken.values()) / total)


def _imputed(values: Floats) -> Floats:
    """Values in which a cell without one has that of the worst cell; zeros where none has one."""
    known = np.asarray(np.isfinite(values).all(-1))
    worst = float(values[known].mean(-1).min()) if known.any() else 0.0
    return np.where(known[..., None], values, worst)


def _resamples(
    flat: Floats, draw: np.random.Generator, count: int, shape: Sequence[int], best: bool
) -> Floats:
    """Means of cells with their seeds drawn again, each cell on its own: (count, A₁, …)."""
    left = flat - flat.mean(1, keepdims=True)
    common = np.median(left, axis=0) if len(flat) > 2 else np.zeros(flat.shape[1])
    own = (flat - (common - common.mean())).T
    sizes = [min(BLOCK, count - start) for start in range(0, count, BLOCK)]
    tops = [_top(resampled(own, draw, size).reshape(-1, *shape), best) for size in sizes]
    return np.concatenate(tops) if tops else np.zeros((0, *shape[: len(shape) - best]))


def _arranged(
    values: Floats, axes: Sequence[str], best_over: str | None
) -> tuple[Floats, list[str], bool]:
    """Values without axes of one point, the axis to be taken at its best last; other names."""
    names = [name for name, size in zip(axes, values.shape, strict=False) if size > 1]
    values = values.reshape(*(size for size in values.shape[:-1] if size > 1), values.shape[-1])
    if best_over not in names:
        return values, names, False
    values = np.moveaxis(values, names.index(best_over), -2)
    return values, [name for name in names if name != best_over], True


def _top(means: Floats, best: bool) -> Floats:
    """Cell means (M, A₁, …), of the best along the last axis if that is asked for."""
    return np.asarray(means.max(-1)) if best else means


def _parts(means: Floats, names: Sequence[str]) -> dict[tuple[str, ...], Floats]:
    """The variance (M,) of each effect of cell means (M, A₁, …), by the names of its axes.

    Effects are orthogonal in a full grid, so that the variance of marginal means is the sum of
    those of the effects in them.
    """
    found: dict[tuple[str, ...], Floats] = {}
    for size in (1, 2):
        for places in combinations(range(len(names)), size):
            others = tuple(place + 1 for place in range(len(names)) if place not in places)
            part = tuple(names[place] for place in places)
            spread = means.mean(others).var(tuple(range(1, size + 1)))
            found[part] = spread - (found[part[:1]] + found[part[1:]] if size == 2 else 0)
    if len(names) > 2:
        found[HIGHER] = means.var(tuple(range(1, means.ndim))) - sum(found.values())
    return found


def _noise(
    shape: Sequence[int], names: Sequence[str], variance: float
) -> dict[tuple[str, ...], float]:
    """What noise in cell means, of that variance, adds to each effect: variance·df_u/N."""
    sizes = dict(zip(names, shape, strict=True))
    cells = int(np.prod(shape))
    found = {
        part: variance * float(np.prod([sizes[name] - 1 for name in part])) / cells
        for size in (1, 2)
        for part in combinations(names, size)
    }
    if len(sizes) > 2:
        found[HIGHER] = variance * (cells - 1) / cells - sum(found.values())
    return found


def _shares(
    raw: dict[tuple[str, ...], Floats], taken: dict[tuple[str, ...], float], times: int
) -> dict[tuple[str, ...], Floats]:
    """Shares (M,) of the effects, the noise taken off so many times."""
    clean = {part: np.maximum(value - times * taken[part], 0.0) for part, value in raw.items()}
    total = sum(clean.values(), np.zeros(1))
    return {part: value / np.where(total > 0, total, 1.0) for part, value in clean.items()}
