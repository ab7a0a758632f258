"""What a cell's numbers depend on besides its own values: data, torch, source and packages."""

from __future__ import annotations

import sys
from functools import cache
from importlib import metadata
from pathlib import Path

from trainscape import datasets, optimizers, schedules, workloads
from trainscape.cells import source
from trainscape.cells.cell import Cell, import_path
from trainscape.cells.locate import locate
from trainscape.hardware import torch_version
from trainscape.hashing import sha256

# what trains, and the switches it trains under
ENGINE = tuple(source.PACKAGE / "engine" / name for name in ("fused.py", "arithmetic.py"))
UNFUSED = tuple(source.PACKAGE / "engine" / name for name in ("unfused.py", "arithmetic.py"))


def identity(cell: Cell) -> dict[str, str]:
    """The hashes and versions that stand in a cell's digest beside its values."""
    path = import_path(cell.optimizer.spec())
    return _identity(cell.workload, cell.optimizer.name, path, cell.schedule.name)


def digest(cell: Cell) -> str:
    """The cell's digest, 64 hex digits."""
    return cell.digest(identity(cell))


def closure(workload: str, optimizer: str, path: str | None, schedule: str) -> dict[str, str]:
    """The hashes of the modules that decide a cell's numbers, by name.

    Args:
        workload: its name.
        optimizer: its name.
        path: its import path, if that is what it was named by.
        schedule: its name.
    """
    own = UNFUSED if path else (*ENGINE, optimizers.registry.source(optimizer))
    parts = workloads.registry.source(workload), schedules.registry.source(schedule)
    return source.closure([*own, *parts])


@cache
def implementation(path: str) -> str | None:
    """What stands for the code of the optimizer with this import path; None for torch's own.

    That is its package's name and version, or the hash of its source where it belongs to none.
    Torch's version stands in every digest.
    """
    top = path.partition(".")[0]
    if top == "torch":
        return None
    name = _distribution(top)
    if name:
        return f"{name} {metadata.version(name)}"
    locate(path)
    module = sys.modules[top]
    folders = [Path(folder) for folder in getattr(module, "__path__", [])]
    files = [file for folder in folders for file in sorted(folder.rglob("*.py"))]
    return sha256(source.closure(files or [Path(str(module.__file__))]))


def _distribution(package: str) -> str | None:
    """The installed distribution that a top-level package comes from."""
    try:
        return str(metadata.metadata(package)["Name"])  # of the same name, as most are
    except metadata.PackageNotFoundError:  # to look through all of them takes half a second
        return next(iter(metadata.packages_distributions().get(package, [])), None)


@cache
def _identity(workload: str, optimizer: str, path: str | None, schedule: str) -> dict[str, str]:
    package = implementation(path) if path else None
    return {
        "data": datasets.registry.get(workloads.registry.get(workload).dataset).sha256,
        "torch": torch_version(),
        "source": sha256(closure(workload, optimizer, path, schedule)),
        **({"optimizer": package} if package else {}),
    }
