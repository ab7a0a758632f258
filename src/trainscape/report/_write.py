"""Fill the page's template and write the file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from trainscape.files import write_text
from trainscape.report._answer import answers
from trainscape.report._articles import articles
from trainscape.report._claims import claims
from trainscape.report._facts import facts, machine
from trainscape.report._pictures import pictures
from trainscape.report._sections import sections
from trainscape.report._table import table, with_verdicts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trainscape.report._page import Page

FOLDER = Path(__file__).parent


def write(page: Page, path: Path) -> None:
    """Write the report: the same page gives the same bytes.

    Args:
        page: what it says and shows.
        path: the file to write.

    Raises:
        UserError: a figure is missing; names it.
    """
    provenance = page.provenance
    html = (
        environment()
        .get_template("report.html.j2")
        .render(
            name=page.study["name"],
            validated=page.validated,
            workloads=page.labels.workloads,
            answers=answers(page.study, page.found, page.trials, page.searched, page.notes),
            claims=claims(page.found, pictures(page)),
            articles=articles(page),
            sections=sections(page),
            table=table(with_verdicts(page.cells, page.found), page.validated, page.timed),
            machine=machine(provenance.get("hardware") or {}),
            busy=bool((provenance.get("load") or {}).get("too_high")),
            provenance=_headed(provenance),
            study=facts(page.study),
            css=asset("report.css"),
            js=asset("report.js"),
        )
    )
    write_text(path, html)


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


def asset(name: str) -> Markup:
    """One of this folder's own files, which needs no escaping."""
    return Markup((FOLDER / name).read_text(encoding="utf-8"))


def _headed(provenance: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """The provenance in blocks: lone values first, then each mapping under its own name."""
    lone = {name: value for name, value in provenance.items() if not isinstance(value, dict)}
    blocks = [("results", lone)] if lone else []
    blocks += [(name, value) for name, value in provenance.items() if isinstance(value, dict)]
    return [(name, facts(block)) for name, block in blocks]
