"""What is to be measured, as plain data: the measuring process gets it as a JSON file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trainscape.cells.cell import Cell
    from trainscape.study import Study

VARIABLE = "TRAINSCAPE_THROUGHPUT"  # the environment variable that names the JSON file
SKIPPED = (
    f"{VARIABLE} skipped"  # what the suite prints of a measurement that does not fit the memory
)
BEGUN = f"{VARIABLE} begun"  # … and of one that begins, with its name in brackets
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


@dataclass(frozen=True)
class Request:
    """All that the measuring process must know.

    Args:
        measurements: what to measure, in order.
        device: ``auto``, ``cpu`` or ``cuda``.
        rounds: timed blocks a measurement.
        block: seconds of training in a block.
        data: the folder of the datasets.
        plugins: the study's plugin files, absolute.
    """

    measurements: tuple[Measurement, ...]
    device: str
    rounds: int
    block: float
    data: str
    plugins: tuple[str, ...]

    def write(self, file: Path) -> None:
        """Write the request as JSON."""
        file.write_text(json.dumps(asdict(self), allow_nan=False), encoding="utf-8")


def read(file: Path) -> Request:
    """The request that :meth:`Request.write` wrote."""
    raw = json.loads(file.read_text(encoding="utf-8"))
    raw["measurements"] = tuple(Measurement(**entry) for entry in raw["measurements"])
    return Request(**{**raw, "plugins": tuple(raw["plugins"])})


def request(study: Study, cells: Iterable[Cell], data: Path) -> Request:
    """What a study wants measured; its learning rates, schedules and seeds cost the same time."""
    return Request(
        measurements=tuple(wanted(cells)),
        device=study.device,
        rounds=study.throughput.rounds,
        block=study.throughput.block,
        data=str(data.resolve()),
        plugins=tuple(str(Path(file).resolve()) for file in study.plugins),
    )


def wanted(cells: Iterable[Cell]) -> list[Measurement]:
    """One measurement a mode for every (workload, optimizer, batch size), in the cells' order."""
    combinations = {
        (cell.workload, cell.optimizer.label, cell.batch_size): cell.optimizer.spec()
        for cell in cells
    }
    return [
        Measurement(workload, optimizer, spec, batch_size, mode)
        for (workload, optimizer, batch_size), spec in combinations.items()
        for mode in MODES
    ]
