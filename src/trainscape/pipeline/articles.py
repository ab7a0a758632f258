"""Make the article figures that a study asks for, and the tables beside them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from trainscape import datasets, workloads
from trainscape.cells import grid
from trainscape.figures.articles.names import article_figures, table_path
from trainscape.pipeline.layout import DATA, Layout

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd

    from trainscape.analysis import Entry
    from trainscape.figures.articles.descent import Heights


def draw(layout: Layout, found: list[Entry]) -> None:
    """Draw what training alone decides, and write its tables."""
    if not layout.study.figures:
        return
    from trainscape import analysis
    from trainscape.figures.articles.draw import draw_articles

    trials = analysis.trials(found, grid.targets(layout.study))
    makers: dict[str, Callable[[], pd.DataFrame]] = {
        "loss-by-batch": lambda: trials,
        "lr-scaling": lambda: analysis.scaling(trials),
        "trace": lambda: analysis.traces(found),
        "path": lambda: analysis.paths(found),
        "decay": lambda: analysis.decay(found),
    }
    wanted: list[str] = list(layout.study.figures)
    tables = {kind: make() for kind, make in makers.items() if kind in wanted}
    figures = article_figures(wanted, *layout.labels)
    draw_articles(figures, tables, _functions(layout), _folder(layout))
    for kind, table in tables.items():
        _write(layout, kind, table, times=False)


def write_times(
    layout: Layout, trials: pd.DataFrame, summary: pd.DataFrame, timings: pd.DataFrame
) -> None:
    """Write the tables that hold seconds."""
    from trainscape import analysis

    if "batch-table" in layout.study.figures:
        _write(layout, "batch-table", analysis.batches(trials, summary, timings), times=True)


def _write(layout: Layout, kind: str, table: pd.DataFrame, *, times: bool) -> None:
    """Each workload's part of a table, where the layout lists it."""
    from trainscape import analysis

    for workload in layout.study.workloads:
        path = _folder(layout) / table_path(workload, kind)
        if str(path) in layout.article_tables(times=times):
            own = table[table["workload"] == workload]
            analysis.write_csv(own, path)


def _functions(layout: Layout) -> dict[str, Heights]:
    """What each workload's paths descend on; torch is imported when one is called."""
    from trainscape.engine.landscape import heights

    return {
        name: partial(heights, name, datasets.load(workloads.registry.get(name).dataset, DATA))
        for name in layout.study.workloads
        if "path" in layout.study.figures
    }


def _folder(layout: Layout) -> Path:
    return layout.output / "figures"
