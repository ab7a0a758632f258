"""Tables -> claims: ``answers.json``, the numbers that commits are compared by, and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape import analysis, answers
from trainscape.files import write_json
from trainscape.pipeline.tables import cells, curves, held_out, searched, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from trainscape.analysis import Row
    from trainscape.pipeline.layout import Layout

    Floats = NDArray[np.float64]


def make(layout: Layout) -> None:
    """Write what is claimed of every workload; no cell file is read."""
    trials, final = table(layout, "trials"), table(layout, "confirm")
    whole = searched(layout) is None
    scaling, rates = analysis.scaling(trials), analysis.best_rates(trials)
    held = {name: held_out(layout, name) for name in layout.study.workloads}
    examples = _examples(table(layout, "examples"))
    evaluations = curves(layout, "validation")
    critical, steps = analysis.critical_and_steps(trials, evaluations, _steady(layout))
    noise = analysis.noise_scales(table(layout, "noise"), final)
    importance = analysis.importance(trials, held, whole=whole)
    found = {
        workload: answers.answer(
            answers.Asked(
                grid=cells(layout, workload, trials),
                final=cells(layout, workload, final) if layout.study.confirm else None,
                examples=examples,
                margin=layout.study.margin,
                confirm=layout.study.confirm.model_dump() if layout.study.confirm else None,
                cells=[cell for cell in layout.chosen.values() if cell.workload == workload],
                study=layout.grid,
                axes=layout.study.grid.model_dump(mode="json"),
                whole=whole,
                validated=layout.study.validation > 0,
                scaling=_of(workload, scaling) if whole else [],
                rates=_of(workload, rates) if whole else [],
                critical=_of(workload, critical) if whole else [],
                steps=_of(workload, steps) if whole else [],
                noise=_of(workload, noise),
                importance=_of(workload, importance),
            )
        )
        for workload in layout.study.workloads
    }
    write_json(layout.output / "answers.json", found)
    metrics = {workload: answers.headline(own) for workload, own in found.items()}
    write_json(layout.output / "metrics.json", metrics)
    analysis.write_csv(analysis.bests(table(layout, "summary")), layout.output / "best.csv")
    for name, rows in (("scaling", scaling), ("critical", critical), ("importance", importance)):
        analysis.write_csv(rows, layout.output / f"{name}.csv")


def _steady(layout: Layout) -> set[str]:
    """The labels of schedules whose rate holds until late in the budget."""
    parts = {cell.schedule.label: cell.schedule.name for cell in layout.grid}
    return {label for label, name in parts.items() if name in analysis.STEADY}


def _examples(rows: pd.DataFrame) -> Mapping[str, Floats]:
    """By digest, each test example's metric."""
    return {str(name): own["metric"].to_numpy() for name, own in rows.groupby("digest")}


def _of(workload: str, rows: pd.DataFrame) -> Sequence[Row]:
    return analysis.records(rows[rows["workload"] == workload])
