"""Linear decay: a straight line from the peak to a floor over the whole run.

Source: no paper: ``torch.optim.lr_scheduler.LinearLR`` from 1 to the floor in as many steps as the
run has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from trainscape.schedules import Clock, Schedule, register


@register("linear")
@dataclass(frozen=True)
class Linear(Schedule):
    """1 − (1 − f) · step / total, with f = ``final``.

    Args:
        final: f, the share of the peak that would follow the last step.

    >>> Linear(final=0.5).shape(50, Clock(epoch=10, total=100))
    0.75
    """

    final: Annotated[float, "[0, 1]"] = 0.0

    def shape(self, step: int, clock: Clock) -> float:
        return 1 - (1 - self.final) * step / clock.total
