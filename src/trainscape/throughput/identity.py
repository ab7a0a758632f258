"""What a study wants timed, and what the record of it is called. Light: no torch of its own."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from trainscape import datasets, hardware, optimizers, source, workloads
from trainscape.cells.cell import import_path
from trainscape.cells.identity import implementation
from trainscape.hashing import SHORT, sha256

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trainscape.cells.cell import Cell
    from trainscape.study import Study

SUITE = source.PACKAGE / "throughput" / "suite"
MODES = ("step", "loader")


@dataclass(frozen=True)
class Measurement:
    """One step time to measure.

    Args:
        workload: the workload's name.
        optimizer: the optimizer's label.
        spec: its registry name and every hyperparameter, as ``Part.spec`` gives them.
        batch_size: examples a step.
        mode: ``step``, with the batches in memory, or ``loader``, with a DataLoader making them.
    """

    workload: str
    optimizer: str
    spec: Mapping[str, Any]
    batch_size: int
    mode: str

    def key(self) -> dict[str, Any]:
        """The columns that name the measurement in a record."""
        return {name: value for name, value in asdict(self).items() if name != "spec"}

    def __str__(self) -> str:
        return f"{self.workload} {self.optimizer} batch {self.batch_size} {self.mode}"


def wanted(cells: Iterable[Cell]) -> list[Measurement]:
    """What is measured, in the cells' order: each (workload, optimizer, batch size) in each mode.

    Cells that differ in learning rate, schedule or seeds alone take the same time.
    """
    combinations = {
        (cell.workload, cell.optimizer.label, cell.batch_size): cell.optimizer.spec()
        for cell in cells
    }
    return [
        Measurement(workload, optimizer, spec, batch_size, mode)
        for (workload, optimizer, batch_size), spec in combinations.items()
        for mode in MODES
    ]


def digest(study: Study, cells: Iterable[Cell]) -> str:
    """The sha256 over all that decides what is measured and how, the machine apart.

    That is every measurement, the data, the device and the settings, torch, and the source of the
    suite's test and of what it imports: not of what starts it or waits for a quiet machine. Labels
    count, since the rows carry them. The order does not.
    """
    measurements = wanted(cells)
    names = sorted({one.workload for one in measurements})
    rules = {one.spec["name"] for one in measurements if not import_path(one.spec)}
    paths = {path for one in measurements if (path := import_path(one.spec))}
    files = [
        SUITE / "test_step_times.py",
        *(workloads.registry.source(name) for name in names),
        *(optimizers.registry.source(name) for name in rules),
    ]
    sets = {workloads.registry.get(name).dataset for name in names}
    return sha256(
        {
            "measurements": sorted((asdict(one) for one in measurements), key=sha256),
            "data": {name: datasets.registry.get(name).sha256 for name in sets},
            "device": study.device,
            "order": study.order,
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
