"""quadratic: f(w) = (w + 1)² from w = 5, by exact gradients: the study exponential-decay's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape.workloads import Metric, example_mean, workload
from trainscape.workloads._point import point

if TYPE_CHECKING:
    from torch import Tensor, nn


@example_mean
def height(w: Tensor, _: Tensor) -> Tensor:
    """The value of f at the outputs w (B, 1), the mean over equal examples."""
    return (w + 1).square().sum(-1).mean()


# 1e-4: w is within 0.01 of the minimum at −1.
# No chance is stated: there are no inputs, so every point is a constant prediction.
@workload(
    "quadratic",
    dataset="point",
    target=1e-4,
    loss=height,
    metric=Metric("loss", "min", "", height),
    path=True,
)
def build() -> nn.Module:
    """One parameter, w = 5, the same for every seed. Gradient 2 (w + 1), stable below lr 1."""
    return point([5.0])
