"""The multilayer perceptron that several workloads share."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def mlp(*widths: int) -> nn.Module:
    """Linear layers with ReLU between them, in PyTorch's default initialisation.

    Args:
        widths: of the flattened input (B, …), each hidden layer, and the output (B, classes).
    """
    from torch import nn

    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])  # logits: nothing after the last layer
