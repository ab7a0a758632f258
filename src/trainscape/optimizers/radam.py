"""RAdam: Adam that goes without its divisor until the divisor's own variance is small.

Source: L. Liu and others, On the variance of the adaptive learning rate and beyond, 2020,
https://arxiv.org/abs/1908.03265, algorithm 2, rectified from ρₜ > 5 on as the authors' code has it;
as ``torch.optim.RAdam`` does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainscape.optimizers import register, root
from trainscape.optimizers._decay import add_penalty
from trainscape.optimizers._moments import Moments

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch
    from torch import Tensor

    from trainscape.optimizers import Now


@register("radam")
@dataclass(frozen=True)
class RAdam(Moments):
    """w ← w − lr · rₜ · m̂ · √(1−β₂ᵗ) / (√v + ε) if ρₜ > 5, else w ← w − lr · m̂; m, v, m̂ as in Adam.

    ρ∞ = 2 / (1−β₂) − 1,  ρₜ = ρ∞ − 2tβ₂ᵗ / (1−β₂ᵗ): how many gradients v is worth;
    rₜ² = (ρₜ−4)(ρₜ−2)ρ∞ / ((ρ∞−4)(ρ∞−2)ρₜ). λw is added to g first.

    Args:
        beta1: β₁, how much of the running mean each step keeps.
        beta2: β₂, how much of the running mean square each step keeps.
        eps: ε, the floor of the divisor.
        weight_decay: λ, the weight of the penalty ‖w‖²/2 on the loss.
    """

    def scalars(self, step: int) -> dict[str, float]:
        rate, kept = 1 / (1 - self.beta1**step), self.beta2**step
        last = 2 / (1 - self.beta2) - 1
        length = last - 2 * step * kept / (1 - kept)
        if length <= 5:
            return {"rate": rate, "adaptive": 0.0, "plain": 1.0}
        rectified = (length - 4) * (length - 2) * last / ((last - 4) * (last - 2) * length)
        return {"rate": rate * (rectified * (1 - kept)) ** 0.5, "adaptive": 1.0, "plain": 0.0}

    def update(
        self, param: Tensor, grad: Tensor, state: dict[str, Tensor], lr: Tensor, now: Now
    ) -> None:
        add_penalty(grad, param, self.weight_decay)
        mean, square = self.moments(grad, state)
        # one program for both kinds of step: the divisor is (√v + ε) · 1 + 0, or · 0 + 1
        divisor = root(square).add_(self.eps).mul_(now["adaptive"]).add_(now["plain"])
        param.addcdiv_(mean, divisor.div_(lr * now["rate"]), value=-1)

    def reference(self, params: Iterable[Tensor], lr: float) -> torch.optim.Optimizer:
        from torch import optim

        return optim.RAdam(params, lr, (self.beta1, self.beta2), self.eps, self.weight_decay)
