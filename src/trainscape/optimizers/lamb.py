"""LAMB: Adam's direction, layer by layer as long as the weights.

Source: You and others, Large batch optimization for deep learning: training BERT in 76 minutes,
2020, algorithm 2 with φ(z) = z.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from trainscape.checks import numbers
from trainscape.optimizers import Optimizer, register, root
from trainscape.optimizers._norms import norms, ratio

if TYPE_CHECKING:
    from torch import Tensor

    from trainscape.optimizers import Now


@register("lamb")
@dataclass(frozen=True)
class LAMB(Optimizer):
    """d = m̂ / (√v̂ + ε) + λw;  w ← w − lr · ‖w‖ / ‖d‖ · d, m̂ and v̂ as in Adam.

    Norms are over a parameter. Where w or d vanishes, as a bias may at the start, the factor is 1.

    Args:
        beta1: β₁, how much of the running mean each step keeps.
        beta2: β₂, how much of the running mean square each step keeps.
        eps: ε, the floor of the divisor.
        weight_decay: λ, how much of w is in the direction.
    """

    elementwise: ClassVar[bool] = False

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-6
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        numbers(self, "[0, 1)", "beta1", "beta2")
        numbers(self, "[0, inf)", "eps", "weight_decay")

    def init(self, param: Tensor) -> dict[str, Tensor]:
        return {"mean": param.new_zeros(param.shape), "square": param.new_zeros(param.shape)}

    def scalars(self, step: int) -> dict[str, float]:
        root = (1 - self.beta2**step) ** 0.5
        return {"eps": self.eps * root, "rate": root / (1 - self.beta1**step)}

    def update(
        self, param: Tensor, grad: Tensor, state: dict[str, Tensor], lr: Tensor, now: Now
    ) -> None:
        mean = state["mean"].lerp_(grad, 1 - self.beta1)
        square = state["square"].mul_(self.beta2).addcmul_(grad, grad, value=1 - self.beta2)
        divisor = root(square).add_(now["eps"]).div_(now["rate"])
        direction = grad.copy_(mean).div_(divisor)
        if self.weight_decay:
            direction.add_(param, alpha=self.weight_decay)
        param.addcmul_(direction, ratio(norms(param), norms(direction)).mul_(lr), value=-1)
