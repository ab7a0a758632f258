"""AdamW: Adam whose weight decay acts on the weights, not through the moments.

Source: I. Loshchilov and F. Hutter, Decoupled weight decay regularization, 2019,
https://arxiv.org/abs/1711.05101, algorithm 2 with the decay scaled by lr; as
``torch.optim.AdamW`` does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from trainscape.optimizers import register
from trainscape.optimizers._decay import shrink
from trainscape.optimizers.adam import Adam

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch
    from torch import Tensor

    from trainscape.optimizers import Now


@register("adamw")
@dataclass(frozen=True)
class AdamW(Adam):
    """w ← (1 − lr · λ)w, then Adam's step on the bare gradient.

    Args:
        beta1: β₁, how much of the running mean each step keeps.
        beta2: β₂, how much of the running mean square each step keeps.
        eps: ε, the floor of the divisor.
        weight_decay: λ, the share of a weight that a step at lr = 1 would take off.
    """

    weight_decay: Annotated[float, "[0, inf)"] = 0.01

    def update(
        self, param: Tensor, grad: Tensor, state: dict[str, Tensor], lr: Tensor, now: Now
    ) -> None:
        shrink(param, lr, self.weight_decay)
        self.descend(param, grad, state, lr, now)

    def reference(self, params: Iterable[Tensor], lr: float) -> torch.optim.Optimizer:
        from torch import optim

        return optim.AdamW(
            params, lr, (self.beta1, self.beta2), self.eps, weight_decay=self.weight_decay
        )
