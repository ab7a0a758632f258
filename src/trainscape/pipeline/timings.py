"""Step times and what follows from them: the tables, claims and figures that hold seconds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainscape import analysis, answers
from trainscape.files import write_json
from trainscape.pipeline.tables import searched, table, write_article_table
from trainscape.pipeline.throughput import read_record

if TYPE_CHECKING:
    from trainscape.analysis import Row
    from trainscape.pipeline.layout import Layout


def make(layout: Layout) -> None:
    """Write the tables and draw the figures that hold seconds; null where none was measured."""
    summary, search = table(layout, "summary"), searched(layout)
    trials = table(layout, "trials")
    times, tree = analysis.timings(_records(layout), summary, trials)
    rows = analysis.timed(summary, times)
    analysis.write_csv(times, layout.output / "timings.csv")
    write_json(layout.output / "timings.json", {**tree, **_claims(layout, rows)})
    if figures := [figure for figure in layout.figures if figure.timed]:
        from trainscape.figures.draw import Content, draw  # loads for half a second

        content = Content(cells=analysis.whole(rows, search), searched=search)
        draw(figures, content, layout.output / "figures")
    if "batch-table" in layout.study.figures:
        batches = analysis.batches(trials, summary, times)
        write_article_table(layout, "batch-table", batches)


def _claims(layout: Layout, rows: list[Row]) -> dict[str, Any]:
    """By workload: what reaches the target soonest, and what accuracy can be had in what time."""
    confirmed = {
        analysis.key(row): row["test_metric_mean"]
        for row in analysis.records(analysis.summary(table(layout, "confirm")))
        if row["test_metric_mean"] is not None
    }
    own = {name: [r for r in rows if r["workload"] == name] for name in layout.study.workloads}
    fronts = {name: answers.pareto(found, confirmed) for name, found in own.items()}
    return {
        "fastest": {name: answers.fastest(found) for name, found in own.items()},
        "pareto": {name: digests for name, (digests, _) in fronts.items()},
        "pareto_by": {name: by for name, (_, by) in fronts.items()},
    }


def _records(layout: Layout) -> list[dict[str, Any]]:
    """The step times measured on this machine, if any."""
    path = layout.throughput
    if path is None or not Path(path).exists():
        return []
    return [read_record(Path(path))]
