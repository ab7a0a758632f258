"""One training run and how it is scored: what fused and unfused training share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trainscape.cells.budget import Plan
    from trainscape.engine.data import Split
    from trainscape.optimizers import Optimizer
    from trainscape.schedules import Schedule

CHUNK = 256  # examples an evaluation holds at once; part of the numbers, since sums round per chunk
SCORED = ("val", "test", "fit")  # the splits that evaluations score; fit the last one alone
METRICS = ("train_loss", *(f"{split}_{of}" for split in SCORED for of in ("loss", "metric")))


@dataclass(frozen=True)
class Trial:
    """One training run: an optimizer, a peak lr, a schedule and a seed."""

    optimizer: Optimizer
    lr: float
    schedule: Schedule
    seed: int


def scored(step: int, plan: Plan) -> Sequence[str]:
    """The splits that the evaluation after ``step`` steps scores."""
    return SCORED if step == plan.total else SCORED[:-1]


def traced(losses: Sequence[float], every: int, diverged_at: int | None) -> list[float]:
    """The recorded training losses of a trial, up to where it diverged.

    What a trial's losses are after that depends on how long its pack goes on.

    Args:
        losses: those of every so many steps, from the first on.
        every: so many steps.
        diverged_at: the step (from 1) at which the trial diverged, if it did.

    >>> traced([3.0, 2.0, 1.0], every=2, diverged_at=4)
    [3.0, 2.0]
    """
    kept = losses if diverged_at is None else losses[: -(-diverged_at // every) if every else 0]
    return list(takewhile(math.isfinite, kept))


def averages(
    split: Split, values: Callable[[Tensor, Tensor], Sequence[Tensor]], zero: Tensor
) -> tuple[Tensor, Tensor]:
    """The mean loss and metric over a split, by chunks.

    Args:
        split: at least one example.
        values: the mean loss and metric of the examples it is given, each shaped like ``zero``.
        zero: float64.
    """
    loss, metric = zero.clone(), zero.clone()
    for x, y in zip(torch.split(split.x, CHUNK), torch.split(split.y, CHUNK), strict=True):
        losses, metrics = values(x, y)
        loss += losses.double() * len(y)
        metric += metrics.double() * len(y)
    return loss / len(split.y), metric / len(split.y)


def outputs(forward: Callable[[], Tensor], precision: str, device: torch.device) -> Tensor:
    """What ``forward`` gives, its products in bfloat16 where the precision is ``bf16``."""
    if precision != "bf16":
        return forward()
    with torch.autocast(device.type, dtype=torch.bfloat16, cache_enabled=False):
        return forward().float()
