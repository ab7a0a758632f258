"""Step decay: the rate drops by a factor at fixed intervals.

Source: no paper: ``torch.optim.lr_scheduler.StepLR``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from trainscape.schedules import Clock, Duration, Schedule, register


@register("step")
@dataclass(frozen=True)
class Step(Schedule):
    """γ^⌊step / every⌋.

    Args:
        every: the duration between drops.
        gamma: γ, what each drop multiplies the rate by.

    >>> Step(every="30 epochs", gamma=0.1).shape(350, Clock(epoch=10, total=900))
    0.1
    """

    every: Duration = "30%"
    gamma: Annotated[float, "(0, 1]"] = 0.1

    def shape(self, step: int, clock: Clock) -> float:
        return math.pow(self.gamma, clock.elapsed(step, self.every, whole=True))
