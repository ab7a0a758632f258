"""Limits that panels share, so that they can be compared by eye."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

MARGIN = 0.05  # of the span, at each end, as matplotlib's own
RUNAWAYS = 0.005  # of the values at each end of a linear axis: a descent that diverges


def limits(values: Iterable[float | None], *, log: bool = False) -> tuple[float, float]:
    """Where an axis that holds all of the values begins and ends.

    Args:
        values: what any of the panels shows; None and what is not finite is left out.
        log: whether the axis is logarithmic: then values above 0 count, and none is a runaway.

    >>> [round(end, 2) for end in limits([0.0, 10.0])]
    [-0.44, 10.44]
    >>> [round(end, 2) for end in limits([1.0, 100.0, None], log=True)]  # 100 × 100^0.05
    [0.79, 125.89]
    """
    known = np.array([v for v in values if v is not None and math.isfinite(v)], dtype=float)
    known = np.log(known[known > 0]) if log else known
    if not known.size:
        return (1.0, 10.0) if log else (0.0, 1.0)
    low, high = (known.min(), known.max()) if log else np.quantile(known, (RUNAWAYS, 1 - RUNAWAYS))
    margin = MARGIN * (high - low) or 0.5
    ends = (low - margin, high + margin)
    return (math.exp(ends[0]), math.exp(ends[1])) if log else (float(ends[0]), float(ends[1]))
