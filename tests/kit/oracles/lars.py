"""LARS as the ``pytorch_optimizer`` package has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytorch_optimizer

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from torch import Tensor

    from trainscape.optimizers.lars import LARS


def reference(optimizer: LARS, params: Sequence[Tensor], lr: float) -> torch.optim.Optimizer:
    """The package's."""
    made: torch.optim.Optimizer = pytorch_optimizer.LARS(
        list(params),
        lr,
        weight_decay=optimizer.weight_decay,
        momentum=optimizer.momentum,
        trust_coefficient=optimizer.trust_coefficient,
    )
    return made
