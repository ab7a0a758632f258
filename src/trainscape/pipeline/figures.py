"""Draw the figures that training alone decides, and write the tables beside them."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from trainscape import analysis, datasets, workloads
from trainscape.figures.draw import Content, draw
from trainscape.pipeline.tables import curves, replayed, searched, table, write_article_table

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from trainscape.figures.articles.descent import Heights
    from trainscape.pipeline.layout import Layout


def make(layout: Layout) -> None:
    """Draw all figures that show no seconds."""
    search, folder = searched(layout), layout.output / "figures"
    split = "validation" if layout.study.validation else "train"
    articles = _article_tables(layout)
    content = Content(
        cells=analysis.whole(analysis.records(table(layout, "summary")), search),
        curves=analysis.Histories(curves(layout, split)),
        tests=analysis.records(table(layout, "range")),
        test_curves=analysis.read_curves(table(layout, "range-curves")),
        replayed=replayed(layout),
        searched=search,
        found=json.loads((layout.output / "answers.json").read_text(encoding="utf-8")),
        articles={kind: analysis.records(rows) for kind, rows in articles.items()},
        heights=_heights(layout),
    )
    draw([figure for figure in layout.figures if not figure.timed], content, folder)
    for kind, rows in articles.items():
        write_article_table(layout, kind, rows)


def _article_tables(layout: Layout) -> dict[str, pd.DataFrame]:
    """What each kind of article figure that the study asks for is drawn from."""
    trials, paths = partial(table, layout, "trials"), partial(table, layout, "paths")
    makers: dict[str, Callable[[], pd.DataFrame]] = {
        "loss-by-batch": trials,
        "lr-scaling": lambda: analysis.scaling(trials()),
        "trace": partial(table, layout, "traces"),
        "path": paths,
        "decay": lambda: analysis.decay(paths()),
    }
    return {kind: make() for kind, make in makers.items() if kind in layout.study.figures}


def _heights(layout: Layout) -> dict[str, Heights]:
    """The function that each workload's paths descend on; nothing where no path is drawn."""
    if "path" not in layout.study.figures:
        return {}
    from trainscape.engine.landscape import heights  # loads torch

    sets = {name: workloads.registry.get(name).dataset for name in layout.study.workloads}
    return {
        name: partial(heights, name, datasets.load(dataset, layout.data))
        for name, dataset in sets.items()
    }
