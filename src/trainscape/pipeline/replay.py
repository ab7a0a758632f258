"""Simulate searches on the finished grid, by look-ups in the summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape import analysis
from trainscape.files import write_json
from trainscape.pipeline.tables import table
from trainscape.search import Combination, Space
from trainscape.search.replay import Finished, simulate_all

if TYPE_CHECKING:
    from trainscape.pipeline.layout import Layout


def make(layout: Layout, cores: int = 1) -> None:
    """Write how many cells each search would have needed.

    Args:
        layout: the study.
        cores: how many processes to use.
    """
    summary = table(layout, "summary")
    grids = {}
    for rows in analysis.grouped(analysis.records(summary), ("workload",)):
        space = Space.of([Combination(*(row[axis] for axis in analysis.AXES[1:])) for row in rows])
        name = rows[0]["workload"]
        values = [row["val_metric_mean"] for row in rows]
        grids[name] = Finished(space, analysis.metric(name).direction, values)
    wanted, folder = layout.study.replay, layout.output / "replay"
    orders = simulate_all(grids, wanted.runs, wanted.cells, cores)
    found = analysis.replay(summary, orders, wanted.margin)
    analysis.write_csv(found, folder / "replay.csv")
    write_json(folder / "replay.json", analysis.needed(found))
