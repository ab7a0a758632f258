"""regression: a noisy linear function, 10-64-32-1: the network of the study regression-adam."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape.workloads import MSE, mean_squared_error, workload
from trainscape.workloads._mlp import mlp

if TYPE_CHECKING:
    from torch import nn


# 0.32: the variance of the targets, which is what their mean comes to.
# The noise alone costs 1/12 = 0.083 on unseen examples; the target leaves the network a fifth more.
@workload(
    "regression",
    dataset="regression",
    target=0.1,
    loss=mean_squared_error,
    metric=MSE,
    chance=0.32,
)
def build() -> nn.Module:
    """10-64-32-1 with ReLU: inputs (B, 10), outputs (B, 1), 2,817 parameters.

    In Keras's default initialisation, as the article's: weights uniform in ±√(6 / (fan-in +
    fan-out)) (Glorot and Bengio, Understanding the difficulty of training deep feedforward neural
    networks, 2010), biases zero.
    """
    from torch import nn

    model = mlp(10, 64, 32, 1)
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return model
