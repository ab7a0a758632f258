"""The scale on which cells are compared: there noise is about as wide at 60% as at 99%.

A standard deviation over seeds of half a point means little at 60% accuracy and much at 99%. So
shares are compared by their log odds, losses by their logarithm, both so that more is better.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import expit, logit

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

Kind = Literal["logit", "log", "identity"]


@dataclass(frozen=True)
class Scale:
    """A transformation of a metric, on which more is always better.

    Args:
        kind: ``logit`` for shares of examples, ``log`` for what is above zero, else ``identity``.
        sign: 1 where more of the metric is better, −1 where less is.
        examples: how many examples a share is of, N; for ``logit`` alone.
    """

    kind: Kind
    sign: int = 1
    examples: int = 1

    def up(self, values: ArrayLike) -> Floats:
        """Metric values on the scale; NaN stays NaN.

        Shares are taken as counts out of N with half an example added on either side (Haldane 1956;
        Anscombe 1956), so that 0% and 100% have log odds, too.
        """
        found = np.asarray(values, dtype=np.float64)
        if self.kind == "logit":
            found = logit((found * self.examples + 0.5) / (self.examples + 1))
        elif self.kind == "log":
            found = np.log(found)
        return self.sign * found

    def down(self, values: ArrayLike) -> Floats:
        """Back to the metric's own unit: the inverse of :meth:`up`, within 0 and 1 for shares."""
        found = self.sign * np.asarray(values, dtype=np.float64)
        if self.kind == "logit":
            shares = (expit(found) * (self.examples + 1) - 0.5) / self.examples
            return np.asarray(np.clip(shares, 0.0, 1.0))
        return np.exp(found) if self.kind == "log" else found

    def slope(self, values: ArrayLike) -> Floats:
        """How fast the scale moves with the metric at these values: the absolute derivative."""
        found = np.asarray(values, dtype=np.float64)
        if self.kind == "logit":
            share = (found * self.examples + 0.5) / (self.examples + 1)
            return self.examples / (self.examples + 1) / (share * (1 - share))
        return 1 / np.abs(found) if self.kind == "log" else np.ones_like(found)

    @property
    def step(self) -> float:
        """The least by which two values can differ: one example; 0 where any value can be."""
        return 1 / self.examples if self.kind == "logit" else 0.0


def scale(unit: str, direction: str, values: ArrayLike, examples: int | None) -> Scale:
    """The scale for a metric.

    Args:
        unit: the metric's; ``fraction`` is a share of examples.
        direction: ``max`` or ``min``.
        values: all that is to be put on the scale, NaN for what is missing.
        examples: how many the metric was taken over; None where that is not known.
    """
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    sign = 1 if direction == "max" else -1
    if unit == "fraction" and examples and bool(((known >= 0) & (known <= 1)).all()):
        return Scale("logit", sign, examples)
    if known.size and bool((known > 0).all()):
        return Scale("log", sign)
    return Scale("identity", sign)
