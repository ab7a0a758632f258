"""Two small tasks, and the batches that a seed meets in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit import examples
from kit.examples import task
from trainscape import workloads
from trainscape.engine import streams

if TYPE_CHECKING:
    from torch import Tensor

    from trainscape.engine.task import Task


def digits(**options: object) -> Task:
    """digits-mlp on 36 training examples in batches of 16, 16 and 4."""
    arrays = examples.images(40)
    return task(workloads.registry.get("digits-mlp"), arrays, 16, **options)  # type: ignore[arg-type]


def line(**options: object) -> Task:
    """The regression on 45 training examples in batches of 16, 16 and 13."""
    return task(examples.regression(), examples.line(), 16, **options)  # type: ignore[arg-type]


def batches(of: Task, seed: int, steps: int) -> list[tuple[Tensor, Tensor]]:
    """The first batches that a seed meets."""
    found = []
    for k in range(steps):
        epoch, i = divmod(k, of.plan.epoch)
        order = streams.permutation(len(of.splits.train.y), seed, "order", epoch)
        rows = order[i * of.plan.batch_size :][: of.plan.batch_size]
        found.append((of.splits.train.x[rows], of.splits.train.y[rows]))
    return found
