"""Schedule-free SGD as its authors' package has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import schedulefree

from trainscape.cells.imported import switch

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from torch import Tensor

    from trainscape.optimizers.schedule_free_sgd import ScheduleFreeSGD


def reference(
    optimizer: ScheduleFreeSGD, params: Sequence[Tensor], lr: float
) -> torch.optim.Optimizer:
    """The package's, in training."""
    made: torch.optim.Optimizer = schedulefree.SGDScheduleFree(
        list(params),
        lr,
        momentum=optimizer.momentum,
        weight_decay=optimizer.weight_decay,
        r=optimizer.r,
    )
    switch(made, training=True)
    return made
