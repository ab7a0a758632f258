"""valley: f(x, y) = (x² + κ·y²) / 2 with κ = 20 from (−5, −2): a descent in a narrow valley.

Up to a factor of 5 it is the example 0.1·x² + 2·y² from (−5, −2) of A. Zhang, Z. C. Lipton, M. Li
and A. J. Smola, Dive into deep learning, section 12.6 (Momentum).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape.workloads import Metric, example_mean, workload
from trainscape.workloads._point import point

if TYPE_CHECKING:
    from torch import Tensor, nn

KAPPA = 20.0  # the condition number: the valley is √κ = 4.5 times longer than wide


@example_mean
def height(w: Tensor, _: Tensor) -> Tensor:
    """The value of f at the outputs (x, y) (B, 2), the mean over equal examples."""
    return (w[:, 0].square() + KAPPA * w[:, 1].square()).mean() / 2


# 1e-3: within 0.045 of the minimum at (0, 0) along the valley, 0.01 across it.
# No chance is stated: there are no inputs, so every point is a constant prediction.
@workload(
    "valley",
    dataset="point",
    target=1e-3,
    loss=height,
    metric=Metric("loss", "min", "", height),
    path=True,
)
def build() -> nn.Module:
    """Two parameters, (x, y) = (−5, −2), the same for every seed.

    Gradient (x, κ·y). Plain gradient descent is stable below lr 2/κ = 0.1; heavy-ball momentum γ
    below 2 (1 + γ)/κ, which is 0.19 for γ = 0.9.
    """
    return point([-5.0, -2.0])
