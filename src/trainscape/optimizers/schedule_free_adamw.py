"""Schedule-free AdamW: no schedule, for an average that takes the place of Adam's mean.

Source: A. Defazio and others, The road less scheduled, 2024, https://arxiv.org/abs/2405.15682,
algorithm 1, with the decay at y and the correction in v, as the ``schedulefree`` package has it;
warm-up, where wanted, is the schedule's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from trainscape.optimizers import Optimizer, register, root, zeros
from trainscape.optimizers._decay import add_penalty
from trainscape.optimizers._schedule_free import advance, average, begin

if TYPE_CHECKING:
    from torch import Tensor

    from trainscape.optimizers import Now


@register("schedule_free_adamw")
@dataclass(frozen=True)
class ScheduleFreeAdamW(Optimizer):
    """v ← β₂v + (1−β₂)g²;  z ← z − lr(g / (√v̂ + ε) + λy);  x ← (1−c)x + cz;  y ← (1−β₁)z + β₁x.

    At step t, v̂ = v / (1−β₂ᵗ). Gradients are taken at y, the model is evaluated at x.

    Args:
        beta1: β₁, the share of the average in the point of the gradient.
        beta2: β₂, how much of the running mean square each step keeps.
        eps: ε, the floor of the divisor.
        weight_decay: λ, the share of a weight that a step at lr = 1 would take off.
        r: step t counts tʳ times as much in the average; 0 counts all alike.
    """

    beta1: Annotated[float, "(0, 1)"] = 0.9
    beta2: Annotated[float, "[0, 1)"] = 0.999
    eps: Annotated[float, "[0, inf)"] = 1e-8
    weight_decay: Annotated[float, "[0, inf)"] = 0.0
    r: Annotated[float, "[0, inf)"] = 0.0

    def init(self, param: Tensor) -> dict[str, Tensor]:
        return {**zeros(param, "square"), **begin(param)}

    def scalars(self, step: int) -> dict[str, float]:
        return {"weight": step**self.r, "root": (1 - self.beta2**step) ** 0.5}

    def update(
        self, param: Tensor, grad: Tensor, state: dict[str, Tensor], lr: Tensor, now: Now
    ) -> None:
        square = state["square"].mul_(self.beta2).addcmul_(grad, grad, value=1 - self.beta2)
        direction = grad.div_(root(square).div_(now["root"]).add_(self.eps))
        add_penalty(direction, param, self.weight_decay)
        advance(param, direction, state, lr, self.beta1, now["weight"])

    def evaluated(self, param: Tensor, state: dict[str, Tensor]) -> Tensor:
        return average(param, state["z"], self.beta1)
