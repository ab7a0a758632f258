"""What a family of statistics hands to the table: a claim, what was found, and what was asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Unit = Literal["share", "points", "number"]

GUESS = 0.05  # share that goes wrong, for the error of a share that is near 1 or 0


@dataclass(frozen=True)
class Row:
    """One claim of the table.

    Args:
        name: what was counted or measured, in words.
        target: what was asked for, in words; empty where the number only informs.
        found: the number.
        low: the least that is asked for.
        high: the most.
        unit: ``share`` shows as percent, ``points`` are shares shown as points of accuracy.
        error: standard error of what was found, over the simulated studies.
        noise: how much noise the studies had, as a multiple of what was fitted; None for others.
    """

    name: str
    target: str
    found: float
    low: float = -np.inf
    high: float = np.inf
    unit: Unit = "share"
    error: float = 0.0
    noise: float | None = None

    def met(self, errors: float = 0.0) -> bool:
        """Whether the number is within its bounds, each moved outwards by so many errors."""
        slack = errors * self.error
        return bool(self.low - slack <= self.found <= self.high + slack)

    @property
    def shown(self) -> str:
        """The number for people."""
        return shown(self.found, self.unit)


def shown(number: float, unit: Unit) -> str:
    """A number in its unit: 95.2%, 0.31 points, 12."""
    if unit == "share":
        return f"{100 * number:.1f}%"
    return f"{100 * number:.2f} points" if unit == "points" else f"{number:.3g}"


def share(
    name: str,
    hits: ArrayLike,
    low: float = -np.inf,
    high: float = np.inf,
    noise: float | None = None,
) -> Row:
    """The share of studies in which something holds; a study's hit may be a share itself."""
    found = np.asarray(hits, dtype=np.float64)
    error = float(np.sqrt(GUESS * (1 - GUESS) / len(found)))
    return Row(
        name, _asked(low, high, "share"), float(found.mean()), low, high, "share", error, noise
    )


def quantile(
    name: str,
    values: ArrayLike,
    q: float = 0.5,
    low: float = -np.inf,
    high: float = np.inf,
    unit: Unit = "number",
    noise: float | None = None,
) -> Row:
    """A quantile over studies, such as the median; 1 is the greatest of all."""
    found = np.asarray(values, dtype=np.float64)
    error = float(found.std() / np.sqrt(len(found)))
    number = float(np.quantile(found, q))
    return Row(name, _asked(low, high, unit), number, low, high, unit, error, noise)


def _asked(low: float, high: float, unit: Unit) -> str:
    """The bounds in words."""
    if np.isfinite(low) and np.isfinite(high):
        return f"{shown(low, unit)} to {shown(high, unit)}"
    if np.isfinite(low):
        return f"at least {shown(low, unit)}"
    return f"at most {shown(high, unit)}" if np.isfinite(high) else ""
