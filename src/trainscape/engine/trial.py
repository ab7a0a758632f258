"""One training run and how it is scored: what fused and unfused training share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trainscape.cells.budget import Plan
    from trainscape.engine.data import Split
    from trainscape.optimizers import Optimizer
    from trainscape.schedules import Schedule
    from trainscape.workloads import Workload

    Judge = Callable[[Tensor, Tensor], Tensor]

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


class PartError(ValueError):
    """What is wrong with a function of a workload's.

    Args:
        part: the function, whose line a message names.
        reason: the words.
    """

    def __init__(self, part: Callable[..., object], reason: str) -> None:
        super().__init__(reason)
        self.part = part


def judges(workload: Workload) -> dict[str, Judge]:
    """What scores a workload's outputs: its loss and its metric, by the word for each."""
    return {"loss": workload.loss, "metric": workload.metric.compute}


def single(name: str, of: Judge, values: Tensor, axes: int = 0) -> Tensor:
    """The values, of which each is to be a single number.

    Args:
        name: of what gave them.
        of: what gave them.
        values: for every trial its own, where there is one axis of trials.
        axes: how many axes of trials.

    Raises:
        PartError: they have a shape, or are no tensor.
    """
    if not isinstance(values, Tensor):
        kind = type(values).__name__
        raise PartError(of, f"the {name} gives a {kind} and is to give a tensor of one number")
    shape = tuple(values.shape[axes:])
    if shape:
        raise PartError(
            of, f"the {name} gives the shape {shape} and is to give one number; take its mean"
        )
    return values


def progress_of_part(
    progress: Callable[[int], None], before: int, each: int = 1
) -> Callable[[int], None]:
    """What a part of the work calls with its own steps done, so that ``progress`` hears of all.

    Args:
        progress: is called with the steps done of the whole work.
        before: the steps that were done before this part.
        each: for how many steps of the whole a step of this part counts: its trials.
    """
    return lambda steps: progress(before + each * steps)


def scored(step: int, plan: Plan) -> Sequence[str]:
    """The splits that the evaluation after ``step`` steps scores."""
    return SCORED if step == plan.total else SCORED[:-1]


def traced(losses: Sequence[float], every: int, diverged_at: int | None) -> list[float]:
    """A record's trace, which ends where the trial diverged.

    How long a diverged trial trains on depends on what it is packed with, so nothing later counts.

    Args:
        losses: of every ``every``-th step, the first step among them.
        every: steps from one of them to the next.
        diverged_at: the step (from 1) whose loss or weights were first not finite, else None.
    """
    if diverged_at is None:
        return list(losses)
    kept = [loss for i, loss in enumerate(losses) if i * every < diverged_at]
    return [loss for loss in kept if math.isfinite(loss)]  # all but that step's own, perhaps


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


def whole(split: Split, values: Callable[[Tensor, Tensor], Tensor], axis: int) -> Tensor:
    """The outputs for a whole split, made by chunks.

    Args:
        split: at least one example.
        values: the outputs for the examples that it is given, which the next call may overwrite.
        axis: of the outputs, along which they are joined.
    """
    chunks = zip(torch.split(split.x, CHUNK), torch.split(split.y, CHUNK), strict=True)
    return torch.cat([values(x, y).clone() for x, y in chunks], axis)


def outputs(forward: Callable[[], Tensor], precision: str, device: torch.device) -> Tensor:
    """What ``forward`` gives, its products in bfloat16 where the precision is ``bf16``."""
    if precision != "bf16":
        return forward()
    with torch.autocast(device.type, dtype=torch.bfloat16, cache_enabled=False):
        return forward().float()
