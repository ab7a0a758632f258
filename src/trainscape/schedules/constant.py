"""A fixed rate: every step runs at the peak.

Source: no paper: it is what training without a schedule does.
"""

from __future__ import annotations

from dataclasses import dataclass

from trainscape.schedules import Clock, Schedule, register


@register("constant")
@dataclass(frozen=True)
class Constant(Schedule):
    """1 at every step.

    >>> Constant().shape(50, Clock(epoch=10, total=100))
    1.0
    """

    def shape(self, step: int, clock: Clock) -> float:
        return 1.0
