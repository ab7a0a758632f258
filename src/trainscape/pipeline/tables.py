"""The tables of the stages before, as the later stages read them, and those beside figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape import datasets, workloads
from trainscape.analysis import Cells, Replayed, Searched, axes, read_csv, write_csv
from trainscape.cells.budget import validation_size
from trainscape.figures.names import table_path
from trainscape.hashing import SHORT

if TYPE_CHECKING:
    import pandas as pd

    from trainscape.pipeline.layout import Layout


def table(layout: Layout, name: str) -> pd.DataFrame:
    """The table ``<name>.csv`` of a study's output folder."""
    return read_csv(layout.output / f"{name}.csv")


def curves(layout: Layout, split: str) -> pd.DataFrame:
    """The learning curves of one split: of the longest table a third."""
    return read_csv(layout.output / "curves.csv", {"split": split})


def replayed(layout: Layout) -> Replayed | None:
    """What the simulated searches came to; None if the study has none."""
    if not layout.study.replay.enabled:
        return None
    return Replayed(table(layout, "replay/replay"), layout.study.replay.margin)


def searched(layout: Layout) -> Searched | None:
    """What was trained of the grid; None if all of it."""
    design = layout.study.design
    if design == "grid":
        return None
    rounds = {
        workload: [
            [layout.identify(layout.cells[path])[:SHORT] for path in layout.proposed([file])]
            for file in files
        ]
        for workload, files in layout.rounds.items()
    }
    return Searched(design.method, design.seed, [axes(cell) for cell in layout.grid], rounds)


def write_article_table(layout: Layout, kind: str, rows: pd.DataFrame) -> None:
    """Write each workload's part of a table, if its kind has a file."""
    listed = [*layout.article_tables(timed=False), *layout.article_tables(timed=True)]
    for workload in layout.study.workloads:
        path = layout.output / "figures" / table_path(workload, kind)
        if str(path) in listed:
            write_csv(rows[rows["workload"] == workload], path)


def held_out(layout: Layout, workload: str) -> int:
    """How many examples a workload's validation split has."""
    dataset = datasets.registry.get(workloads.registry.get(workload).dataset)
    return validation_size(dataset.train, layout.study.validation)


def cells(layout: Layout, workload: str, trials: pd.DataFrame) -> Cells:
    """The workload's cells of a table like trials.csv."""
    dataset = datasets.registry.get(workloads.registry.get(workload).dataset)
    own = trials[trials["workload"] == workload]
    return Cells.of(own, held_out(layout, workload), dataset.test)
