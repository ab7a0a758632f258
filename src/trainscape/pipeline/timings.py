"""Step times and what follows from them: the tables and figures that hold seconds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainscape import analysis
from trainscape.figures.draw import Content, draw
from trainscape.files import write_json
from trainscape.pipeline.figures import write_article_table
from trainscape.pipeline.tables import searched, table
from trainscape.pipeline.throughput import read_record

if TYPE_CHECKING:
    from trainscape.pipeline.layout import Layout


def make(layout: Layout) -> None:
    """Write the tables and draw the figures that hold seconds; null where none was measured."""
    summary, search = table(layout, "summary"), searched(layout)
    times, tree = analysis.timings(_records(layout), summary)
    analysis.write_csv(times, layout.output / "timings.csv")
    write_json(layout.output / "timings.json", tree)
    content = Content(cells=analysis.whole(analysis.timed(summary, times), search), searched=search)
    figures = [figure for figure in layout.figures if figure.timed]
    draw(figures, content, layout.output / "figures")
    if "batch-table" in layout.study.figures:
        batches = analysis.batches(table(layout, "trials"), summary, times)
        write_article_table(layout, "batch-table", batches)


def _records(layout: Layout) -> list[dict[str, Any]]:
    """The step times measured on this machine, if any."""
    path = layout.throughput
    if path is None or not Path(path).exists():
        return []
    return [read_record(Path(path))]
