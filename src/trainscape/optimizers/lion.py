"""Lion: steps of one size, in the direction of the sign of a mean gradient.

Source: X. Chen and others, Symbolic discovery of optimization algorithms, 2023,
https://arxiv.org/abs/2302.06675, algorithm 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from trainscape.optimizers import Optimizer, register, zeros
from trainscape.optimizers._decay import shrink

if TYPE_CHECKING:
    from torch import Tensor

    from trainscape.optimizers import Now


@register("lion")
@dataclass(frozen=True)
class Lion(Optimizer):
    """w ← (1 − lr · λ)w − lr · sign(β₁m + (1−β₁)g);  m ← β₂m + (1−β₂)g.

    Its steps are longer than Adam's: the paper takes a rate 3 to 10 times lower.

    Args:
        beta1: β₁, the share of the running mean in a step.
        beta2: β₂, how much of the running mean each step keeps.
        weight_decay: λ, the share of a weight that a step at lr = 1 would take off.
    """

    beta1: Annotated[float, "[0, 1)"] = 0.9
    beta2: Annotated[float, "[0, 1)"] = 0.99
    weight_decay: Annotated[float, "[0, inf)"] = 0.0

    def init(self, param: Tensor) -> dict[str, Tensor]:
        return zeros(param, "mean")

    def update(
        self, param: Tensor, grad: Tensor, state: dict[str, Tensor], lr: Tensor, now: Now
    ) -> None:
        shrink(param, lr, self.weight_decay)
        direction = state["mean"].lerp(grad, 1 - self.beta1).sign_()
        state["mean"].lerp_(grad, 1 - self.beta2)
        param.addcmul_(direction, lr, value=-1)
