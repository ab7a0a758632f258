"""Polynomial decay: a power of the share of the run that is left, from the peak to a floor.

Source: L.-C. Chen and others, DeepLab: semantic image segmentation with deep convolutional nets,
atrous convolution, and fully connected CRFs, 2018, https://arxiv.org/abs/1606.00915, section 4.1
(the "poly" policy, power 0.9); Y. You, I. Gitman and B. Ginsburg, Large batch training of
convolutional networks, 2017, https://arxiv.org/abs/1708.03888 (power 2);
``torch.optim.lr_scheduler.PolynomialLR``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from trainscape.schedules import Clock, Schedule, register


@register("polynomial")
@dataclass(frozen=True)
class Polynomial(Schedule):
    """f + (1 − f) · (1 − step / total)^p, with p = ``power`` and f = ``final``.

    Args:
        power: p; 1 is a straight line, above 1 the rate falls early, below 1 late.
        final: f, the share of the peak that would follow the last step.

    >>> Polynomial(power=2).shape(50, Clock(epoch=10, total=100))
    0.25
    """

    power: Annotated[float, "(0, inf)"] = 2.0
    final: Annotated[float, "[0, 1]"] = 0.0

    def shape(self, step: int, clock: Clock) -> float:
        left = (clock.total - step) / clock.total
        return self.final + (1 - self.final) * math.pow(left, self.power)
