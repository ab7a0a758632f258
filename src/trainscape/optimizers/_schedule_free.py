"""What schedule-free rules share: three sequences of weights, of which two are stored.

Source: A. Defazio and others, The road less scheduled, 2024, https://arxiv.org/abs/2405.15682, with
the weights of the average of its section 4 and of the ``schedulefree`` package.

z takes the base rule's steps, x is the average of all z, and gradients are taken at
y = (1−β)z + βx. The model trains at y and is evaluated at x; y and z are what is stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def begin(param: Tensor) -> dict[str, Tensor]:
    """The state before the first step: z, and of each trial the largest rate and sum of weights."""
    one = param[..., :1]
    return {
        "z": param.clone(),
        "largest_lr": one.new_zeros(one.shape),
        "sum": one.new_zeros(one.shape),
    }


def advance(
    y: Tensor, step: Tensor, state: dict[str, Tensor], lr: Tensor, beta: float, weight: Tensor
) -> None:
    """One step: z ← z − lr · step;  x ← (1−c)x + cz;  y ← (1−β)z + βx, in place on y and state.

    c is this step's share in the sum of all steps' weights, each ``weight`` times the square of the
    largest rate so far, so that steps of a warm-up count little.

    Args:
        y: the parameters.
        step: the base rule's direction, shaped like y.
        state: as :func:`begin` made it.
        lr: the learning rate, broadcastable to y.
        beta: β, the share of the average in y.
        weight: the number of the step to the power r, of no dimension.
    """
    largest = state["largest_lr"].clamp_min_(lr)
    mine = largest.square().mul_(weight)
    # before the first rate above 0 both are 0, and so is the share
    share = mine / state["sum"].add_(mine).clamp_min(1e-38)
    y.addcmul_(state["z"].sub(y), share)
    y.addcmul_(step, lr * (1 - (1 - share) * beta), value=-1)
    state["z"].addcmul_(step, lr, value=-1)


def average(y: Tensor, z: Tensor, beta: float) -> Tensor:
    """The average, x = (y − (1−β)z) / β."""
    return y.mul(1 / beta).add_(z, alpha=1 - 1 / beta)
