"""How much a study is, and roughly how long it takes here, before anything runs.

The counts are exact. The time is a model: a training process costs its start-up, its cells' steps
and their evaluations in full packs; as many run side by side as there are cores. A step's time is
taken from the throughput records of this machine if they cover the study, else measured on the spot
with the engine itself, and the answer says which.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from trainscape import datasets, hardware, workloads
from trainscape.cells import grid
from trainscape.cells.budget import validation_size
from trainscape.cells.cell import import_path
from trainscape.cells.identity import identity
from trainscape.numerals import counted, number
from trainscape.pipeline.calibrate import CHUNK, arrays_of, calibrate, pace
from trainscape.pipeline.foresee import Foreseen, foresee
from trainscape.pipeline.train import kept_seeds
from trainscape.results.attic import Attic
from trainscape.results.owner import others

if TYPE_CHECKING:
    from trainscape.cells.cell import Cell
    from trainscape.pipeline.layout import Layout

FORWARD = 1 / 3  # of a step: an evaluation's pass has no way back and no update
LAUNCH = 0.75  # seconds until the command line starts to import
START = 3.0  # seconds until a process's first step is done, where it was not measured
BUSY = 1.3  # from this slowdown on, other work on the machine is mentioned
AFTER = 10.0  # seconds for the tables and the report, whatever the study
FIGURE = 0.3  # seconds for a figure, on one core
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


def estimate(layout: Layout) -> str:
    """The study's size by workload, and about how long it will take on this machine.

    Args:
        layout: the study's files.

    Returns:
        A few lines to print.
    """
    cells = layout.expected
    todo = {path: cell for path, cell in cells.items() if not Path(path).exists()}
    attic = Attic(layout.output, others(layout.output))
    waiting = {path for path in todo if attic.kept(Path(path), layout.trainable)}
    new = _new_seeds(layout, {path: todo[path] for path in todo if path not in waiting})
    waiting |= {path for path, seeds in new.items() if not seeds}
    train = [cell for path, cell in todo.items() if path not in waiting]
    # a speed is that of a cell with the study's seeds; finalists have others
    usual = len(layout.study.seed_list())
    shares = [len(new[path]) / usual for path in todo if path not in waiting]
    table: list[tuple[str, ...]] = [
        ("workload", "cells", "there", "kept", "to train", "trials", "steps to train")
    ]
    for name in layout.study.workloads:
        own = {path: cell for path, cell in cells.items() if cell.workload == name}
        again = own.keys() & layout.confirmable.keys()
        first = {path: cell for path, cell in own.items() if path not in again}
        table.append(_row(name, first, todo, waiting, new))
        if again:
            finalists = {path: own[path] for path in own if path in again}
            table.append(_row(f"{name}, finalists", finalists, todo, waiting, new))
    if len(table) > 2:
        table.append(_row("all", cells, todo, waiting, new))
    foreseen = foresee(layout, train)
    duration = _duration(layout, train, shares, len(waiting), foreseen)
    taken = sum(len(cell.seeds) for cell in train) - sum(map(len, new.values()))
    other = [f"{counted(taken, 'trial')} of these cells kept with other seeds: taken, not trained"]
    notes = [*layout.notes, *foreseen.apart.values(), *(other if taken else [])]
    found = [_head(layout, cells), *layout.progress, *aligned(table), *notes, duration]
    return "\n".join(line for line in found if line)


def _head(layout: Layout, cells: Mapping[str, Cell]) -> str:
    """The line on how much the study is, whatever of it is there."""
    again = [cell for path, cell in cells.items() if path in layout.confirmable]
    tests, seeds = len(layout.range_tests), len(layout.study.seed_list())
    first = len(cells) - len(again)
    line = (
        f"study {layout.study.name}: {counted(first - tests, 'cell')}"
        + (f" and {counted(tests, 'range test')}" if tests else "")
        + f" × {counted(seeds, 'seed')} = {counted(first * seeds, 'trial')}"
    )
    if not again:
        return line
    fresh = len(again[0].seeds)
    known = all(Path(file).exists() for file in layout.finalists.values())
    about = "" if known else "about "
    return (
        f"{line}, then {about}{counted(len(again), 'finalist')} × {counted(fresh, 'fresh seed')} "
        f"= {about}{counted(len(again) * fresh, 'trial')}"
    )


def _new_seeds(layout: Layout, todo: Mapping[str, Cell]) -> dict[str, list[int]]:
    """The seeds of each cell that no other cell holds, by the cell's file."""
    if not todo:
        return {}
    held = kept_seeds(layout)
    there = {path: held.there(cell.spec(), identity(cell)) for path, cell in todo.items()}
    return {path: [s for s in cell.seeds if s not in there[path]] for path, cell in todo.items()}


def _row(
    name: str,
    own: Mapping[str, Cell],
    todo: Mapping[str, Cell],
    waiting: set[str],
    new: Mapping[str, Sequence[int]],
) -> tuple[str, ...]:
    missing = [path for path in own if path in todo]
    train = {path: own[path] for path in missing if path not in waiting}
    numbers = (
        len(own),
        len(own) - len(missing),
        len(missing) - len(train),
        len(train),
        sum(len(new[path]) for path in train),
        sum(grid.plan(cell).total * len(new[path]) for path, cell in train.items()),
    )
    return name, *(f"{number:,}" for number in numbers)


def _duration(
    layout: Layout,
    train: Sequence[Cell],
    shares: Sequence[float],
    restored: int,
    foreseen: Foreseen,
) -> str:
    """The line on time, and what it rests on.

    Args:
        layout: the study's files.
        train: the cells to train.
        shares: how many seeds of each that is, in numbers of the study's.
        restored: how many other cells come back.
        foreseen: what is known of the workloads.
    """
    if not train and not restored:
        return "nothing to train: every cell is there"
    if not train:
        return "nothing to train: every missing cell is kept, and is back within a minute"
    cores = len(hardware.usable_cores())
    speeds, start, basis, diverging = _speeds(layout, train, foreseen)
    known = [
        (cell, share) for cell, share in zip(train, shares, strict=True) if pace(cell) in speeds
    ]
    unknown = sorted({cell.workload for cell in train if pace(cell) not in speeds})
    lines = []
    if known:
        work = sum(share * speeds[pace(cell)].cell(cell) for cell, share in known)
        training = start + work / cores
        figures = len(layout.figures)
        rest = AFTER + FIGURE * figures / cores + _measuring(layout)
        crowd = 1 + os.getloadavg()[0] / cores  # others' work and ours share the cores
        lines.append(
            f"about {roughly(crowd * (training + rest))} on {counted(cores, 'core')}, give or take "
            f"half ({roughly(crowd * rest)} of it after the training)"
        )
        if crowd > BUSY:
            lines.append(f"the machine is busy; without that, {roughly(training + rest)}")
        lines.append(f"rests on {basis}, and {start:.1f} s to start a process")
    for name in unknown:
        data = workloads.registry.get(name).dataset
        if name in diverging:
            lines.append(
                f"{name}: time unknown, as its trials diverge at once: "
                "a loss or metric is not finite, or inputs are too large"
            )
        elif name in foreseen.full or _has_data(name):
            lines.append(f"{name}: does not fit the memory here; its cells get the status oom")
        else:
            lines.append(f"{name}: time unknown before its data is there (trainscape data {data})")
    return "\n".join(lines)


def _has_data(workload: str) -> bool:
    """Whether the workload's data is there, memory for it or not."""
    try:
        return arrays_of(workload) is not None
    except MemoryError:
        return True


def _speeds(
    layout: Layout, train: Sequence[Cell], foreseen: Foreseen
) -> tuple[dict[str, Speed], float, str, set[str]]:
    """The speed by pace, where it can be known, a job's start-up, and what both rest on.

    And the workloads that diverge at once.
    """
    wanted = {pace(cell) for cell in train}
    recorded = _recorded(layout, train, foreseen)
    if wanted <= recorded.keys():
        speeds = {name: fit(recorded[name]) for name in wanted}
        return speeds, START, "step times measured earlier on this machine", set()
    # what finalists are asked beside their history is left out, so that a step is a step
    first = [replace(cell, seeds=layout.study.seed_list(), detailed=False) for cell in train]
    fitting = [cell for cell in first if cell.workload not in foreseen.full]
    imports, measured, diverging = calibrate(layout, fitting, foreseen.apart)
    start = LAUNCH + imports
    told = ", ".join(
        f"{name} {number(1e3 * seconds, 2)} ms a step at batch {batch}"
        for name, (points, _) in measured.items()
        for batch, seconds in points.items()
    )
    fitted = {name: fit(*times) for name, times in measured.items()}
    basis = f"a measurement just now ({told}, all seeds of a cell)"
    return fitted, start, basis, {cell.workload for cell in train if pace(cell) in diverging}


def _recorded(
    layout: Layout, train: Sequence[Cell], foreseen: Foreseen
) -> dict[str, dict[int, float]]:
    """Step times of this machine by pace and batch size, from plain loops to all seeds' steps."""
    machine = hardware.fingerprint(layout.study.device)
    unfused = {c.optimizer.label: c for c in train if import_path(c.optimizer.spec())}
    seeds = len(layout.study.seed_list())
    times: dict[str, dict[int, list[float]]] = {}
    for file in sorted((layout.output / "throughput").glob(f"{machine}-*.json")):
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
        name: {batch: sum(found) / len(found) for batch, found in by_batch.items()}
        for name, by_batch in times.items()
    }


def _rows(file: Path) -> list[dict[str, object]]:
    """A throughput record's rows; none if it cannot be read, as a guess needs no record."""
    try:
        rows: list[dict[str, object]] = json.loads(file.read_text(encoding="utf-8"))["rows"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return rows


def _measuring(layout: Layout) -> float:
    """Seconds that the measurement of step times takes, if it is still to be made."""
    if layout.throughput is None or Path(layout.throughput).exists():
        return 0.0
    setting = layout.study.throughput
    combinations = {(c.workload, c.optimizer.label, c.batch_size) for c in layout.grid}
    return 10 + 2 * len(combinations) * (setting.rounds * setting.block + 0.5)


def roughly(seconds: float) -> str:
    """A span of time as a guess is told: one unit, one or two digits.

    >>> roughly(42), roughly(170), roughly(9000), roughly(1e7), roughly(1e30)
    ('40 s', '3 min', '2.5 h', '116 days', '1.16e25 days')
    """
    if seconds < 90:
        return f"{max(round(seconds, -1 if seconds >= 15 else 0), 1):.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 72 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{number(seconds / 86400)} days"


def aligned(rows: Iterable[Sequence[str]], left: int = 1) -> list[str]:
    """A table as lines: the first ``left`` columns to the left, the others to the right."""
    table = [list(row) for row in rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    return [
        "  ".join(
            text.rjust(width) if i >= left else text.ljust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in table
    ]
