"""digits-cnn: 8×8 digits, two small convolutions: a convolutional grid that a CPU can train."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape.workloads import workload

if TYPE_CHECKING:
    from torch import nn


# A pixel counts 0 to 16 inked points, not 0 to 255: dividing by 16/255 brings inputs to [0, 1].
# 0.103: the share of the largest class, among all 1,797 digits.
@workload("digits-cnn", dataset="digits", target=0.97, std=16 / 255, chance=0.103)
def build() -> nn.Module:
    """Two blocks of 3×3 convolution, ReLU and 2×2 pooling, then 128-10; 6,090 parameters.

    Inputs (B, 8, 8), logits (B, 10). Pooling after the first block already costs a quarter of the
    arithmetic that pooling at the end would.
    """
    from torch import nn

    return nn.Sequential(
        nn.Unflatten(1, (1, 8)),  # (B, 8, 8) -> (B, 1, 8, 8): images come without a channel axis
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128, 10),
    )
