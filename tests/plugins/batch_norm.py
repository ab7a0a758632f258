"""A user's own workload with running statistics: BatchNorm in one dimension and in two."""

from __future__ import annotations

from torch import nn

from trainscape.workloads import workload


@workload("batch-norm", dataset="digits", target=0.9, std=16 / 255)
def build() -> nn.Module:
    """Inputs (B, 8, 8), logits (B, 10); odd widths, so that nothing fills whole vectors."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 8)),
        nn.Conv2d(1, 5, 3),
        nn.BatchNorm2d(5),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(180, 37),
        nn.BatchNorm1d(37),
        nn.ReLU(),
        nn.Linear(37, 10),
    )
