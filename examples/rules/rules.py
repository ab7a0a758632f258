"""An optimizer that needs each parameter whole, and a schedule."""

import math
from dataclasses import dataclass
from typing import ClassVar

from trainscape import optimizers, schedules


@optimizers.register("normed")
@dataclass(frozen=True)
class Normed(optimizers.Optimizer):
    """w ← w − lr · m / ‖m‖: m is a running mean of the gradient, ‖m‖ its norm."""

    elementwise: ClassVar[bool] = False  # param is one parameter of T trials: (T, …)
    decay: float = 0.9

    def init(self, param):
        return {"mean": param.new_zeros(param.shape)}

    def update(self, param, grad, state, lr, now):
        mean = state["mean"].lerp_(grad, 1 - self.decay)  # (T, …)
        norm = mean.reshape(len(mean), -1).norm(dim=1).clamp_min(1e-12)  # one per trial
        param.sub_(lr * mean / norm.view(-1, *[1] * (mean.dim() - 1)))


@schedules.register("inverse_root")
@dataclass(frozen=True)
class InverseRoot(schedules.Schedule):
    """1 / √(1 + k/τ) at step k: falls fast at first and never reaches 0."""

    tau: float = 20.0

    def shape(self, step, clock):
        return 1 / math.sqrt(1 + step / self.tau)
