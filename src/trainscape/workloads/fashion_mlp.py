"""fashion-mlp: Fashion-MNIST, 784-200-10: the network of mnist-mlp on a harder task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape.workloads import workload
from trainscape.workloads._mlp import mlp

if TYPE_CHECKING:
    from torch import nn


# 0.2860 and 0.3530: mean and standard deviation of the training images' grey levels in [0, 1].
# The data's authors list a test accuracy of 0.883 for a perceptron with layers of 256, 128 and 100.
# 0.1: each of the ten classes has a tenth of the examples.
@workload("fashion-mlp", dataset="fashion-mnist", target=0.88, mean=0.2860, std=0.3530, chance=0.1)
def build() -> nn.Module:
    """784-200-10 with ReLU: inputs (B, 28, 28), logits (B, 10), 159,010 parameters."""
    return mlp(784, 200, 10)
