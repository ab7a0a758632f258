"""Cyclical rates: up and down again between a base and the peak, in straight lines.

Source: L. N. Smith, Cyclical learning rates for training neural networks, 2017,
https://arxiv.org/abs/1506.01186, section 3 (a base of a third or a quarter of the peak);
``torch.optim.lr_scheduler.CyclicLR``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from trainscape.schedules import Clock, Duration, Schedule, register

if TYPE_CHECKING:
    from fractions import Fraction


@register("cyclical")
@dataclass(frozen=True)
class Cyclical(Schedule):
    """b + (1 − b) · h · a, with b = ``base``; a goes from 0 to 1 in ``rise``, back in ``fall``.

    The height h is 1 (triangular), (1/2)^⌊c⌋ (triangular2) or γ^c (exp_range) after c cycles.

    Args:
        rise: the duration from the base to the peak, Smith's step size.
        fall: the duration back to the base; None takes as long as the rise.
        base: b, the share of the peak at which the run and every cycle start.
        mode: how the height goes on, by name.
        gamma: γ, for exp_range: what each cycle multiplies the height by. Smith's and torch's are
            per step, which would be another schedule for every batch size.

    >>> [Cyclical(rise="10 steps", base=0).shape(step, Clock(10, 100)) for step in (0, 5, 10, 15)]
    [0.0, 0.5, 1.0, 0.5]
    """

    rise: Duration = "10%"
    fall: Duration | None = None
    base: Annotated[float, "[0, 1]"] = 0.25
    mode: Literal["triangular", "triangular2", "exp_range"] = "triangular"
    gamma: Annotated[float, "(0, 1]"] = 0.5

    def shape(self, step: int, clock: Clock) -> float:
        rise, fall = clock.steps(self.rise), clock.steps(self.fall or self.rise)
        cycles = step / (rise + fall)
        at = (cycles % 1) * (rise + fall)  # exact, so that the peak falls on its step
        along = float(min(at / rise, (rise + fall - at) / fall))
        return self.base + (1 - self.base) * self._height(cycles) * along

    def _height(self, cycles: Fraction) -> float:
        """h: what is left of the height after so many cycles."""
        if self.mode == "triangular2":
            return math.pow(0.5, math.floor(cycles))
        return math.pow(self.gamma, cycles) if self.mode == "exp_range" else 1.0
