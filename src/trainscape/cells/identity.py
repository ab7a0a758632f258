"""What a cell's numbers depend on besides its own values: data, torch, source and packages."""

from __future__ import annotations

import sys
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from trainscape import datasets, optimizers, schedules, source, workloads
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

    That is its package's name and version, where it is installed as one. A class of the user's own,
    or of a package that is installed to be edited where it lies, is known by the source of its
    module and of what that imports from beside it. Torch's version stands in every digest.
    """
    top = path.partition(".")[0]
    if top == "torch":
        return None
    return _installed(top) or sha256(source.closure(*_own_source(path)))


def _installed(top: str) -> str | None:
    """Name and version of the distribution that a top-level package is imported from, if any."""
    try:
        found = metadata.distribution(top)  # of the same name, as most are
    except metadata.PackageNotFoundError:  # to look through all of them takes half a second
        names = metadata.packages_distributions().get(top, [])
        if not names:
            return None
        found = metadata.distribution(names[0])
    spec = find_spec(top)
    places = (spec.submodule_search_locations or [str(spec.origin)]) if spec else []
    home = Path(str(found.locate_file(""))).resolve()
    if not places or not all(Path(place).resolve().is_relative_to(home) for place in places):
        return None
    name = str(found.metadata["Name"])
    return f"{name} {metadata.version(name)}"


def _own_source(path: str) -> tuple[list[Path], list[Path]]:
    """The files that define the user's class with this import path, and where imports start."""
    kind: Any = locate(path)
    top = sys.modules[path.partition(".")[0]]
    folders = getattr(top, "__path__", None) or [str(top.__file__)]
    roots = [Path(folder).resolve().parent for folder in folders]
    files = {file for root in roots for file in source.located(path, root)}
    # a package may offer a class that a module of another name defines
    homes = [getattr(sys.modules[base.__module__], "__file__", None) for base in kind.__mro__]
    defining = {Path(file).resolve() for file in homes if file}
    files |= {file for file in defining if any(file.is_relative_to(root) for root in roots)}
    return sorted(files), roots


@cache
def _identity(workload: str, optimizer: str, path: str | None, schedule: str) -> dict[str, str]:
    package = implementation(path) if path else None
    return {
        "data": datasets.registry.get(workloads.registry.get(workload).dataset).sha256,
        "torch": torch_version(),
        "source": sha256(closure(workload, optimizer, path, schedule)),
        **({"optimizer": package} if package else {}),
    }
