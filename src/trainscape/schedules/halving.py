"""Halving: the rate drops to half at fixed intervals, as in "half every five epochs".

Source: no paper: Stanford CS231n, notes on neural networks 3, "Annealing the learning rate: step
decay", https://cs231n.github.io/neural-networks-3/.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from trainscape.schedules import Clock, Duration, Schedule, register


@register("halving")
@dataclass(frozen=True)
class Halving(Schedule):
    """(1/2)^⌊step / every⌋.

    Args:
        every: the duration between halvings.

    >>> Halving(every="5 epochs").shape(100, Clock(epoch=10, total=200))
    0.25
    """

    every: Duration = "5 epochs"

    def shape(self, step: int, clock: Clock) -> float:
        return math.pow(0.5, clock.elapsed(step, self.every, whole=True))
