"""Where a loss is least between the points of a grid, and where the grid cannot tell.

A grid of rates shows the best rate to within half a step. A parabola through the best point and its
two neighbours tells it finer, and how deep the loss goes there. Losses are to be given as
logarithms: over log rate their basins are nearer to parabolas than those of the losses themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Peaks:
    """The best places of curves, all of the curves' shape (…).

    Args:
        place: where each is least, in the unit of the axis; NaN for a curve without a finite point.
        depth: its height there.
        curve: c of the parabola c·(x − place)² + depth; NaN where there is none.
        side: −1 where the best point is the axis's first, so that the true place lies there or
            below; 1 where it is the last: there or above; 0 between.
        half: half a step of the axis at the best point; at an end, of the one step that is there.
        turned: whether a parabola told the place; else it is the best point itself.
    """

    place: Floats
    depth: Floats
    curve: Floats
    side: Whole
    half: Floats
    turned: NDArray[np.bool_]


def peaks(heights: ArrayLike, axis: ArrayLike) -> Peaks:
    """The least place of each curve, by the vertex of a parabola through three points.

    With the slopes p = (f₋ − f₀)/l to the left and q = (f₊ − f₀)/r to the right of the best point,
    l and r being the steps of the axis there, the vertex is x₀ + (p·r − q·l)/(2(p + q)): never more
    than half a step away. For equal steps h it is x₀ + (h/2)(f₋ − f₊)/(f₋ − 2f₀ + f₊).

    A neighbour that is not finite (a cell that diverged) ends the curve, so there is no parabola;
    but as the place cannot lie beyond it, that is no end of the axis (``side`` is 0).

    Args:
        heights: of the curves, (…, R); what is not finite is never best.
        axis: rising places of the points, (R,), R ≥ 2.

    Raises:
        ValueError: the axis has fewer than two points.
    """
    x = np.asarray(axis, dtype=np.float64)
    f = np.asarray(heights, dtype=np.float64)
    last = len(x) - 1
    if last < 1:
        raise ValueError("a curve needs two points")
    f = np.where(np.isfinite(f), f, np.inf)
    best = f.argmin(-1)
    before, after = np.maximum(best - 1, 0), np.minimum(best + 1, last)
    low, here, high = (_at(f, index) for index in (before, best, after))
    left, right = x[best] - x[before], x[after] - x[best]
    inner = (best > 0) & (best < last) & np.isfinite(low) & np.isfinite(high) & np.isfinite(here)
    with np.errstate(invalid="ignore", divide="ignore"):
        fall, rise = (low - here) / left, (high - here) / right
        turned = inner & (fall + rise > 0)
        total = np.where(turned, fall + rise, 1.0)
        shift = np.where(turned, (fall * right - rise * left) / (2 * total), 0.0)
        curve = np.where(turned, total / (left + right), np.nan)
    found = np.isfinite(here)
    side = np.where(best == 0, -1, np.where(best == last, 1, 0))
    steps = np.where(side == 0, 2, 1)
    return Peaks(
        np.where(found, x[best] + shift, np.nan),
        np.where(found, here - np.where(turned, curve * shift**2, 0.0), np.inf),
        curve,
        np.where(found, side, 0),
        (left + right) / steps / 2,
        turned,
    )


def _at(values: Floats, index: Whole) -> Floats:
    """The values (…, R) at an index (…)."""
    return np.asarray(np.take_along_axis(values, index[..., None], -1)[..., 0])
