"""Warm-up, stable, decay: the peak for most of the run, then a fall at its end.

The warm-up is the base class's: set ``warmup``. Nothing before the fall depends on how long the run
is, so longer runs begin with the same steps.

Source: S. Hu and others, MiniCPM: unveiling the potential of small language models with scalable
training strategies, 2024, https://arxiv.org/abs/2404.06395, section 4; A. Hägele and others,
Scaling laws and compute-optimal training beyond fixed training durations, 2024,
https://arxiv.org/abs/2405.18392, section 3 (1-sqrt did better than linear there).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from trainscape.checks import refusal
from trainscape.schedules import Clock, Duration, Schedule, register

if TYPE_CHECKING:
    from collections.abc import Callable

Form = Literal["linear", "cosine", "1-sqrt"]
FALLS: dict[Form, Callable[[float], float]] = {
    "linear": lambda x: 1 - x,
    "cosine": lambda x: (1 + math.cos(math.pi * x)) / 2,
    "1-sqrt": lambda x: 1 - math.sqrt(x),
}


@register("wsd")
@dataclass(frozen=True)
class WarmupStableDecay(Schedule):
    """1, then f + (1 − f) · g(x) over the last ``decay``, x being the share of it that is over.

    g(x) is 1 − x (linear), (1 + cos(πx)) / 2 (cosine) or 1 − √x (1-sqrt); f = ``final``.

    Args:
        decay: the duration of the fall; a percentage is one of what follows the warm-up.
        form: g, by name.
        final: f, the share of the peak that would follow the last step.

    >>> WarmupStableDecay(decay="40%").shape(70, Clock(epoch=10, total=100))
    0.5
    """

    decay: Duration = "20%"
    form: Form = "1-sqrt"
    final: Annotated[float, "[0, 1]"] = 0.0

    def least(self, key: str) -> int:
        return 2  # the first step of the fall is still at the peak

    def shape(self, step: int, clock: Clock) -> float:
        length = clock.steps(self.decay)
        if length > clock.total:
            why = f"is {float(length):g} steps of {clock.total}; choose at most {clock.total} steps"
            raise refusal(self, "decay", why)
        over = float((step - clock.total + length) / length)
        return 1.0 if over <= 0 else self.final + (1 - self.final) * FALLS[self.form](over)
