"""Train for a moment with the real engine, to see what a step and an evaluation take here."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from trainscape import datasets, workloads
from trainscape.cells.cell import import_path
from trainscape.errors import UserError
from trainscape.pipeline.layout import DATA, Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from trainscape.cells.cell import Cell, TrialRecord
    from trainscape.datasets import Arrays

    Points = Mapping[int, float]

CHUNK = 256  # examples that an evaluation takes at once, as the engine does
BATCHES = 4  # batches in an epoch of the measurement
SPREAD = 8  # steps between evaluations in the measurement that tells steps from evaluations
PACK = 64  # trials that count as a full pack
SLOT = 0.2  # seconds a measurement lasts, and one interval more


def pace(cell: Cell) -> str:
    """What decides a cell's speed, batch size apart: cells with optimizers of ours go alike."""
    path = import_path(cell.optimizer.spec())
    return f"{cell.workload} with {path}" if path else cell.workload


def calibrate(
    layout: Layout, train: Sequence[Cell], apart: Collection[str] = ()
) -> tuple[float, dict[str, tuple[Points, float]], set[str]]:
    """What is known after training the smallest and largest batches of every pace for a moment.

    Args:
        layout: the study's files.
        train: the cells that are to be trained.
        apart: the workloads whose trials train one by one.

    Returns:
        Seconds until a job's first step is done, the command line apart; and by pace, as far as
        the data is there and memory holds the model, a cell's step times by batch size and its time
        to evaluate one chunk, all its seeds together, as a part of a full pack; and the paces that
        could not be measured because their trials diverge at once.
    """
    began = time.process_time()
    from trainscape.engine import device, run

    chosen = device.choose(layout.study.device, layout.study.precision)
    imports = time.process_time() - began
    # on the CPU a pack has one thread, whose own time does not count what else the machine does
    clock = time.process_time if chosen.type == "cpu" else time.perf_counter
    warm: list[float] = []  # a process's first step loads and compiles
    measured: dict[str, tuple[Points, float]] = {}
    diverging: set[str] = set()
    for name in dict.fromkeys(map(pace, train)):
        cells = sorted((c for c in train if pace(c) == name), key=lambda c: c.batch_size)
        try:
            arrays = arrays_of(cells[0].workload)
        except MemoryError:
            continue
        if arrays is None:
            continue

        def gap(
            cell: Cell, steps: int, arrays: Arrays = arrays, cells: list[Cell] = cells
        ) -> float:
            work = partial(
                run.train_cells, arrays=_part(arrays, cell), on=chosen, say=lambda _: None
            )
            alone = bool(import_path(cell.optimizer.spec())) or cell.workload in apart
            copies = 1 if alone else _together(cell, cells)
            first, later = _intervals(work, cell, copies, steps, clock)
            warm.append(first)
            if import_path(cell.optimizer.spec()):  # its seeds train in turn
                return later * len(cell.seeds)
            return later / copies

        try:
            low, high = cells[0], cells[-1]
            one, more = gap(low, 1), gap(low, SPREAD)
            step = max((more - one) / (SPREAD - 1), one / 10)
            chunk = max(one - step, 0.0)
            points = {low.batch_size: step}
            if high.batch_size != low.batch_size:
                points[high.batch_size] = max(gap(high, 1) - chunk, step)
            measured[name] = points, chunk
        except _NoMemoryError:
            continue
        except _DivergedError:
            diverging.add(name)
    return imports + sum(warm[:1]), measured, diverging


class _EnoughError(Exception):
    """Ends a training run that has been measured."""


class _NoMemoryError(Exception):
    """Memory does not hold what was to be measured."""


class _DivergedError(Exception):
    """A loss, a metric or weights were not finite, though the rate is next to nothing."""


def _intervals(
    train: Callable[..., tuple[object, Sequence[Sequence[TrialRecord]]]],
    cell: Cell,
    copies: int,
    steps: int,
    clock: Callable[[], float],
) -> tuple[float, float]:
    """Seconds until the first evaluation is done, and between later ones (their median).

    Args:
        train: :func:`trainscape.engine.run.train_cells` with data and device; it tells of
            evaluations alone.
        cell: what to train.
        copies: how many of it, together.
        steps: steps between evaluations.
        clock: tells seconds.
    """
    stamps = [clock()]

    def tell(*_: int) -> None:
        stamps.append(clock())
        if len(stamps) > 3 and stamps[-1] - stamps[1] > SLOT:
            raise _EnoughError

    with suppress(_EnoughError):
        _, records = train([_endless(cell, steps)] * copies, progress=tell, width=PACK)
        if any(record.status == "diverged" for trials in records for record in trials):
            raise _DivergedError
    if len(stamps) < 3:
        raise _NoMemoryError
    first, *later = (b - a for a, b in pairwise(stamps))
    return first, median(later[1:] or later or [first])  # the second still warms up


def _together(cell: Cell, cells: Sequence[Cell]) -> int:
    """How many such cells train together: what fills a pack, or all that there are.

    A full pack of large batches that no run ever trains would take memory that none ever needs.
    """
    there = sum(other.batch_size == cell.batch_size for other in cells)
    return min(max(PACK // len(cell.seeds), 1), there)


def _endless(cell: Cell, steps: int) -> dict[str, object]:
    """The cell's spec, to be evaluated every so many steps and to go on until it is stopped."""
    return {
        **cell.spec(),
        "lr": 1e-9,  # one that diverges would stop
        "schedule": {"name": "constant"},
        "budget": {"steps": 10_000},
        "validation": 0.0,
        "split": "fixed",  # where seeds hold out examples of their own they train one after another
        "evaluate_every": steps / BATCHES,
    }


def _part(arrays: Arrays, cell: Cell) -> Arrays:
    """BATCHES batches to train on, repeated where the data has fewer, and a chunk to evaluate."""
    import numpy as np

    from trainscape.datasets import Arrays

    train = np.arange(BATCHES * cell.batch_size) % len(arrays.y_train)
    test = slice(CHUNK)
    return Arrays(
        arrays.x_train[train], arrays.y_train[train], arrays.x_test[test], arrays.y_test[test]
    )


def arrays_of(workload: str) -> Arrays | None:
    """The workload's data, or None where it would have to be downloaded or cannot be made."""
    entry = datasets.registry.get(workloads.registry.get(workload).dataset)
    try:
        if (DATA / f"{entry.name}.npz").exists():
            return datasets.load(entry, DATA)
        return entry.made(datasets.Raw(DATA / "raw", mirror="(none)"))
    except UserError:
        return None
