"""LAMB: Adam's direction, layer by layer as long as the weights.

Source: Y. You and others, Large batch optimization for deep learning: training BERT in 76 minutes,
2020, https://arxiv.org/abs/1904.00962, algorithm 2 with φ(z) = z.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from trainscape.optimizers import register, root
from trainscape.optimizers._decay import add_penalty
from trainscape.optimizers._moments import Moments
from trainscape.optimizers._norms import norms, ratio

if TYPE_CHECKING:
    from torch import Tensor

    from trainscape.optimizers import Now


@register("lamb")
@dataclass(frozen=True)
class LAMB(Moments):
    """d = m̂ / (√v̂ + ε) + λw;  w ← w − lr · ‖w‖ / ‖d‖ · d, m̂ and v̂ as in Adam.

    Norms are over a parameter. Where w or d vanishes, as a bias may at the start, the factor is 1.

    Args:
        beta1: β₁, how much of the running mean each step keeps.
        beta2: β₂, how much of the running mean square each step keeps.
        eps: ε, the floor of the divisor.
        weight_decay: λ, how much of w is in the direction.
    """

    elementwise: ClassVar[bool] = False

    eps: Annotated[float, "[0, inf)"] = 1e-6
    weight_decay: Annotated[float, "[0, inf)"] = 0.01

    def update(
        self, param: Tensor, grad: Tensor, state: dict[str, Tensor], lr: Tensor, now: Now
    ) -> None:
        mean, square = self.moments(grad, state)
        divisor = root(square).add_(now["eps"]).div_(now["rate"])
        direction = grad.copy_(mean).div_(divisor)
        add_penalty(direction, param, self.weight_decay)
        param.addcmul_(direction, ratio(norms(param), norms(direction)).mul_(lr), value=-1)
