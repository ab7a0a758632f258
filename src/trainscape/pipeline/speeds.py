"""How long a step of a cell takes: here, by records or a measurement; elsewhere, by a table.

A step's time is taken from the throughput records of this machine if they cover the study, else
measured on the spot with the engine itself (:mod:`trainscape.pipeline.calibrate`). Of another
device it is taken from a table (:mod:`trainscape.pipeline.devices`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

from trainscape import datasets, hardware, workloads
from trainscape.cells import grid
from trainscape.cells.budget import validation_size
from trainscape.cells.cell import import_path
from trainscape.numerals import number
from trainscape.pipeline.calibrate import CHUNK, arrays_of, calibrate, pace
from trainscape.results.owner import others

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trainscape.cells.cell import Cell
    from trainscape.pipeline.devices import Device
    from trainscape.pipeline.foresee import Foreseen
    from trainscape.pipeline.layout import Layout

FORWARD = 1 / 3  # of a step: an evaluation's pass has no way back and no update
LAUNCH = 0.75  # seconds until the command line starts to import
START = 3.0  # seconds until a process's first step is done, where it was not measured
# A trial's step against a plain loop's: in a full pack (0.05 to 0.2, digits-mlp, batch 16 to 256),
PACKED = 0.1
UNFUSED = 1.2  # and of one that trains by itself

Points = Mapping[int, float]


@dataclass(frozen=True)
class Speed:
    """The time of one step of one cell, all its seeds together: ``fixed + example · batch size``.

    Args:
        fixed: seconds a step, whatever the batch.
        example: further seconds for each example of the batch.
        chunk: seconds to evaluate CHUNK examples.
    """

    fixed: float
    example: float
    chunk: float

    def step(self, batch_size: int) -> float:
        """Seconds of a step."""
        return self.fixed + self.example * batch_size

    def cell(self, cell: Cell) -> float:
        """Seconds that a cell trains, start-up apart."""
        plan = grid.plan(cell)
        data = datasets.registry.get(workloads.registry.get(cell.workload).dataset)
        held = validation_size(data.train, cell.validation)
        chunks = sum(-(-size // CHUNK) for size in (held, data.test))
        return plan.total * self.step(cell.batch_size) + len(plan.evaluations) * chunks * self.chunk


@dataclass(frozen=True)
class Speeds:
    """The speeds of a study's cells, and what they rest on.

    Args:
        by_pace: of a cell with the study's seeds, where it can be known.
        start: seconds until a process's first step is done.
        basis: where the speeds are from, in words.
        diverging: the workloads whose speed is unknown because their trials diverge at once.
    """

    by_pace: Mapping[str, Speed]
    start: float
    basis: str
    diverging: frozenset[str] = frozenset()


def fit(points: Points, chunk: float | None = None) -> Speed:
    """The straight line through the step times of a workload's batch sizes, of least squares.

    Never falls and never starts below zero: of a single batch size half the time is taken as fixed.

    Args:
        points: seconds by batch size, at least one.
        chunk: seconds to evaluate CHUNK examples; by default FORWARD of a step on as many.
    """
    n = len(points)
    mean_b, mean_t = sum(points) / n, sum(points.values()) / n
    spread = sum((b - mean_b) ** 2 for b in points)
    if not spread:
        slope = mean_t / mean_b / 2
    else:
        slope = sum((b - mean_b) * (t - mean_t) for b, t in points.items()) / spread
        slope = min(max(slope, 0.0), mean_t / mean_b)
    fixed = mean_t - slope * mean_b
    return Speed(fixed, slope, FORWARD * (fixed + slope * CHUNK) if chunk is None else chunk)


def of_this_machine(layout: Layout, train: Sequence[Cell], foreseen: Foreseen) -> Speeds:
    """The speeds here: by records if these know all, else by a measurement of some seconds.

    Args:
        layout: the study's files.
        train: the cells that are to be trained.
        foreseen: what is known of the workloads; those that memory does not hold have no speed.
    """
    wanted = {pace(cell) for cell in train}
    known = recorded(layout, train, foreseen)
    if wanted <= known.keys():
        own = {name: known[name] for name in wanted}
        return Speeds(own, START, "step times measured earlier on this machine")
    # what finalists are asked beside their history is left out, so that a step is a step
    first = [replace(cell, seeds=layout.study.seed_list(), detailed=False) for cell in train]
    fitting = [cell for cell in first if cell.workload not in foreseen.full]
    imports, measured, diverging = calibrate(layout, fitting, foreseen.apart)
    told = ", ".join(
        f"{name} {number(1e3 * seconds, 2)} ms a step at batch {batch}"
        for name, (points, _) in measured.items()
        for batch, seconds in points.items()
    )
    return Speeds(
        {name: fit(*times) for name, times in measured.items()},
        LAUNCH + imports,
        f"a measurement just now ({told}, all seeds of a cell)",
        frozenset(cell.workload for cell in train if pace(cell) in diverging),
    )


def of_device(layout: Layout, train: Sequence[Cell], other: Device) -> Speeds:
    """The speeds on another device, by the table's numbers; optimizers by import path have none.

    Args:
        layout: the study's files.
        train: the cells that are to be trained.
        other: the device.
    """
    seeds, found = len(layout.study.seed_list()), {}
    for cell in train:
        rates = other.steps(cell.workload, layout.study.precision)
        if rates and not import_path(cell.optimizer.spec()):
            found[pace(cell)] = fit({batch: seeds / rate for batch, rate in rates.items()})
    basis = f"step times of {other.title} ({other.source}), the rest as on this machine"
    return Speeds(found, other.start, basis)


def recorded(layout: Layout, train: Sequence[Cell], foreseen: Foreseen) -> dict[str, Speed]:
    """The speeds by pace that the throughput records of this machine know.

    A step takes as long in another study: the records of the project's other output folders count.

    Args:
        layout: the study's files.
        train: the cells that are to be trained.
        foreseen: what is known of the workloads; a step of trials that train one by one takes as
            long as a plain loop's for each of them.
    """
    machine = hardware.fingerprint(layout.study.device)
    unfused = {c.optimizer.label: c for c in train if import_path(c.optimizer.spec())}
    seeds = len(layout.study.seed_list())
    times: dict[str, dict[int, list[float]]] = {}
    folders = [layout.output, *others(layout.output)]
    records = [sorted(of.glob(f"throughput/{machine}-*.json")) for of in folders]
    for file in chain.from_iterable(records):
        for row in _rows(file):
            seconds = row.get("step_time_s")
            if row.get("mode") != "step" or not isinstance(seconds, float):
                continue
            cell = unfused.get(str(row.get("optimizer")))
            name = (
                pace(replace(cell, workload=str(row["workload"]))) if cell else str(row["workload"])
            )
            of = times.setdefault(name, {}).setdefault(int(str(row["batch_size"])), [])
            alone = bool(cell) or row["workload"] in foreseen.apart
            of.append((UNFUSED if alone else PACKED) * seeds * seconds)
    return {
        name: fit({batch: sum(found) / len(found) for batch, found in by_batch.items()})
        for name, by_batch in times.items()
    }


def _rows(file: Path) -> list[dict[str, object]]:
    """A throughput record's rows; none if it cannot be read, as a guess needs no record."""
    try:
        rows: list[dict[str, object]] = json.loads(file.read_text(encoding="utf-8"))["rows"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return rows


def has_data(workload: str) -> bool:
    """Whether the workload's data is there, memory for it or not."""
    try:
        return arrays_of(workload) is not None
    except MemoryError:
        return True
