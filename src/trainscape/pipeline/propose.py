"""Propose the cells of one round of a search, from what the rounds before it came to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trainscape import workloads
from trainscape.errors import UserError
from trainscape.files import sweep
from trainscape.results.cell_files import read_entries
from trainscape.results.owner import claim
from trainscape.search import Combination, Space, proposals
from trainscape.search.rounds import by_workload, read_round, write_round

if TYPE_CHECKING:
    from trainscape.cells.cell import Cell
    from trainscape.pipeline.layout import Layout
    from trainscape.study.design import Design


def make(layout: Layout, file: str) -> None:
    """Write one round's file; other versions of the same round are removed.

    Args:
        layout: the study, whose design is a search.
        file: the round's file.

    Raises:
        UserError: it is no round of the study, or earlier rounds came out otherwise here.
    """
    found = [name for name, files in layout.rounds.items() if file in files]
    if not found or layout.study.design == "grid":
        raise UserError(f"{file}: is no round of study {layout.study.name!r}")
    claim(layout.output, layout.study.name)
    files = layout.rounds[found[0]]
    earlier = [read_round(Path(name), layout.cells) for name in files[: files.index(file)]]
    chosen = _proposed(layout, layout.study.design, found[0], earlier)
    write_round(Path(file), chosen)
    kept = Path(file)
    sweep(kept.parent, f"{kept.stem.rpartition('-')[0]}-*.json", keep=[kept])
    for path in chosen:
        print(f"proposed {layout.cells[path]}")


def _proposed(layout: Layout, design: Design, workload: str, earlier: list[list[str]]) -> list[str]:
    """The files of the cells of the round after the ``earlier`` ones, which are replayed."""
    paths = by_workload(layout.cells)[workload]
    numbers = {path: number for number, path in enumerate(paths)}
    space = Space.of([_combination(layout.cells[path]) for path in paths])
    done = [path for cells in earlier for path in cells]
    values = dict(zip((numbers[path] for path in done), _values(layout, done), strict=True))
    sizes = design.sizes()[: len(earlier) + 1]
    direction = workloads.registry.get(workload).metric.direction
    try:
        rounds = proposals(space, design.method, direction, design.seed, sizes, values)
    except KeyError:  # a cell was proposed that the earlier rounds' files do not hold
        rounds = []
    if [[paths[n] for n in cells] for cells in rounds[:-1]] != earlier or not rounds:
        folder = layout.output / "search" / workload
        raise UserError(
            f"{folder}: its rounds come out otherwise on this machine; delete it and run again"
        )
    return [paths[n] for n in rounds[-1]]


def _combination(cell: Cell) -> Combination:
    return Combination(cell.optimizer.label, cell.batch_size, cell.lr, cell.schedule.label)


def _values(layout: Layout, paths: list[str]) -> list[float | None]:
    """The mean validation metric over the seeds of each cell; None if one did not end."""
    from trainscape import analysis

    if not paths:
        return []
    entries = read_entries({path: layout.cells[path] for path in paths}, layout.identify)
    trials = analysis.trials(entries, layout.targets_to_reach)
    return [row["val_metric_mean"] for row in analysis.records(analysis.summary(trials))]
