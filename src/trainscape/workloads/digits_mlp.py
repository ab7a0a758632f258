"""digits-mlp: 8×8 digits, one hidden layer of 64. Small enough for a whole grid in a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape.workloads import workload
from trainscape.workloads._mlp import mlp

if TYPE_CHECKING:
    from torch import nn


# A pixel counts 0 to 16 inked points, not 0 to 255: dividing by 16/255 brings inputs to [0, 1].
# 0.103: the share of the largest class, among all 1,797 digits.
@workload("digits-mlp", dataset="digits", target=0.95, std=16 / 255, chance=0.103)
def build() -> nn.Module:
    """64-64-10 with ReLU: inputs (B, 8, 8), logits (B, 10), 4,810 parameters."""
    return mlp(64, 64, 10)
