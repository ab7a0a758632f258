"""From cells as plain data to their records: what ``trainscape train`` does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import torch

from trainscape import optimizers, schedules, workloads
from trainscape.budget import Plan
from trainscape.cell import TrialRecord
from trainscape.engine.data import prepare
from trainscape.engine.train import Trial, train

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trainscape.datasets import Arrays
    from trainscape.registry import Registry

T = TypeVar("T")


def train_cells(
    specs: Sequence[dict[str, Any]],
    arrays: Arrays,
    device: torch.device,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> tuple[list[int], list[list[TrialRecord]]]:
    """Train cells of one workload, batch size, budget and validation share as one pack.

    Args:
        specs: the cells (:meth:`trainscape.cell.Cell.spec`).
        arrays: the workload's dataset.
        device: where to train.
        progress: called after every evaluation with the steps done and in all.

    Returns:
        The steps of the evaluations, and for every cell one record per seed. Where memory runs out,
        the cells are trained in halves; a cell that does not fit alone has status ``oom``.
    """
    shared = specs[0]
    workload = workloads.registry.get(shared["workload"])
    splits = prepare(arrays, workload, shared["validation"], device)
    plan = Plan(
        len(splits.train.y), shared["batch_size"], shared["budget"], shared["evaluate_every"]
    )

    def records(part: Sequence[dict[str, Any]]) -> list[list[TrialRecord]]:
        trials = [trial for spec in part for trial in _trials(spec)]
        try:
            trained = iter(train(trials, workload, splits, plan, progress))
        except torch.OutOfMemoryError:
            if len(part) == 1:
                return [[TrialRecord.untrained(trial.seed, "oom") for trial in trials]]
        else:
            return [[next(trained) for _ in spec["seeds"]] for spec in part]
        half = len(part) // 2  # after the handler, which holds on to what the pack had in memory
        return records(part[:half]) + records(part[half:])

    return plan.evaluations, records(specs)


def _trials(spec: dict[str, Any]) -> list[Trial]:
    optimizer = _part(optimizers.registry, spec["optimizer"])
    schedule = _part(schedules.registry, spec["schedule"])
    return [Trial(optimizer, spec["lr"], schedule, seed) for seed in spec["seeds"]]


def _part(registry: Registry[type[T]], spec: dict[str, Any]) -> T:
    """The optimizer or schedule that ``spec`` names, with its hyperparameters."""
    return registry.get(spec["name"])(**{k: v for k, v in spec.items() if k != "name"})
