"""Cosine annealing: half a cosine from the peak to a floor over the whole run.

Source: I. Loshchilov and F. Hutter, SGDR: stochastic gradient descent with warm restarts, 2017,
https://arxiv.org/abs/1608.03983, eq. 5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from trainscape.schedules import Clock, Schedule, register


@register("cosine")
@dataclass(frozen=True)
class Cosine(Schedule):
    """f + (1 − f) · (1 + cos(π · step / total)) / 2, with f = ``final``.

    Args:
        final: f, the share of the peak that would follow the last step.

    >>> Cosine().shape(50, Clock(epoch=10, total=100))
    0.5
    """

    final: Annotated[float, "[0, 1]"] = 0.0

    def shape(self, step: int, clock: Clock) -> float:
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * step / clock.total)) / 2
