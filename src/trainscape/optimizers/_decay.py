"""Weight decay in its two forms: through the gradient, or past it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def add_penalty(grad: Tensor, param: Tensor, weight_decay: float) -> None:
    """Add the gradient of the penalty λ‖w‖²/2 on the loss, in place: g ← g + λw.

    Args:
        grad: g, or another direction that w is to be in, any shape.
        param: w, shaped like ``grad``.
        weight_decay: λ.
    """
    if weight_decay:
        grad.add_(param, alpha=weight_decay)


def shrink(param: Tensor, lr: Tensor, weight_decay: float) -> None:
    """Shrink the weights in place, past every moment of the gradient: w ← (1 − lr · λ)w.

    Args:
        param: w, any shape.
        lr: the learning rate, broadcastable to w.
        weight_decay: λ.
    """
    if weight_decay:
        param.mul_(1 - lr * weight_decay)
