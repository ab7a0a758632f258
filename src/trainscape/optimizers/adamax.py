"""Adamax: Adam with the largest recent gradient in the place of the root mean square.

Source: D. P. Kingma and J. Ba, Adam: a method for stochastic optimization, 2015,
https://arxiv.org/abs/1412.6980, algorithm 2; as ``torch.optim.Adamax`` does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainscape.optimizers import register, zeros
from trainscape.optimizers._decay import add_penalty
from trainscape.optimizers._moments import Moments

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch
    from torch import Tensor

    from trainscape.optimizers import Now


@register("adamax")
@dataclass(frozen=True)
class Adamax(Moments):
    """m ← β₁m + (1−β₁)g;  u ← max(β₂u, |g| + ε);  w ← w − lr · m̂ / u, with λw added to g first.

    At step t, m̂ = m / (1−β₁ᵗ); u needs no such correction.

    Args:
        beta1: β₁, how much of the running mean each step keeps.
        beta2: β₂, how much of the running maximum each step keeps.
        eps: ε, the floor of the maximum.
        weight_decay: λ, the weight of the penalty ‖w‖²/2 on the loss.
    """

    def init(self, param: Tensor) -> dict[str, Tensor]:
        return zeros(param, "mean", "largest")

    def scalars(self, step: int) -> dict[str, float]:
        return {"rate": 1 / (1 - self.beta1**step)}

    def update(
        self, param: Tensor, grad: Tensor, state: dict[str, Tensor], lr: Tensor, now: Now
    ) -> None:
        add_penalty(grad, param, self.weight_decay)
        mean = state["mean"].lerp_(grad, 1 - self.beta1)
        largest = state["largest"].mul_(self.beta2).clamp_min_(grad.abs_().add_(self.eps))
        # without ε a weight that has had no gradient would step by 0 / 0
        divisor = largest.clamp_min(1e-18).div_(lr * now["rate"])
        param.addcdiv_(mean, divisor, value=-1)

    def reference(self, params: Iterable[Tensor], lr: float) -> torch.optim.Optimizer:
        from torch import optim

        return optim.Adamax(
            params, lr, (self.beta1, self.beta2), self.eps, weight_decay=self.weight_decay
        )
