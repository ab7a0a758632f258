"""Nesterov momentum: the step looks ahead by one more turn of the running sum.

Source: Sutskever and others, On the importance of initialization and momentum in deep learning,
2013, with w taken at the point looked ahead to; as ``torch.optim.SGD(nesterov=True)`` does it.
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


@register("nesterov")
@dataclass(frozen=True)
class Nesterov(Optimizer):
    """b ← μb + g;  w ← w − lr · (g + μb), with λw added to g first.

    Args:
        momentum: μ, how much of the running sum each step keeps; above 0, else it is sgd.
        weight_decay: λ, the weight of the penalty ‖w‖²/2 on the loss.
    """

    momentum: float = 0.9
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        numbers(self, "(0, 1)", "momentum")
        numbers(self, "[0, inf)", "weight_decay")

    def init(self, param: Tensor) -> dict[str, Tensor]:
        return {"velocity": param.new_zeros(param.shape)}

    def update(
        self, param: Tensor, grad: Tensor, state: dict[str, Tensor], lr: Tensor, now: Now
    ) -> None:
        if self.weight_decay:
            grad.add_(param, alpha=self.weight_decay)
        velocity = state["velocity"].mul_(self.momentum).add_(grad)
        param.addcmul_(grad.add_(velocity, alpha=self.momentum), lr, value=-1)

    def reference(self, params: Iterable[Tensor], lr: float) -> torch.optim.Optimizer:
        from torch import optim

        return optim.SGD(params, lr, self.momentum, weight_decay=self.weight_decay, nesterov=True)
