"""What a cell's numbers depend on besides its own values: data, torch and source."""

from __future__ import annotations

from functools import cache

from trainscape import datasets, optimizers, schedules, source, workloads
from trainscape.cell import Cell, sha256
from trainscape.hardware import torch_version

# what trains, and the switches it trains under
ENGINE = tuple(source.PACKAGE / "engine" / name for name in ("run.py", "arithmetic.py"))


def identity(cell: Cell) -> dict[str, str]:
    """The hashes and versions that stand in a cell's digest beside its values."""
    return _identity(cell.workload, cell.optimizer.name, cell.schedule.name)


def digest(cell: Cell) -> str:
    """The cell's digest, 64 hex digits."""
    return cell.digest(identity(cell))


@cache
def _identity(workload: str, optimizer: str, schedule: str) -> dict[str, str]:
    entries = [
        *ENGINE,
        workloads.registry.source(workload),
        optimizers.registry.source(optimizer),
        schedules.registry.source(schedule),
    ]
    return {
        "data": datasets.registry.get(workloads.registry.get(workload).dataset).sha256,
        "torch": torch_version(),
        "source": sha256(source.closure(entries)),
    }
