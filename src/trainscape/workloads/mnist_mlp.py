"""mnist-mlp: MNIST, 784-200-10, inputs in [−1, 1]: the network of the study mnist-momentum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape.workloads import workload
from trainscape.workloads._mlp import mlp

if TYPE_CHECKING:
    from torch import nn


# 0.1135: the share of the ones among the test digits; a constant prediction is right so often.
@workload("mnist-mlp", dataset="mnist", target=0.96, mean=0.5, std=0.5, chance=0.1135)
def build() -> nn.Module:
    """784-200-10 with ReLU: inputs (B, 28, 28), logits (B, 10), 159,010 parameters."""
    return mlp(784, 200, 10)
