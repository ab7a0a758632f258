"""Exponential decay: the rate falls by the same factor in every interval, smoothly or in stairs.

Source: no paper: TensorFlow's ``exponential_decay(learning_rate, global_step, decay_steps,
decay_rate, staircase)``; with an interval of one epoch and stairs,
``torch.optim.lr_scheduler.ExponentialLR``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from trainscape.schedules import Clock, Duration, Schedule, register


@register("exponential")
@dataclass(frozen=True)
class Exponential(Schedule):
    """r^(step / every), the exponent rounded down when ``staircase`` is set.

    Args:
        rate: r, what each interval multiplies the rate by; above 1 the rate grows, as in a range
            test. By default the run ends more than 100 times below the peak.
        every: the duration of an interval.
        staircase: whether the rate holds still between intervals.

    >>> Exponential(rate=0.25, every="10 steps").shape(5, Clock(epoch=10, total=100))
    0.5
    """

    rate: Annotated[float, "(0, inf)"] = 0.6
    every: Duration = "10%"
    staircase: bool = False

    def least(self, key: str) -> int:
        smooth = key == "every" and not self.staircase  # then no step has to meet an interval's end
        return 0 if smooth else super().least(key)

    def shape(self, step: int, clock: Clock) -> float:
        return math.pow(self.rate, clock.elapsed(step, self.every, whole=self.staircase))
