"""What training would run into, seen before its first step: by a job, and by an estimate.

No number is made here, so this file is in no digest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from trainscape.engine.apart import obstacle
from trainscape.engine.blame import apart_because, blaming
from trainscape.engine.fused import Fused
from trainscape.engine.model import build

if TYPE_CHECKING:
    from trainscape.engine.task import Task
    from trainscape.optimizers import Optimizer


def check_single(task: Task) -> None:
    """Refuse a batch of one example where the model cannot train on it, as BatchNorm cannot.

    Raises:
        UserError: names the batch size, the examples and the cure.
        torch.OutOfMemoryError: memory ran out.
    """
    if not task.plan.meets_single:
        return
    with blaming(task):
        model = build(task.workload.build, 0).train()
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            model(task.splits.train.x[:1].cpu())


def why_apart(task: Task) -> str | None:
    """The line for a workload whose trials train one by one; None where they train together.

    Raises:
        UserError: the workload cannot train at all.
        torch.OutOfMemoryError: memory ran out.
    """
    with blaming(task):
        found = obstacle(task)
    return apart_because(task.workload.name, found) if found else None


def why_not_compiled(task: Task, optimizer: Optimizer) -> str | None:
    """The line for trials of an optimizer that no compiled step trains; None where one does.

    What is compiled is kept: training does not compile it again.

    Raises:
        UserError: the workload or the optimizer's rule cannot train at all.
        torch.OutOfMemoryError: memory ran out.
    """
    said: list[str] = []
    Fused(task, None, said.append).compiles(optimizer)
    return said[0] if said else None
