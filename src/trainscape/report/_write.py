"""Fill the page's template and write the file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from trainscape.analysis import records, validated
from trainscape.figures.cells import labels, timed
from trainscape.files import write_text
from trainscape.report._answer import answers
from trainscape.report._articles import articles
from trainscape.report._facts import facts, machine
from trainscape.report._sections import sections
from trainscape.report._table import leaders, standing, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from trainscape.analysis import Replayed, Searched

ROOM = Path(__file__).parent


def write(
    study: Mapping[str, Any],
    summary: pd.DataFrame,
    trials: pd.DataFrame,
    timings: pd.DataFrame | None,
    figures: Path,
    provenance: Mapping[str, Any],
    path: Path,
    replayed: Replayed | None = None,
    tests: pd.DataFrame | None = None,
    searched: Searched | None = None,
) -> None:
    """Write the report: the same input gives the same bytes.

    Args:
        study: the study as plain data; ``name``, ``budget`` and ``figures`` are read, the rest is
            shown.
        summary: a row per cell.
        trials: a row per trial.
        timings: a row per cell, null where not measured here; None for a study without timings.
        figures: the folder that :func:`trainscape.figures.draw.draw` filled.
        provenance: what the results were made from and with: a value, or a mapping of values under
            a heading. ``hardware`` and ``load`` are those of ``timings.json``.
        path: the file to write.
        replayed: the simulated searches, if the study has any.
        tests: a row per learning-rate range test, if the study has any.
        searched: what was trained of the grid, if not all.

    Raises:
        UserError: a figure is missing; names it.
    """
    cells = records(summary) if timings is None else timed(summary, timings)
    page = _environment().get_template("report.html.j2")
    html = page.render(
        name=study["name"],
        validated=validated(trials),
        workloads=labels(cells)[0],
        answers=answers(study, cells, trials, searched),
        leaders=leaders(cells) if validated(trials) else [],
        articles=articles(study, cells, figures),
        sections=sections(
            cells,
            trials,
            figures,
            timings is not None,
            replayed,
            [] if tests is None else records(tests),
            searched,
        ),
        table=table(standing(cells, trials), validated(trials), timings is not None),
        machine=machine(provenance.get("hardware") or {}),
        busy=bool((provenance.get("load") or {}).get("too_high")),
        provenance=_headed(provenance),
        study=facts(study),
        css=_own("report.css"),
        js=_own("report.js"),
    )
    write_text(path, html)


def _environment() -> Environment:
    # Labels come from users: everything is escaped, and a misspelt name in the template fails.
    return Environment(
        loader=FileSystemLoader(ROOM),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _own(name: str) -> Markup:
    """One of this folder's own files, which needs no escaping."""
    return Markup((ROOM / name).read_text(encoding="utf-8"))


def _headed(provenance: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """The provenance in blocks: lone values first, then each mapping under its own name."""
    lone = {name: value for name, value in provenance.items() if not isinstance(value, dict)}
    blocks = [("results", lone)] if lone else []
    blocks += [(name, value) for name, value in provenance.items() if isinstance(value, dict)]
    return [(name, facts(block)) for name, block in blocks]
