"""What a record's numbers depend on, and so what it is called. Light: no torch of its own."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from trainscape import datasets, hardware, optimizers, workloads
from trainscape.cells import source
from trainscape.cells.cell import import_path
from trainscape.cells.identity import implementation
from trainscape.errors import UserError
from trainscape.hashing import SHORT, sha256
from trainscape.throughput.request import wanted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trainscape.cells.cell import Cell
    from trainscape.study import Study

SUITE = Path("tests", "benchmarks", "test_throughput.py")
ROWS = source.PACKAGE / "throughput" / "rows.py"


def suite() -> Path:
    """The benchmark suite: in the project that holds this package, or else in the working folder.

    Raises:
        UserError: it is in neither.
    """
    roots = (source.PACKAGE.parents[1], Path.cwd())
    for root in roots:
        if (root / SUITE).is_file():
            return (root / SUITE).resolve()
    raise UserError(
        f"throughput: {SUITE.as_posix()} is not here; run in the project's folder, "
        "or set throughput.enabled to false"
    )


def digest(study: Study, cells: Iterable[Cell]) -> str:
    """The sha256 over all that decides what is measured and how, the machine apart.

    That is every (workload, optimizer, batch size), the data, the device and the settings, torch,
    and the source of the timed loop, the suite and the conversion: not of what starts them or
    waits for a quiet machine. Labels count, since the rows carry them. The order does not.
    """
    measurements = wanted(cells)
    names = sorted({one.workload for one in measurements})
    rules = {one.spec["name"] for one in measurements if not import_path(one.spec)}
    paths = {path for one in measurements if (path := import_path(one.spec))}
    files = [
        suite(),
        ROWS,
        *(workloads.registry.source(name) for name in names),
        *(optimizers.registry.source(name) for name in rules),
    ]
    sets = {workloads.registry.get(name).dataset for name in names}
    return sha256(
        {
            "measurements": sorted((asdict(one) for one in measurements), key=sha256),
            "data": {name: datasets.registry.get(name).sha256 for name in sets},
            "device": study.device,
            "settings": study.throughput.model_dump(exclude={"enabled"}),
            "torch": hardware.torch_version(),
            "packages": {path: implementation(path) for path in paths},
            "source": source.closure(files),
        }
    )


def path(study: Study, cells: Iterable[Cell]) -> str:
    """Where this machine's record lies below the output folder."""
    machine = hardware.fingerprint(study.device)
    return f"throughput/{machine}-{digest(study, cells)[:SHORT]}.json"
