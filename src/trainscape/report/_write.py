"""Fill the page's template and write the file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from trainscape.analysis.functions import is_function
from trainscape.files import write_text
from trainscape.report import _parts
from trainscape.report._answer import Answer, answers
from trainscape.report._articles import articles
from trainscape.report._assets import FOLDER, script, style
from trainscape.report._claims import claims
from trainscape.report._data import data
from trainscape.report._facts import facts, machine
from trainscape.report._first import First, first
from trainscape.report._gallery import gallery
from trainscape.report._runtime import packed
from trainscape.report._sections import SHORT, Section, sections
from trainscape.report._table import table, with_verdicts
from trainscape.report._times import doubts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from trainscape.charts import Chart
    from trainscape.report._articles import Article
    from trainscape.report._claim import Claim
    from trainscape.report._page import Page


@dataclass(frozen=True)
class Panel:
    """All that is shown of one workload."""

    workload: str
    first: First
    comparison: _parts.Part | None
    next: Claim | None
    answers: Sequence[Answer]
    articles: Sequence[Article]
    parts: Sequence[_parts.Part]
    sections: Sequence[Section]

    @property
    def charts(self) -> list[Chart]:
        """Every chart of the workload."""
        shown = [self.comparison, *self.parts] if self.comparison else self.parts
        return [chart for part in shown for chart in part.charts]


def write(page: Page, path: Path) -> None:
    """Write the report: the same page gives the same bytes.

    Args:
        page: what it says and shows.
        path: the file to write.

    Raises:
        UserError: a figure is missing; names it.
    """
    provenance = page.provenance
    panels = _panels(page)
    specs = {p.workload: {chart.kind: chart.vega for chart in p.charts} for p in panels}
    html = (
        environment()
        .get_template("report.html.j2")
        .render(
            name=page.study["name"],
            validated=page.validated,
            timed=page.timed,
            generalises=not all(is_function(name) for name in page.labels.workloads),
            range_tests=bool(page.tests),
            workloads=page.labels.workloads,
            panels=panels,
            links=_links(panels),
            table=table(with_verdicts(page.cells, page.found), page.validated, page.timed),
            machine=machine(provenance.get("hardware") or {}),
            doubt=doubts(page.times),
            provenance=_headed(provenance),
            study=facts(page.study),
            css=style(),
            js=script(),
            data=packed(data(page, specs)),
            runtime=page.vega(),
            pictures=packed(json.dumps(gallery(page), separators=(",", ":"), ensure_ascii=False)),
        )
    )
    write_text(path, html)


def _links(panels: Sequence[Panel]) -> list[tuple[str, str]]:
    """The kinds of sections that any workload has, and what links call them."""
    asked = [part.question for panel in panels for part in panel.parts]
    links = [(question.kind, question.short) for question in asked]
    links += [(section.kind, SHORT[section.kind]) for p in panels for section in p.sections]
    return list(dict.fromkeys(links))


def _panels(page: Page) -> list[Panel]:
    said = answers(page.study, page.found, page.trials, page.searched, page.notes)
    drawn, shown, claimed = articles(page), sections(page), claims(page.found)
    return [
        Panel(
            workload=name,
            first=own,
            comparison=_parts.comparison(page, name, found),
            next=found.get("next"),
            answers=[answer for answer in said if answer.workload == name],
            articles=[part for part in drawn if part.workload == name],
            parts=_parts.parts(page, name, found),
            sections=[section for section in shown if section.workload == name],
        )
        for own in first(page)
        for name in [own.workload]
        for found in [{claim.kind: claim for claim in claimed if claim.workload == name}]
    ]


def environment() -> Environment:
    """What fills the templates of this folder."""
    # Labels come from users: everything is escaped, and a misspelt name in the template fails.
    return Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _headed(provenance: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """The provenance in blocks: lone values first, then each mapping under its own name."""
    lone = {name: value for name, value in provenance.items() if not isinstance(value, dict)}
    blocks = [("results", lone)] if lone else []
    blocks += [(name, value) for name, value in provenance.items() if isinstance(value, dict)]
    return [(name, facts(block)) for name, block in blocks]
