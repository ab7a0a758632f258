"""What regressions are trained on and judged by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape.workloads._base import Metric, example_mean

if TYPE_CHECKING:
    from torch import Tensor


@example_mean
def mean_squared_error(output: Tensor, target: Tensor) -> Tensor:
    """The mean over all elements of (output − target)².

    Raises:
        ValueError: the shapes differ. Broadcast, (B, 1) against (B,) would compare every output
            with every target.
    """
    if output.shape != target.shape:
        raise ValueError(
            f"the model's output is {tuple(output.shape)}, the target {tuple(target.shape)}; "
            "give them one shape"
        )
    return (output - target).square().mean()


MSE = Metric("MSE", "min", "", mean_squared_error)
