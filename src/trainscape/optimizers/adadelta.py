"""Adadelta: steps as large as past steps were, over the size of past gradients.

Source: M. D. Zeiler, ADADELTA: an adaptive learning rate method, 2012,
https://arxiv.org/abs/1212.5701, algorithm 1, with the step scaled by lr; as
``torch.optim.Adadelta`` does it.
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


@register("adadelta")
@dataclass(frozen=True)
class Adadelta(Optimizer):
    """v ← ρv + (1−ρ)g²;  Δ = √(u + ε) / √(v + ε) · g;  u ← ρu + (1−ρ)Δ²;  w ← w − lr · Δ.

    λw is added to g first. The paper's rule has lr = 1.

    Args:
        rho: ρ, how much of the running mean squares each step keeps.
        eps: ε, in both roots. The first steps are about √ε long; with none, all would be zero.
        weight_decay: λ, the weight of the penalty ‖w‖²/2 on the loss.
    """

    rho: Annotated[float, "[0, 1)"] = 0.9
    eps: Annotated[float, "(0, inf)"] = 1e-6
    weight_decay: Annotated[float, "[0, inf)"] = 0.0

    def init(self, param: Tensor) -> dict[str, Tensor]:
        return zeros(param, "square", "square_step")

    def update(
        self, param: Tensor, grad: Tensor, state: dict[str, Tensor], lr: Tensor, now: Now
    ) -> None:
        add_penalty(grad, param, self.weight_decay)
        square = state["square"].mul_(self.rho).addcmul_(grad, grad, value=1 - self.rho)
        move = grad.div_(square.add(self.eps).sqrt_())
        steps = state["square_step"]
        move.mul_(steps.add(self.eps).sqrt_())
        steps.mul_(self.rho).addcmul_(move, move, value=1 - self.rho)
        param.addcmul_(move, lr, value=-1)

    def reference(self, params: Iterable[Tensor], lr: float) -> torch.optim.Optimizer:
        from torch import optim

        return optim.Adadelta(params, lr, self.rho, self.eps, self.weight_decay)
