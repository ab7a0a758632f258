"""Write the report from the tables and figures of the stages before it."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from trainscape import __version__, analysis, datasets, workloads
from trainscape.cells import alike
from trainscape.forked import begun
from trainscape.hashing import SHORT, sha256
from trainscape.numerals import counted
from trainscape.pipeline.snippets import snippets
from trainscape.pipeline.tables import curves, replayed, searched, table
from trainscape.report import Page, runtime, write

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

    from trainscape.pipeline.layout import Layout

LIBRARIES = ("torch", "numpy", "pandas", "seaborn", "snakemake", "dvc")


def make(layout: Layout) -> None:
    """Write ``report.html``."""
    # what takes long and needs no table: the snippets load torch, Vega is bundled
    with begun([partial(snippets, layout), runtime], 1) as (own, vega):
        write(replace(page(layout), snippets=own, vega=vega), layout.output / "report.html")


def page(layout: Layout) -> Page:
    """What the report is written from; no cell file is read."""
    summary, trials = table(layout, "summary"), table(layout, "trials")
    rows = analysis.records(summary)
    times = json.loads((layout.output / "timings.json").read_text(encoding="utf-8"))
    split = "validation" if analysis.validated(trials) else "train"
    return Page(
        study=layout.study.model_dump(mode="json", exclude_none=True),
        labels=layout.labels,
        figures=layout.figures,
        folder=layout.output / "figures",
        found=json.loads((layout.output / "answers.json").read_text(encoding="utf-8")),
        cells=analysis.timed(summary, table(layout, "timings")) if layout.throughput else rows,
        trials=trials,
        confirmed=table(layout, "confirm"),
        curves=curves(layout, split),
        times=times,
        snippets=partial(snippets, layout),
        paths=analysis.records(table(layout, "paths")),
        tests=analysis.records(table(layout, "range")),
        replayed=replayed(layout),
        searched=searched(layout),
        notes=alike.notes(layout.grid),
        provenance=_provenance(layout, trials, times, analysis.records(table(layout, "carried"))),
    )


def _provenance(
    layout: Layout,
    trials: pd.DataFrame,
    times: Mapping[str, Any],
    carried: Iterable[Mapping[str, Any]],
) -> dict[str, object]:
    """What the results were made from and with; no clock and no commit (``trainscape which``)."""
    versions = {name: version(name).split("+")[0] for name in LIBRARIES}
    versions["trainscape"] = __version__
    versions["python"] = ".".join(map(str, sys.version_info[:2]))
    sets = {name: workloads.registry.get(name).dataset for name in layout.study.workloads}
    return {
        "study digest": sha256(layout.study.model_dump(mode="json"))[:SHORT],
        "environment digest": sha256(versions)[:SHORT],
        "data digests": {
            name: datasets.registry.get(dataset).sha256[:SHORT] for name, dataset in sets.items()
        },
        "backend": ", ".join(sorted({str(name) for name in trials["backend"]})),
        **({"carried over by sampling": told} if (told := _carried(carried)) else {}),
        "seeds": ", ".join(map(str, layout.study.seed_list())),
        "versions": versions,
        "hardware": times.get("hardware"),
        "load": times.get("load"),
    }


def _carried(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """What the code of its digest has not trained, by workload, optimizer and torch."""
    told: dict[str, list[str]] = {}
    for row in rows:  # one a sample
        who = f"{row['workload']} {row['optimizer']}, trained by torch {row['torch']}"
        same = f"as {counted(row['retrained'], 'retrained cell')} had the same numbers"
        told.setdefault(who, []).append(f"{counted(row['cells'], 'cell')}, {same}")
    return {who: "; ".join(samples) for who, samples in told.items()}
