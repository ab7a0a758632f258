"""Schedule-free SGD: no schedule, for an average that needs none.

Source: A. Defazio and others, The road less scheduled, 2024, https://arxiv.org/abs/2405.15682,
equations 3 to 5; warm-up, where wanted, is the schedule's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from trainscape.optimizers import Optimizer, register
from trainscape.optimizers._decay import add_penalty
from trainscape.optimizers._schedule_free import advance, average, begin

if TYPE_CHECKING:
    from torch import Tensor

    from trainscape.optimizers import Now


@register("schedule_free_sgd")
@dataclass(frozen=True)
class ScheduleFreeSGD(Optimizer):
    """z ← z − lr · g;  x ← (1−c)x + cz;  y ← (1−β)z + βx, g at y with λy added; evaluated at x.

    Args:
        momentum: β, the share of the average in the point of the gradient.
        weight_decay: λ, the weight of the penalty ‖y‖²/2 on the loss.
        r: step t counts tʳ times as much in the average; 0 counts all alike.
    """

    momentum: Annotated[float, "(0, 1)"] = 0.9
    weight_decay: Annotated[float, "[0, inf)"] = 0.0
    r: Annotated[float, "[0, inf)"] = 0.0

    def init(self, param: Tensor) -> dict[str, Tensor]:
        return begin(param)

    def scalars(self, step: int) -> dict[str, float]:
        return {"weight": step**self.r}

    def update(
        self, param: Tensor, grad: Tensor, state: dict[str, Tensor], lr: Tensor, now: Now
    ) -> None:
        add_penalty(grad, param, self.weight_decay)
        advance(param, grad, state, lr, self.momentum, now["weight"])

    def evaluated(self, param: Tensor, state: dict[str, Tensor]) -> Tensor:
        return average(param, state["z"], self.momentum)
