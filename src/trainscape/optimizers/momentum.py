"""Momentum: the step follows a decaying sum of past gradients.

Source: Polyak, Some methods of speeding up the convergence of iteration methods, 1964; as
``torch.optim.SGD`` does it, which scales by lr on the way out: a change of lr acts at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainscape.checks import numbers
from trainscape.optimizers import Optimizer, register

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch
    from torch import Tensor

    from trainscape.optimizers import Now


@register("momentum")
@dataclass(frozen=True)
class Momentum(Optimizer):
    """b ← μb + (1−τ)g;  w ← w − lr · b, with λw added to g first. The first b is g itself.

    Under a constant gradient and τ = 0 the step grows to 1 / (1−μ) times lr · g.

    Args:
        momentum: μ, how much of the running sum each step keeps.
        dampening: τ, what is held back of each gradient after the first.
        weight_decay: λ, the weight of the penalty ‖w‖²/2 on the loss.
    """

    momentum: float = 0.9
    dampening: float = 0.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        numbers(self, "[0, 1)", "momentum")
        numbers(self, "[0, 1]", "dampening")
        numbers(self, "[0, inf)", "weight_decay")

    def init(self, param: Tensor) -> dict[str, Tensor]:
        return {"velocity": param.new_zeros(param.shape)}

    def scalars(self, step: int) -> dict[str, float]:
        return {"share": 1.0 if step == 1 else 1 - self.dampening}

    def update(
        self, param: Tensor, grad: Tensor, state: dict[str, Tensor], lr: Tensor, now: Now
    ) -> None:
        if self.weight_decay:
            grad.add_(param, alpha=self.weight_decay)
        velocity = state["velocity"].mul_(self.momentum)
        if self.dampening:
            velocity.addcmul_(grad, now["share"])
        else:
            velocity.add_(grad)
        param.addcmul_(velocity, lr, value=-1)

    def reference(self, params: Iterable[Tensor], lr: float) -> torch.optim.Optimizer:
        from torch import optim

        return optim.SGD(params, lr, self.momentum, self.dampening, self.weight_decay)
