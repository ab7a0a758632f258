"""NAdam: Adam with Nesterov's look-ahead in its mean.

Source: T. Dozat, Incorporating Nesterov momentum into Adam, 2016,
https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ, algorithm 2 with its schedule of μ; as
``torch.optim.NAdam`` does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated

from trainscape.optimizers import register, root
from trainscape.optimizers._decay import add_penalty
from trainscape.optimizers._moments import Moments

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch
    from torch import Tensor

    from trainscape.optimizers import Now


@register("nadam")
@dataclass(frozen=True)
class NAdam(Moments):
    """w ← w − lr · ((1−μₜ) / (1−Π) · g + μₜ₊₁ / (1−Πμₜ₊₁) · m) / (√v̂ + ε), m and v as in Adam.

    At step t, μₜ = β₁(1 − 0.96^(tψ) / 2), Π = μ₁…μₜ and v̂ = v / (1−β₂ᵗ). λw is added to g first.

    Args:
        beta1: β₁, how much of the running mean each step keeps.
        beta2: β₂, how much of the running mean square each step keeps.
        eps: ε, the floor of the divisor.
        weight_decay: λ, the weight of the penalty ‖w‖²/2 on the loss.
        momentum_decay: ψ, how fast μ rises from β₁/2 to β₁.
    """

    momentum_decay: Annotated[float, "[0, inf)"] = 0.004

    def scalars(self, step: int) -> dict[str, float]:
        root = (1 - self.beta2**step) ** 0.5
        here, there = (_momentum(self.beta1, self.momentum_decay, t) for t in (step, step + 1))
        product = _product(self.beta1, self.momentum_decay, step)
        # √v̂ + ε = (√v + ε·root) / root: the correction goes into ε and into both shares
        return {
            "eps": self.eps * root,
            "grad": root * (1 - here) / (1 - product),
            "mean": root * there / (1 - product * there),
        }

    def update(
        self, param: Tensor, grad: Tensor, state: dict[str, Tensor], lr: Tensor, now: Now
    ) -> None:
        add_penalty(grad, param, self.weight_decay)
        mean, square = self.moments(grad, state)
        ahead = grad.mul_(now["grad"]).addcmul_(mean, now["mean"])
        param.addcdiv_(ahead, root(square).add_(now["eps"]).div_(lr), value=-1)

    def reference(self, params: Iterable[Tensor], lr: float) -> torch.optim.Optimizer:
        from torch import optim

        betas = self.beta1, self.beta2
        return optim.NAdam(params, lr, betas, self.eps, self.weight_decay, self.momentum_decay)


def _momentum(beta1: float, decay: float, step: int) -> float:
    """μ of a step."""
    return beta1 * (1 - 0.5 * float(0.96 ** (step * decay)))


def _product(beta1: float, decay: float, step: int) -> float:
    """μ₁…μₜ, which has no closed form: multiplied on from the longest known."""
    known = _products(beta1, decay)
    while len(known) <= step:
        known.append(known[-1] * _momentum(beta1, decay, len(known)))
    return known[step]


@cache
def _products(beta1: float, decay: float) -> list[float]:
    return [1.0]
