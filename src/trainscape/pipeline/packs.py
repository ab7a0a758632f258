"""How cells fill GPUs: which of them train in one pack, and how much of it each takes.

The fuse executor deals whole packs out to GPUs. One that is half full takes as long as a full one,
as packs are filled up to one width; so cells dealt out one by one would gain little from many GPUs.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from snakemake_executor_plugin_fuse.gpus import visible
from trainscape import datasets, workloads
from trainscape.cells.cell import import_path
from trainscape.hardware import asked_width
from trainscape.hashing import canonical

if TYPE_CHECKING:
    from pathlib import Path

    from trainscape.cells.cell import Cell

WIDEST = 512  # trials: what most models take (engine/width.py)


def shared(cell: Cell) -> tuple[str, int, str]:
    """What cells have in common that the engine trains together, to sort by and to compare."""
    plan = {
        "budget": dict(cell.budget),
        "evaluate_every": cell.evaluate_every,
        "trace_every": cell.trace_every,
        "detailed": cell.detailed,
        "split": cell.split,
    }
    return cell.workload, cell.batch_size, canonical(plan)


def pack(cell: Cell) -> str:
    """Cells with equal names fill packs together; empty if a cell's trials train one by one."""
    if import_path(cell.spec()["optimizer"]) is not None:
        return ""
    return " ".join(map(str, shared(cell)))


@dataclass(frozen=True)
class Fill:
    """The part of a pack that a cell takes on a GPU; more than 1 if it takes several.

    Params of a rule are evaluated when jobs are listed; this is reckoned when the job is ready, and
    its dataset there.

    Args:
        cell: the cell.
        data: the folder of datasets.
        widths: what has been reckoned, by workload and batch size.
    """

    cell: Cell = field(repr=False)
    data: Path = field(repr=False)
    widths: dict[tuple[str, int], int] = field(repr=False)

    def reckoned(self) -> float:
        """The part; 1 trial of 512 and so on where there is one GPU, for then it hardly matters."""
        trials = 1 if self.cell.split == "per-seed" else len(self.cell.seeds)
        return trials / (asked_width() or (self._width() if several_gpus() else WIDEST))

    def _width(self) -> int:
        key = self.cell.workload, self.cell.batch_size
        if key not in self.widths:
            self.widths[key] = self._reckon_width()
        return self.widths[key]

    def _reckon_width(self) -> int:
        import torch

        from trainscape.engine.task import Task
        from trainscape.engine.width import on_a_gpu

        try:
            arrays = datasets.load(workloads.registry.get(self.cell.workload).dataset, self.data)
            return on_a_gpu(Task.of(self.cell.spec(), arrays, torch.device("cpu")))
        except Exception:  # a user's model: training says what is wrong with it
            return WIDEST


@cache
def several_gpus() -> bool:
    """Whether cells have a choice of GPUs here."""
    return len(visible(os.environ)) > 1
