"""Nesterov momentum: the step looks ahead by one more turn of the running sum.

Source: I. Sutskever, J. Martens, G. Dahl and G. Hinton, On the importance of initialization and
momentum in deep learning, 2013, https://proceedings.mlr.press/v28/sutskever13.html, with w taken at
the point looked ahead to; as ``torch.optim.SGD(nesterov=True)`` does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from trainscape.optimizers import Optimizer, register, zeros
from trainscape.optimizers._decay import add_penalty

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

    momentum: Annotated[float, "(0, 1)"] = 0.9
    weight_decay: Annotated[float, "[0, inf)"] = 0.0

    def init(self, param: Tensor) -> dict[str, Tensor]:
        return zeros(param, "velocity")

    def update(
        self, param: Tensor, grad: Tensor, state: dict[str, Tensor], lr: Tensor, now: Now
    ) -> None:
        add_penalty(grad, param, self.weight_decay)
        velocity = state["velocity"].mul_(self.momentum).add_(grad)
        param.addcmul_(grad.add_(velocity, alpha=self.momentum), lr, value=-1)

    def reference(self, params: Iterable[Tensor], lr: float) -> torch.optim.Optimizer:
        from torch import optim

        return optim.SGD(params, lr, self.momentum, weight_decay=self.weight_decay, nesterov=True)
