"""What cells that train together share, and the trials of a cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from trainscape import schedules, workloads
from trainscape.cells.budget import Plan
from trainscape.engine import streams
from trainscape.engine.data import prepare
from trainscape.engine.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trainscape.datasets import Arrays
    from trainscape.engine.data import Splits
    from trainscape.optimizers import Optimizer
    from trainscape.workloads import Workload


PER_SEED = "per-seed"  # a cell's ``split`` where each seed holds out examples of its own


@dataclass(frozen=True)
class Task:
    """A workload, its data and a plan.

    Args:
        workload: the model, loss and metric.
        splits: the data, on the device to train on.
        plan: steps and evaluations.
        precision: of the arithmetic.
        trace: steps between recorded training losses, 0 for none.
        fixed: whether every epoch takes the examples as the dataset holds them.
        detailed: whether records hold outcomes of examples and the noise of gradients.
    """

    workload: Workload
    splits: Splits
    plan: Plan
    precision: str = "fp32"
    trace: int = 0
    fixed: bool = False
    detailed: bool = False

    @classmethod
    def of(cls, spec: Mapping[str, Any], arrays: Arrays, on: torch.device) -> Task:
        """The task of a cell (``Cell.spec``) and of all that train with it.

        Where the split is the seed's, of a cell of one seed.
        """
        workload = workloads.registry.get(spec["workload"])
        own = spec["seeds"][0] if spec.get("split") == PER_SEED else 0
        splits = prepare(arrays, workload, spec["validation"], on, own)
        plan = Plan.of(spec, len(arrays.y_train))
        trace, fixed = spec.get("trace_every", 0), spec.get("order") == "fixed"
        detailed = spec.get("detailed", False)
        return cls(workload, splits, plan, spec["precision"], trace, fixed, detailed)

    @property
    def ships(self) -> bool:
        """Whether the workload is one of this package's: tests say that its models fuse."""
        known, name = workloads.registry, self.workload.name
        return known.ships(name) and known.get(name) is self.workload

    def order(self, seed: int, epoch: int) -> Tensor:
        """The rows of the training split as an epoch meets them, int64 (N,), on the CPU."""
        size = len(self.splits.train.y)
        if self.fixed:
            return torch.arange(size)
        return streams.permutation(size, seed, "order", epoch)


def trials(spec: Mapping[str, Any], optimizer: Optimizer) -> list[Trial]:
    """A cell's trials, one per seed."""
    schedule = schedules.registry.make(spec["schedule"])
    return [Trial(optimizer, spec["lr"], schedule, seed) for seed in spec["seeds"]]
