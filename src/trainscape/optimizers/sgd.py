"""SGD: a step against the gradient.

Source: Robbins and Monro, A stochastic approximation method, 1951; as ``torch.optim.SGD`` does it.
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


@register("sgd")
@dataclass(frozen=True)
class SGD(Optimizer):
    """w ← w − lr · g, with λw added to g first.

    Args:
        weight_decay: λ, the weight of the penalty ‖w‖²/2 on the loss.
    """

    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        numbers(self, "[0, inf)", "weight_decay")

    def update(
        self, param: Tensor, grad: Tensor, state: dict[str, Tensor], lr: Tensor, now: Now
    ) -> None:
        if self.weight_decay:
            grad.add_(param, alpha=self.weight_decay)
        param.addcmul_(grad, lr, value=-1)

    def reference(self, params: Iterable[Tensor], lr: float) -> torch.optim.Optimizer:
        from torch import optim

        return optim.SGD(params, lr, weight_decay=self.weight_decay)
