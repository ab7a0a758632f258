"""RMSprop: the gradient over the root of its running mean square.

Source: T. Tieleman and G. Hinton, Neural networks for machine learning, lecture 6.5, 2012,
https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf (no paper); centred after
A. Graves, Generating sequences with recurrent neural networks, 2013,
https://arxiv.org/abs/1308.0850; as ``torch.optim.RMSprop`` does it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from trainscape.optimizers import Optimizer, register, root, zeros
from trainscape.optimizers._decay import add_penalty

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch
    from torch import Tensor

    from trainscape.optimizers import Now


@register("rmsprop")
@dataclass(frozen=True)
class RMSprop(Optimizer):
    """v ← αv + (1−α)g²;  b ← μb + g / (√v + ε);  w ← w − lr · b, with λw added to g first.

    Centred, a running mean m ← αm + (1−α)g makes the root √(v − m²), an estimate of the spread.

    Args:
        alpha: α, how much of the running means each step keeps.
        eps: ε, the floor of the divisor, outside the root.
        weight_decay: λ, the weight of the penalty ‖w‖²/2 on the loss.
        momentum: μ, how much of the running step b each step keeps.
        centered: whether the mean is taken out of the mean square.
    """

    alpha: Annotated[float, "[0, 1)"] = 0.99
    eps: Annotated[float, "[0, inf)"] = 1e-8
    weight_decay: Annotated[float, "[0, inf)"] = 0.0
    momentum: Annotated[float, "[0, 1)"] = 0.0
    centered: bool = False

    def init(self, param: Tensor) -> dict[str, Tensor]:
        mean = ["mean"] if self.centered else []
        velocity = ["velocity"] if self.momentum else []
        return zeros(param, "square", *mean, *velocity)

    def update(
        self, param: Tensor, grad: Tensor, state: dict[str, Tensor], lr: Tensor, now: Now
    ) -> None:
        add_penalty(grad, param, self.weight_decay)
        square = state["square"].mul_(self.alpha).addcmul_(grad, grad, value=1 - self.alpha)
        if self.centered:
            mean = state["mean"].lerp_(grad, 1 - self.alpha)
            divisor = root(square.addcmul(mean, mean, value=-1)).add_(self.eps)
        else:
            divisor = root(square).add_(self.eps)
        move = grad.div_(divisor)
        if self.momentum:
            move = state["velocity"].mul_(self.momentum).add_(move)
        param.addcmul_(move, lr, value=-1)

    def reference(self, params: Iterable[Tensor], lr: float) -> torch.optim.Optimizer:
        from torch import optim

        return optim.RMSprop(
            params,
            lr,
            alpha=self.alpha,
            eps=self.eps,
            weight_decay=self.weight_decay,
            momentum=self.momentum,
            centered=self.centered,
        )
