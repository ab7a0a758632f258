"""What Adam and its kin share: running moments of the gradient, which start at zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from trainscape.optimizers import Optimizer, zeros

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Moments(Optimizer):
    """m ← β₁m + (1−β₁)g;  v ← β₂v + (1−β₂)g², both from zero.

    Args:
        beta1: β₁, how much of the running mean each step keeps.
        beta2: β₂, how much of the running mean square each step keeps.
        eps: ε, the floor of the divisor.
        weight_decay: λ; what it weighs is each rule's own.
    """

    beta1: Annotated[float, "[0, 1)"] = 0.9
    beta2: Annotated[float, "[0, 1)"] = 0.999
    eps: Annotated[float, "[0, inf)"] = 1e-8
    weight_decay: Annotated[float, "[0, inf)"] = 0.0

    def init(self, param: Tensor) -> dict[str, Tensor]:
        return zeros(param, "mean", "square")

    def moments(self, grad: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Bring m and v in ``state`` to this step; returns both."""
        mean = state["mean"].lerp_(grad, 1 - self.beta1)
        square = state["square"].mul_(self.beta2).addcmul_(grad, grad, value=1 - self.beta2)
        return mean, square

    def scalars(self, step: int) -> dict[str, float]:
        """What turns m / (√v + ε) into m̂ / (√v̂ + ε), m̂ = m / (1−β₁ᵗ) and v̂ = v / (1−β₂ᵗ).

        That is m · rate / (√v + eps): one division instead of three.
        """
        root = (1 - self.beta2**step) ** 0.5
        return {"eps": self.eps * root, "rate": root / (1 - self.beta1**step)}
