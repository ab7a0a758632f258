"""Adam: a step scaled by running moments of the gradient.

Source: D. P. Kingma and J. Ba, Adam: a method for stochastic optimization, 2015,
https://arxiv.org/abs/1412.6980, algorithm 1, in the order of operations that the end of its
section 2 recommends; as ``torch.optim.Adam`` does it.
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


@register("adam")
@dataclass(frozen=True)
class Adam(Moments):
    """m ← β₁m + (1−β₁)g;  v ← β₂v + (1−β₂)g²;  w ← w − lr · m̂ / (√v̂ + ε), with λw added to g first.

    At step t, m̂ = m / (1−β₁ᵗ) and v̂ = v / (1−β₂ᵗ): both start at zero, and this makes up for it.

    Args:
        beta1: β₁, how much of the running mean each step keeps.
        beta2: β₂, how much of the running mean square each step keeps.
        eps: ε, the floor of the divisor.
        weight_decay: λ, the weight of the penalty ‖w‖²/2 on the loss.
    """

    def update(
        self, param: Tensor, grad: Tensor, state: dict[str, Tensor], lr: Tensor, now: Now
    ) -> None:
        add_penalty(grad, param, self.weight_decay)
        self.descend(param, grad, state, lr, now)

    def descend(
        self, param: Tensor, grad: Tensor, state: dict[str, Tensor], lr: Tensor, now: Now
    ) -> None:
        """The rule without its weight decay; the arguments are those of :meth:`update`."""
        mean, square = self.moments(grad, state)
        # The corrections go into ε and the rate, and the rate into the divisor: one temporary of
        # param's size. A second one made this four times slower (84 × 4,810 weights, glibc).
        divisor = root(square).add_(now["eps"]).div_(lr * now["rate"])
        param.addcdiv_(mean, divisor, value=-1)

    def reference(self, params: Iterable[Tensor], lr: float) -> torch.optim.Optimizer:
        from torch import optim

        return optim.Adam(
            params, lr, (self.beta1, self.beta2), self.eps, weight_decay=self.weight_decay
        )
