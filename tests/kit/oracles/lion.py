"""Lion as the ``pytorch_optimizer`` package has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytorch_optimizer

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from torch import Tensor

    from trainscape.optimizers.lion import Lion


def reference(optimizer: Lion, params: Sequence[Tensor], lr: float) -> torch.optim.Optimizer:
    """The package's, with decay of the weights themselves."""
    made: torch.optim.Optimizer = pytorch_optimizer.Lion(
        list(params),
        lr,
        (optimizer.beta1, optimizer.beta2),
        weight_decay=optimizer.weight_decay,
        weight_decouple=True,
    )
    return made
