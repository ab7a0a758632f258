"""Cosine annealing with warm restarts: whenever the cosine has fallen, it starts again at the peak.

Source: I. Loshchilov and F. Hutter, SGDR: stochastic gradient descent with warm restarts, 2017,
https://arxiv.org/abs/1608.03983, eq. 5;
``torch.optim.lr_scheduler.CosineAnnealingWarmRestarts``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from trainscape.schedules import Clock, Duration, Schedule, register

if TYPE_CHECKING:
    from fractions import Fraction


@register("warm_restarts")
@dataclass(frozen=True)
class WarmRestarts(Schedule):
    """f + (1 − f) · (1 + cos(π · t / T)) / 2, t steps after the last restart, f = ``final``.

    Args:
        first: T up to the first restart, a duration.
        growth: what each restart multiplies T by, a whole number; 1 keeps it. With 2 and a
            ``first`` of one seventh of the run, the run ends with the third cosine.
        final: f, the share of the peak before a restart.

    >>> [WarmRestarts(first="20%").shape(step, Clock(10, 100)) for step in (0, 10, 20, 30)]
    [1.0, 0.5, 1.0, 0.5]
    """

    first: Duration = "25%"
    growth: Annotated[int, "[1, inf)"] = 1
    final: Annotated[float, "[0, 1]"] = 0.0

    def least(self, key: str) -> int:
        # the first step after a restart is at the peak: with restarts at every step all would be
        return 2 if self.growth == 1 else super().least(key)

    def shape(self, step: int, clock: Clock) -> float:
        done = float(self._done(step / clock.steps(self.first)))
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * done)) / 2

    def _done(self, time: Fraction) -> Fraction:
        """The share of the present cosine that is over, ``time`` being in units of the first."""
        if self.growth == 1:
            return time % 1
        length = 1
        while time >= length:  # exact, so that a restart falls on its step
            time -= length
            length *= self.growth
        return time / length
