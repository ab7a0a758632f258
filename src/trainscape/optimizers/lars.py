"""LARS: momentum whose rate is set layer by layer, by the size of weights and gradient.

Source: Y. You, I. Gitman and B. Ginsburg, Large batch training of convolutional networks, 2017,
https://arxiv.org/abs/1708.03888, algorithm 1. Biases and gains of normalisation (one dimension) are
neither scaled nor decayed, and lr scales on the way out, as in the implementations in use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from trainscape.optimizers import Optimizer, register, zeros
from trainscape.optimizers._decay import add_penalty
from trainscape.optimizers._norms import norms, ratio

if TYPE_CHECKING:
    from torch import Tensor

    from trainscape.optimizers import Now


@register("lars")
@dataclass(frozen=True)
class LARS(Optimizer):
    """b ← μb + η‖w‖ / (‖g‖ + λ‖w‖) · (g + λw);  w ← w − lr · b, norms over a parameter.

    Where w or g vanishes, the factor is 1; for parameters of one dimension it is 1 and λ is 0.

    Args:
        momentum: μ, how much of the running sum each step keeps.
        weight_decay: λ, the weight of the penalty ‖w‖²/2 on the loss.
        trust_coefficient: η, the share of its length by which w moves at lr = 1 and μ = 0.
    """

    elementwise: ClassVar[bool] = False

    momentum: Annotated[float, "[0, 1)"] = 0.9
    weight_decay: Annotated[float, "[0, inf)"] = 0.0
    trust_coefficient: Annotated[float, "(0, inf)"] = 0.001

    def init(self, param: Tensor) -> dict[str, Tensor]:
        return zeros(param, "velocity")

    def update(
        self, param: Tensor, grad: Tensor, state: dict[str, Tensor], lr: Tensor, now: Now
    ) -> None:
        velocity = state["velocity"].mul_(self.momentum)
        if param.dim() > 2:  # the first dimension is the trial
            velocity.add_(self._trusted(param, grad))
        else:
            velocity.add_(grad)
        param.addcmul_(velocity, lr, value=-1)

    def _trusted(self, param: Tensor, grad: Tensor) -> Tensor:
        """The gradient with its penalty, as long as a share η of the weights."""
        weight, slope = norms(param), norms(grad)
        add_penalty(slope, weight, self.weight_decay)
        add_penalty(grad, param, self.weight_decay)
        return grad.mul_(ratio(weight.mul_(self.trust_coefficient), slope))
