"""How much a study is, and roughly how long it takes here, before anything runs.

The counts are exact. The time is a model: a training process costs its start-up, its cells' steps
and their evaluations in full packs; as many run side by side as there are cores. A step's time is
taken from the throughput records of this machine if they cover the study, else measured on the spot
with the engine itself, and the answer says which. Of another device it is taken from a table
(:mod:`trainscape.pipeline.devices`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from trainscape import datasets, hardware, workloads
from trainscape.cells import grid
from trainscape.cells.budget import validation_size
from trainscape.cells.cell import import_path
from trainscape.cells.identity import identity
from trainscape.numerals import counted, number
from trainscape.pipeline.calibrate import CHUNK, arrays_of, calibrate, pace
from trainscape.pipeline.devices import XEON, Device, device
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
# The noise of a finalist's gradients, at every evaluation: those of 64 examples by themselves. On
# one core it took a step on as many and 4.3 ns for each of their numbers (digits-mlp 1.2 ms,
# digits-cnn 4 to 7 ms, mnist-mlp 44 ms a trial).
ASKED = 64
NUMBER = 4.3e-9
WEIGHTS = {  # of our models: counting them would load torch
    "digits-mlp": 4_810,
    "digits-cnn": 6_090,
    **dict.fromkeys(("mnist-mlp", "fashion-mlp", "kmnist-mlp"), 159_010),
    "mnist-cnn": 1_199_882,
    "cifar10-resnet": 0,  # with batch normalisation a gradient is no mean of its examples'
    "regression": 2_817,
    "quadratic": 1,
    "valley": 2,
}

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


@dataclass(frozen=True)
class _Todo:
    """What is to be done of a study's cells.

    Args:
        missing: the cells that are to be there, by file.
        waiting: the files of those that come back from elsewhere, and are not trained.
        new: of the others, the seeds to train, by file.
    """

    missing: Mapping[str, Cell]
    waiting: set[str]
    new: Mapping[str, Sequence[int]]

    @classmethod
    def of(cls, layout: Layout, missing: Mapping[str, Cell]) -> _Todo:
        """What is to be done for cells that are not there."""
        attic = Attic(layout.output, others(layout.output))
        waiting = {path for path in missing if attic.kept(Path(path), layout.trainable)}
        new = _new_seeds(layout, {path: missing[path] for path in missing if path not in waiting})
        waiting |= {path for path, seeds in new.items() if not seeds}
        return cls(missing, waiting, new)

    @property
    def train(self) -> list[Cell]:
        """The cells to train."""
        return [cell for path, cell in self.missing.items() if path not in self.waiting]

    def shares(self, usual: int) -> list[float]:
        """How many seeds of each that is, in numbers of the study's."""
        return [len(self.new[path]) / usual for path in self.missing if path not in self.waiting]


def estimate(layout: Layout, on: str | None = None) -> str:
    """The study's size by workload, and about how long it will take.

    Args:
        layout: the study's files.
        on: the name of a device in the table (:mod:`trainscape.pipeline.devices`); by default this
            machine.

    Returns:
        A few lines to print.

    Raises:
        UserError: nothing is known of the device, or a model cannot train.
    """
    other = None if on is None else device(on)
    cells = layout.expected
    todo = _Todo.of(layout, {path: c for path, c in cells.items() if not Path(path).exists()})
    missing, waiting, new = todo.missing, todo.waiting, todo.new
    table: list[tuple[str, ...]] = [
        ("workload", "cells", "there", "kept", "to train", "trials", "steps to train")
    ]
    for name in layout.study.workloads:
        own = {path: cell for path, cell in cells.items() if cell.workload == name}
        again = own.keys() & layout.confirmable.keys()
        first = {path: cell for path, cell in own.items() if path not in again}
        table.append(_row(name, first, missing, waiting, new))
        if again:
            finalists = {path: own[path] for path in own if path in again}
            table.append(_row(f"{name}, finalists", finalists, missing, waiting, new))
    if len(table) > 2:
        table.append(_row("all", cells, missing, waiting, new))
    foreseen = foresee(layout, todo.train)
    duration = _duration(layout, todo, foreseen, other)
    taken = sum(len(cell.seeds) for cell in todo.train) - sum(map(len, new.values()))
    kept = [f"{counted(taken, 'trial')} of these cells kept with other seeds: taken, not trained"]
    notes = [*layout.notes, *foreseen.apart.values(), *(kept if taken else [])]
    found = [_head(layout, cells), *layout.progress, *aligned(table), *notes, duration]
    return "\n".join(line for line in found if line)


def foretold(layout: Layout, jobs: Mapping[str, int], files: Iterable[str]) -> str:
    """About how long a run of Snakemake takes, in a line, without measuring anything.

    Args:
        layout: the study's files.
        jobs: how many jobs of each rule the run has.
        files: the cells that it trains or brings back.

    Returns:
        The line; where step times of this machine are not known it says whose they are, or who
        measures them.
    """
    missing = {file: layout.trainable[file] for file in files if file in layout.trainable}
    if jobs.keys() & {"propose_cells", "choose_finalists"}:  # others become known on the way
        later = layout.expected.items()
        missing |= {path: cell for path, cell in later if not Path(path).exists()}
    todo, cores = _Todo.of(layout, missing), len(hardware.usable_cores())
    seconds, crowd, whose = _rest(layout, cores, jobs), _crowd(cores), ""
    if todo.train:
        paces = {pace(cell) for cell in todo.train}
        speeds = {name: fit(at) for name, at in _recorded(layout, todo.train, Foreseen()).items()}
        if not paces <= speeds.keys() and not layout.gpu:
            speeds, _, _, _ = _stated(layout, todo.train, XEON)
            whose = f"; by the step times of {XEON.title}: 'trainscape estimate' measures them here"
        # whether a plugin's trials train together is not known without torch
        ours = all(workloads.registry.ships(cell.workload) for cell in todo.train)
        if not ours or not paces <= speeds.keys():
            return "How long: 'trainscape estimate' measures it, in a few seconds"
        work, noise = _work(layout, todo, speeds, Foreseen(), NUMBER)
        seconds += START + (work + noise) / cores
    busy = ", busy as the machine is" if crowd > BUSY else ""
    about = f"About {roughly(crowd * seconds)} on {counted(cores, 'core')}{busy}"
    return f"{about}, give or take half{whose}"


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


def _duration(layout: Layout, todo: _Todo, foreseen: Foreseen, other: Device | None) -> str:
    """The line on time, and what it rests on.

    Args:
        layout: the study's files.
        todo: what is to be done.
        foreseen: what is known of the workloads.
        other: the device, if it is not this machine.
    """
    train = todo.train
    if not train and not todo.waiting:
        return "nothing to train: every cell is there"
    if not train:
        return "nothing to train: every missing cell is kept, and is back within a minute"
    cores = len(hardware.usable_cores())
    made = _speeds(layout, train, foreseen) if other is None else _stated(layout, train, other)
    speeds, start, basis, diverging = made
    unknown = sorted({cell.workload for cell in train if pace(cell) not in speeds})
    lines = []
    if any(pace(cell) in speeds for cell in train):
        number_of_noise = NUMBER if other is None else other.number
        work, noise = _work(layout, todo, speeds, foreseen, number_of_noise)
        side_by_side = cores if other is None else other.processes
        training = start + (work + noise) / side_by_side
        rest = _rest(layout, cores)
        # others' work and ours share this machine's cores
        crowd = _crowd(cores) if other is None else 1.0
        on = counted(cores, "core") if other is None else other.title
        lines.append(
            f"about {roughly(crowd * (training + rest))} on {on}, give or take "
            f"half ({roughly(crowd * rest)} of it after the training)"
        )
        if crowd > BUSY:
            lines.append(f"the machine is busy; without that, {roughly(training + rest)}")
        asked = (
            f"; of the training {roughly(noise / side_by_side)} for the noise of the finalists' "
            "gradients"
        )
        lines.append(
            f"rests on {basis}, and {start:.1f} s to start a process" + (asked if noise else "")
        )
    for name in unknown:
        data = workloads.registry.get(name).dataset
        if other is not None:
            known = ", ".join(other.known(layout.study.precision)) or "none"
            lines.append(
                f"{name}: time unknown on {other.title} in {layout.study.precision}; known there "
                f"are {known}"
            )
        elif name in diverging:
            lines.append(
                f"{name}: time unknown, as its trials diverge at once: "
                "a loss or metric is not finite, or inputs are too large"
            )
        elif name in foreseen.full or _has_data(name):
            lines.append(f"{name}: does not fit the memory here; its cells get the status oom")
        else:
            lines.append(f"{name}: time unknown before its data is there (trainscape data {data})")
    return "\n".join(lines)


def _work(
    layout: Layout,
    todo: _Todo,
    speeds: Mapping[str, Speed],
    foreseen: Foreseen,
    number_of_noise: float,
) -> tuple[float, float]:
    """Seconds that one process would train, and that it would measure gradients' noise.

    Cells without a speed do not count.

    Args:
        layout: the study's files.
        todo: what is to be done.
        speeds: of a cell with the study's seeds, by pace.
        foreseen: what is known of the workloads.
        number_of_noise: seconds for each number of an example's gradient.
    """
    seeds = len(layout.study.seed_list())
    work = noise = 0.0
    for cell, share in zip(todo.train, todo.shares(seeds), strict=True):
        speed = speeds.get(pace(cell))
        if speed is None:
            continue
        work += share * speed.cell(cell)
        weights = _asked_weights(cell.workload) if cell.detailed else 0
        if not weights:
            continue
        if import_path(cell.optimizer.spec()) or cell.workload in foreseen.apart:
            each = ASKED * speed.step(1)  # example by example
        else:
            each = speed.step(ASKED) + seeds * ASKED * weights * number_of_noise
        noise += share * len(grid.plan(cell).evaluations) * each
    return work, noise


def _asked_weights(workload: str) -> int:
    """The numbers in a gradient of a model whose noise is measured; 0 where it is not."""
    if workload in WEIGHTS:
        return WEIGHTS[workload]
    from torch.nn.modules.batchnorm import _BatchNorm

    entry = workloads.registry.get(workload)
    model = entry.build()
    joined = any(isinstance(module, _BatchNorm) for module in model.modules())
    if joined or not hasattr(entry.loss, "example_mean"):
        return 0
    return sum(param.numel() for param in model.parameters())


def _rest(layout: Layout, cores: int, jobs: Mapping[str, int] | None = None) -> float:
    """Seconds that what comes after the training takes.

    Args:
        layout: the study's files.
        cores: of this machine.
        jobs: how many jobs of each rule are run; by default all that there are.
    """
    parts = {
        "write_report": AFTER,
        "draw_figures": FIGURE * len(layout.figures) / cores,
        "measure_throughput": _measuring(layout),
    }
    return sum(seconds for rule, seconds in parts.items() if jobs is None or rule in jobs)


def _crowd(cores: int) -> float:
    """How many times as long all takes because of what else this machine does."""
    return 1 + os.getloadavg()[0] / cores


def _stated(
    layout: Layout, train: Sequence[Cell], other: Device
) -> tuple[dict[str, Speed], float, str, set[str]]:
    """As :func:`_speeds`, by the table's numbers of another device."""
    seeds, speeds = len(layout.study.seed_list()), {}
    for cell in train:
        rates = other.steps(cell.workload, layout.study.precision)
        if rates and not import_path(cell.optimizer.spec()):
            speeds[pace(cell)] = fit({batch: seeds / rate for batch, rate in rates.items()})
    basis = f"step times of {other.title} ({other.source}), the rest as on this machine"
    return speeds, other.start, basis, set()


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
    folders = [layout.output, *others(layout.output)]  # a step takes as long in another study
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
