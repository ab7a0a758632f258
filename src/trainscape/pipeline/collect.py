"""Cell files -> the tables that all later stages read. No other stage reads a cell file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape import analysis
from trainscape.files import write_json
from trainscape.results.cell_files import read_entries

if TYPE_CHECKING:
    from trainscape.pipeline.layout import Layout


def make(layout: Layout) -> None:
    """Write the tables and numbers that training alone decides."""
    cells = read_entries(layout.chosen, layout.identify)
    tests = read_entries(layout.range_tests, layout.identify)
    finalists = read_entries(layout.confirmed(), layout.identify)
    trials = analysis.trials(cells, layout.targets_to_reach)
    summary = analysis.summary(trials)
    suggested = analysis.range_tests(tests, summary)
    tables = {
        "trials": trials,
        "summary": summary,
        "curves": analysis.curves(cells),
        "traces": analysis.traces(cells),
        "paths": analysis.paths(cells),
        "range": suggested,
        "range-curves": analysis.range_curves(tests),
        "confirm": analysis.trials(finalists, layout.targets_to_reach),
        "examples": analysis.examples(finalists),
        "noise": analysis.noise(finalists),
        "carried": analysis.carried([*cells, *tests, *finalists]),
    }
    for name, table in tables.items():
        analysis.write_csv(table, layout.output / f"{name}.csv")
    write_json(layout.output / "range.json", analysis.range_metrics(suggested))
