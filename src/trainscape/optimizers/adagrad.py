"""AdaGrad: each weight's rate falls with the sum of its squared gradients.

Source: J. Duchi, E. Hazan and Y. Singer, Adaptive subgradient methods for online learning and
stochastic optimization, 2011, https://jmlr.org/papers/v12/duchi11a.html, the diagonal form; as
``torch.optim.Adagrad`` does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from trainscape.optimizers import Optimizer, register, root
from trainscape.optimizers._decay import add_penalty

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch
    from torch import Tensor

    from trainscape.optimizers import Now


@register("adagrad")
@dataclass(frozen=True)
class Adagrad(Optimizer):
    """s ← s + g²;  w ← w − lr / (1 + (t−1)δ) · g / (√s + ε) at step t, with λw added to g first.

    Args:
        lr_decay: δ, a further fall of the rate with the step.
        weight_decay: λ, the weight of the penalty ‖w‖²/2 on the loss.
        initial_accumulator_value: s before the first step.
        eps: ε, the floor of the divisor.
    """

    lr_decay: Annotated[float, "[0, inf)"] = 0.0
    weight_decay: Annotated[float, "[0, inf)"] = 0.0
    initial_accumulator_value: Annotated[float, "[0, inf)"] = 0.0
    eps: Annotated[float, "[0, inf)"] = 1e-10

    def init(self, param: Tensor) -> dict[str, Tensor]:
        return {"square": param.new_full(param.shape, self.initial_accumulator_value)}

    def scalars(self, step: int) -> dict[str, float]:
        return {"decay": 1 + (step - 1) * self.lr_decay}

    def update(
        self, param: Tensor, grad: Tensor, state: dict[str, Tensor], lr: Tensor, now: Now
    ) -> None:
        add_penalty(grad, param, self.weight_decay)
        divisor = root(state["square"].addcmul_(grad, grad)).add_(self.eps)
        param.addcmul_(grad.div_(divisor), lr / now["decay"], value=-1)

    def reference(self, params: Iterable[Tensor], lr: float) -> torch.optim.Optimizer:
        from torch import optim

        return optim.Adagrad(
            params,
            lr,
            lr_decay=self.lr_decay,
            weight_decay=self.weight_decay,
            initial_accumulator_value=self.initial_accumulator_value,
            eps=self.eps,
        )
