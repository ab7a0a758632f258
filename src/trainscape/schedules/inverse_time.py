"""Inverse time decay: the rate falls as one over the time, smoothly or in stairs.

Source: no paper: Keras's ``InverseTimeDecay(initial_learning_rate, decay_steps, decay_rate,
staircase)``. Rates that fall as 1/t are those of H. Robbins and S. Monro, A stochastic
approximation method, 1951, https://doi.org/10.1214/aoms/1177729586.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from trainscape.schedules import Clock, Duration, Schedule, register


@register("inverse_time")
@dataclass(frozen=True)
class InverseTime(Schedule):
    """1 / (1 + r · step / every), the quotient rounded down when ``staircase`` is set.

    Args:
        rate: r, what each interval adds to the divisor.
        every: the duration of an interval.
        staircase: whether the rate holds still between intervals.

    >>> InverseTime(rate=1, every="10 steps").shape(30, Clock(epoch=10, total=100))
    0.25
    """

    rate: Annotated[float, "[0, inf)"] = 1.0
    every: Duration = "10%"
    staircase: bool = False

    def least(self, key: str) -> int:
        smooth = key == "every" and not self.staircase  # then no step has to meet an interval's end
        return 0 if smooth else super().least(key)

    def shape(self, step: int, clock: Clock) -> float:
        return 1 / (1 + self.rate * clock.elapsed(step, self.every, whole=self.staircase))
