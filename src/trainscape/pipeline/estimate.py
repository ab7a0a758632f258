"""How much a study is, and roughly how long it takes here, before anything runs.

The counts are exact. The time is a model (:mod:`trainscape.pipeline.work`) that rests on the time
of a step (:mod:`trainscape.pipeline.speeds`), and the answer says where that is from.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trainscape import hardware, workloads
from trainscape.cells import grid
from trainscape.columns import aligned
from trainscape.numerals import counted, roughly
from trainscape.pipeline.calibrate import pace
from trainscape.pipeline.devices import XEON, device
from trainscape.pipeline.foresee import Foreseen, foresee
from trainscape.pipeline.speeds import START, has_data, of_device, of_this_machine, recorded
from trainscape.pipeline.work import NUMBER, Todo, after, crowding, training

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from trainscape.cells.cell import Cell
    from trainscape.pipeline.devices import Device
    from trainscape.pipeline.layout import Layout
    from trainscape.pipeline.speeds import Speed, Speeds

BUSY = 1.3  # from this slowdown on, other work on the machine is mentioned


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
    todo = Todo.of(layout, {path: c for path, c in cells.items() if not Path(path).exists()})
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
    notes = [*layout.notes, *foreseen.apart.values(), *foreseen.slow, *(kept if taken else [])]
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
    todo, cores = Todo.of(layout, missing), len(hardware.usable_cores())
    seconds, crowd, whose = after(layout, cores, jobs), crowding(cores), ""
    if todo.train:
        paces = {pace(cell) for cell in todo.train}
        speeds: Mapping[str, Speed] = recorded(layout, todo.train, Foreseen())
        if not paces <= speeds.keys() and not layout.gpu:
            speeds = of_device(layout, todo.train, XEON).by_pace
            whose = f"; by the step times of {XEON.title}: 'trainscape estimate' measures them here"
        # whether a plugin's trials train together is not known without torch
        ours = all(workloads.registry.ships(cell.workload) for cell in todo.train)
        if not ours or not paces <= speeds.keys():
            return "How long: 'trainscape estimate' measures it, in a few seconds"
        work, noise = training(layout, todo, speeds, Foreseen(), NUMBER)
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


def _row(
    name: str,
    own: Mapping[str, Cell],
    todo: Mapping[str, Cell],
    waiting: set[str],
    new: Mapping[str, Sequence[int]],
) -> tuple[str, ...]:
    """A row of the table, under its head.

    Args:
        name: of the row.
        own: its cells, by file.
        todo: those that are to be there.
        waiting: the files of those that come back from elsewhere.
        new: of the others, the seeds to train, by file.
    """
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


def _duration(layout: Layout, todo: Todo, foreseen: Foreseen, other: Device | None) -> str:
    """The lines on time, and what it rests on.

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
    speeds = (
        of_this_machine(layout, train, foreseen)
        if other is None
        else of_device(layout, train, other)
    )
    unknown = {cell.workload for cell in train if pace(cell) not in speeds.by_pace}
    known = any(pace(cell) in speeds.by_pace for cell in train)
    lines = _time(layout, todo, speeds, foreseen, other) if known else []
    lines += [
        f"{name}: {_unknown(layout, name, speeds, foreseen, other)}" for name in sorted(unknown)
    ]
    return "\n".join(lines)


def _time(
    layout: Layout, todo: Todo, speeds: Speeds, foreseen: Foreseen, other: Device | None
) -> list[str]:
    """How long the cells with a speed take and all that comes after, and what that rests on."""
    cores = len(hardware.usable_cores())
    number_of_noise, processes, on = NUMBER, cores, counted(cores, "core")
    crowd = crowding(cores)  # others' work and ours share this machine's cores
    if other is not None:
        number_of_noise, processes, on, crowd = other.number, other.processes, other.title, 1.0
    work, noise = training(layout, todo, speeds.by_pace, foreseen, number_of_noise)
    rest = after(layout, cores)
    total = speeds.start + (work + noise) / processes + rest
    asked = (
        f"; of the training {roughly(noise / processes)} for the noise of the finalists' gradients"
    )
    return [
        f"about {roughly(crowd * total)} on {on}, give or take half "
        f"({roughly(crowd * rest)} of it after the training)",
        *([f"the machine is busy; without that, {roughly(total)}"] if crowd > BUSY else []),
        f"rests on {speeds.basis}, and {speeds.start:.1f} s to start a process"
        + (asked if noise else ""),
    ]


def _unknown(
    layout: Layout, workload: str, speeds: Speeds, foreseen: Foreseen, other: Device | None
) -> str:
    """Why nothing is known of a workload's time."""
    if other is not None:
        precision = layout.study.precision
        known = ", ".join(other.known(precision)) or "none"
        return f"time unknown on {other.title} in {precision}; known there are {known}"
    if workload in speeds.diverging:
        return (
            "time unknown, as its trials diverge at once: "
            "a loss or metric is not finite, or inputs are too large"
        )
    if workload in foreseen.full or has_data(workload):
        return "does not fit the memory here; its cells get the status oom"
    data = workloads.registry.get(workload).dataset
    return f"time unknown before its data is there (trainscape data {data})"
