"""Cell files -> the tables that all later stages read. No other stage reads a cell file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from trainscape import analysis
from trainscape.files import write_json
from trainscape.results.cell_files import read_entries

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from trainscape.pipeline.layout import Layout
    from trainscape.results.cell_files import Entry


def make(layout: Layout) -> None:
    """Write the tables and numbers that training alone decides."""
    cells = read_entries(layout.chosen, layout.identify)
    tests = list(read_entries(layout.range_tests, layout.identify))
    finalists = list(read_entries(layout.confirmed(), layout.identify))
    kept: list[Entry] = []
    trials = analysis.trials(_written(layout, cells, kept), layout.targets_to_reach)
    summary = analysis.summary(trials)
    suggested = analysis.range_tests(tests, summary)
    tables: dict[str, pd.DataFrame] = {
        "trials": trials,
        "summary": summary,
        "paths": analysis.paths(kept),
        "range": suggested,
        "range-curves": analysis.range_curves(tests),
        "confirm": analysis.trials(finalists, layout.targets_to_reach),
        "examples": analysis.examples(finalists),
        "noise": analysis.noise(finalists),
        "carried": analysis.carried([*kept, *tests, *finalists]),
    }
    for name, table in tables.items():
        analysis.write_csv(table, layout.output / f"{name}.csv")
    write_json(layout.output / "range.json", analysis.range_metrics(suggested))


def _written(layout: Layout, cells: Iterator[Entry], kept: list[Entry]) -> Iterator[Entry]:
    """The cells one by one, each written to the long tables before it is let go.

    Args:
        layout: the study.
        cells: as they are read.
        kept: what the short tables need is added here: cells with paths, which are few, and with
            marks of what was carried over, without their trials.
    """
    folder = layout.output
    with (
        analysis.written_csv(folder / "curves.csv", analysis.CURVES) as curves,
        analysis.written_csv(folder / "traces.csv", analysis.TRACES) as traces,
    ):
        for entry in cells:
            curves(analysis.evaluations(entry))
            traces(analysis.losses(entry))
            if any(trial.path for trial in entry.record.trials):
                kept.append(entry)
            elif entry.record.carried:
                kept.append(replace(entry, record=replace(entry.record, trials=[])))
            yield entry
