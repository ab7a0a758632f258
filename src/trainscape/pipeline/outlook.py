"""What is to come of a confirmation, before its finalists are known."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from trainscape.cells import grid
from trainscape.numerals import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trainscape.cells.cell import Cell
    from trainscape.pipeline.layout import Layout


def expected(layout: Layout, first: Iterable[str]) -> dict[str, Cell]:
    """The finalists on fresh seeds; others stand in for those that are yet to be chosen.

    Args:
        layout: the study.
        first: the files of the cells that finalists are chosen from.
    """
    found, confirm = layout.confirmed(), layout.study.confirm
    if not confirm:
        return found
    wanted = max(confirm.cells, len(layout.labels.optimizers))
    again = dict(zip(layout.cells, layout.confirmable, strict=True))
    steps: dict[str, dict[str, int]] = {workload: {} for workload in layout.finalists}
    for path in first:
        cell = layout.cells[path]
        steps[cell.workload][again[path]] = grid.plan(cell).total
    for workload, file in layout.finalists.items():
        if not Path(file).exists():
            chosen = stand_ins(steps[workload], wanted)
            found |= {path: layout.confirmable[path] for path in chosen}
    return found


def stand_ins(steps: Mapping[str, int], count: int) -> list[str]:
    """Up to ``count`` cells to stand in for finalists that are not known.

    They are spread over the half of the cells with the most steps: in equal epochs these have small
    batches, as the best cells mostly do.

    Args:
        steps: of a trial of each cell, by the cell's file.
        count: how many finalists there are to be.

    >>> stand_ins({"a": 9, "b": 9, "c": 9, "d": 9, "e": 4, "f": 4}, 2), stand_ins({"a": 9}, 2)
    (['a', 'c'], ['a'])
    """
    middle = median(steps.values())
    longer = [path for path, number in steps.items() if number >= middle]
    paths = longer if len(longer) >= count else list(steps)
    count = min(count, len(paths))
    return [paths[i * len(paths) // count] for i in range(count)]


def progress(layout: Layout) -> str:
    """How far a confirmation is, in a line; empty where none is wanted."""
    confirm = layout.study.confirm
    if not confirm:
        return ""
    seeds = next(iter(layout.confirmable.values())).seeds
    on = f"on {len(seeds)} fresh seeds from {seeds[0]} on"
    files = layout.finalists.values()
    there = sum(Path(file).exists() for file in files)
    if there == len(files):
        return f"a confirmation: {counted(len(layout.confirmed()), 'finalist')} {on}"
    several = len(files) > 1
    return (
        f"a confirmation: about {counted(confirm.cells, 'finalist')}"
        f"{' of each workload' if several else ''} {on}; which they are is known when all other "
        f"cells are trained{f' ({there} of {len(files)} workloads have theirs)' if several else ''}"
    )
