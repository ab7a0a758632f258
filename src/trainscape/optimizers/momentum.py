"""Momentum: the step follows a decaying sum of past gradients.

Source: B. T. Polyak, Some methods of speeding up the convergence of iteration methods, 1964,
https://doi.org/10.1016/0041-5553(64)90137-5; as ``torch.optim.SGD`` does it, which scales by lr on
the way out: a change of lr acts at once.
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


@register("momentum")
@dataclass(frozen=True)
class Momentum(Optimizer):
    """b ← μb + (1−τ)g;  w ← w − lr · b, with λw added to g first. The first b is g itself.

    Under a constant gradient and τ = 0 the step grows to 1 / (1−μ) times lr · g.

    Args:
        momentum: μ, how much of the running sum each step keeps.
        dampening: τ, what is held back of each gradient after the first.
        weight_decay: λ, the weight of the penalty ‖w‖²/2 on the loss.
    """

    momentum: Annotated[float, "[0, 1)"] = 0.9
    dampening: Annotated[float, "[0, 1]"] = 0.0
    weight_decay: Annotated[float, "[0, inf)"] = 0.0

    def init(self, param: Tensor) -> dict[str, Tensor]:
        return zeros(param, "velocity")

    def scalars(self, step: int) -> dict[str, float]:
        return {"share": 1.0 if step == 1 else 1 - self.dampening}

    def update(
        self, param: Tensor, grad: Tensor, state: dict[str, Tensor], lr: Tensor, now: Now
    ) -> None:
        add_penalty(grad, param, self.weight_decay)
        velocity = state["velocity"].mul_(self.momentum)
        if self.dampening:
            velocity.addcmul_(grad, now["share"])
        else:
            velocity.add_(grad)
        param.addcmul_(velocity, lr, value=-1)

    def reference(self, params: Iterable[Tensor], lr: float) -> torch.optim.Optimizer:
        from torch import optim

        return optim.SGD(params, lr, self.momentum, self.dampening, self.weight_decay)
