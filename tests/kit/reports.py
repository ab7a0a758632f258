"""A report of a made-up study, drawn and written as its stage does it.

Offers: :data:`STUDY`, the parameters that the page shows, and :func:`build`, the page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kit import synthetic
from trainscape import analysis, report
from trainscape.figures.draw import draw

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from trainscape.analysis import Entry

STUDY = {"name": "default", "budget": {"epochs": 10}, "grid": {"lr": [0.1, 0.01]}, "seeds": [0, 1]}


def build(
    entries: list[Entry],
    folder: Path,
    *,
    measured: bool | None = True,
    study: dict[str, Any] = STUDY,
    busy: bool = False,
    tests: pd.DataFrame | None = None,
) -> str:
    """Draw, write and read the report of ``entries``."""
    trials = analysis.trials(entries, dict.fromkeys({e.cell.workload for e in entries}, 0.95))
    summary = analysis.summary(trials)
    records = [synthetic.throughput(entries, too_high=busy)] if measured else []
    timings, tree = analysis.timings(records, summary)
    table = None if measured is None else timings
    draw(trials, summary, table, analysis.curves(entries), folder / "figures")
    provenance = {
        "study digest": "ab" * 32,
        "versions": {"torch": "2.11.0"},
        "hardware": tree["hardware"],
        "load": tree["load"],
    }
    path = folder / "report.html"
    report.write(study, summary, trials, table, folder / "figures", provenance, path, tests=tests)
    return path.read_text(encoding="utf-8")
