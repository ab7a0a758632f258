"""SGD: a step against the gradient.

Source: H. Robbins and S. Monro, A stochastic approximation method, 1951,
https://doi.org/10.1214/aoms/1177729586; as ``torch.optim.SGD`` does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from trainscape.optimizers import Optimizer, register
from trainscape.optimizers._decay import add_penalty

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

    weight_decay: Annotated[float, "[0, inf)"] = 0.0

    def update(
        self, param: Tensor, grad: Tensor, state: dict[str, Tensor], lr: Tensor, now: Now
    ) -> None:
        add_penalty(grad, param, self.weight_decay)
        param.addcmul_(grad, lr, value=-1)

    def reference(self, params: Iterable[Tensor], lr: float) -> torch.optim.Optimizer:
        from torch import optim

        return optim.SGD(params, lr, weight_decay=self.weight_decay)
