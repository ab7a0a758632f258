"""Muon: momentum whose step is made orthogonal, matrix by matrix; AdamW for what is no matrix.

Source: K. Jordan and others, Muon: an optimizer for hidden layers in neural networks, 2024,
https://kellerjordan.github.io/posts/muon/, and its code, whose defaults these are; the other scale
is of J. Liu and others, Muon is scalable for LLM training, 2025, https://arxiv.org/abs/2502.16982.
The code multiplies in bfloat16, and so does ``torch.optim.Muon``; here it is the weights' own
precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from trainscape.optimizers import Optimizer, register, zeros
from trainscape.optimizers._decay import shrink
from trainscape.optimizers._newton_schulz import orthogonal
from trainscape.optimizers.adamw import AdamW

if TYPE_CHECKING:
    from torch import Tensor

    from trainscape.optimizers import Now


@register("muon")
@dataclass(frozen=True)
class Muon(Optimizer):
    """b ← μb + (1−μ)g;  w ← (1 − lr · λ)w − lr · s · O((1−μ)g + μb), O(USVᵀ) ≈ UVᵀ.

    For weights (m, n) of linear layers and (o, i, h, w) of convolutions, taken as (o, i·h·w): every
    parameter of two dimensions or more. All others, such as biases, take AdamW's step at a rate of
    their own, ``adamw_lr`` · lr. (The authors give embeddings and the last layer to AdamW, too; a
    rule sees a parameter, not its place in the model.)

    Args:
        momentum: μ, how much of the running mean each step keeps.
        nesterov: whether the step looks ahead; else it is O(b).
        weight_decay: λ, the share of a weight that a step at lr = 1 would take off.
        ns_coefficients: of the Newton–Schulz iteration for O.
        ns_steps: its iterations.
        eps: the floor of the divisor at its start.
        adjust_lr_fn: the scale s: ``original``, √max(1, m/n), or ``match_rms_adamw``,
            0.2 · √max(m, n), with which AdamW's rates fit. Named as in torch.
        adamw_lr: AdamW's rate as a multiple of lr; the code's 0.0003 to 0.02.
        adamw_beta1: AdamW's β₁.
        adamw_beta2: AdamW's β₂.
        adamw_eps: AdamW's ε.
        adamw_weight_decay: AdamW's λ.
    """

    elementwise: ClassVar[bool] = False

    momentum: Annotated[float, "[0, 1)"] = 0.95
    nesterov: bool = True
    weight_decay: Annotated[float, "[0, inf)"] = 0.0
    ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315)
    ns_steps: Annotated[int, "[1, inf)"] = 5
    eps: Annotated[float, "(0, inf)"] = 1e-7
    adjust_lr_fn: Literal["original", "match_rms_adamw"] = "original"
    adamw_lr: Annotated[float, "[0, inf)"] = 0.015
    adamw_beta1: Annotated[float, "[0, 1)"] = 0.9
    adamw_beta2: Annotated[float, "[0, 1)"] = 0.95
    adamw_eps: Annotated[float, "[0, inf)"] = 1e-10
    adamw_weight_decay: Annotated[float, "[0, inf)"] = 0.0

    @cached_property
    def adamw(self) -> AdamW:
        """The rule for what is no matrix."""
        return AdamW(self.adamw_beta1, self.adamw_beta2, self.adamw_eps, self.adamw_weight_decay)

    def init(self, param: Tensor) -> dict[str, Tensor]:
        if _whole(param):
            return zeros(param, "mean")
        return self.adamw.init(param)

    def scalars(self, step: int) -> dict[str, float]:
        return self.adamw.scalars(step)

    def update(
        self, param: Tensor, grad: Tensor, state: dict[str, Tensor], lr: Tensor, now: Now
    ) -> None:
        if not _whole(param):
            self.adamw.update(param, grad, state, lr * self.adamw_lr, now)
            return
        mean = state["mean"].lerp_(grad, 1 - self.momentum)
        ahead = grad.lerp_(mean, self.momentum) if self.nesterov else mean
        matrices = ahead.reshape(*ahead.shape[:2], -1)
        move = orthogonal(matrices, self.ns_coefficients, self.ns_steps, self.eps)
        shrink(param, lr, self.weight_decay)
        scale = self._scale(*matrices.shape[1:])
        param.addcmul_(move.reshape(param.shape), lr, value=-scale)

    def _scale(self, rows: int, columns: int) -> float:
        if self.adjust_lr_fn == "original":
            return float(max(1, rows / columns) ** 0.5)
        return float(0.2 * max(rows, columns) ** 0.5)


def _whole(param: Tensor) -> bool:
    """Whether a parameter of T trials, (T, …), is a matrix, or a convolution's weights."""
    return param.dim() > 2
