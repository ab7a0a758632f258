"""Names of a stranger's are text on a page, and nothing else, wherever they stand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kit import synthetic
from kit.reports import MadeUp
from kit.versions import table
from trainscape import report
from trainscape.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kit.browser import Opened
    from trainscape.analysis import Entry

pytestmark = pytest.mark.browser

NAMES = [
    '<img src=x onerror="window.pwned=1">',
    "</script><script>window.pwned=2</script><!--",
    "\"><svg onload=window.pwned=3>'",
    "');window.pwned=4;(' + datum.lr + ${window.pwned=5} {{7*7}} ]]> \\ \u2028",
    "javascript:window.pwned=6",
    "</style><link rel=stylesheet href=https://example.org/x.css>",
]
# what a name would have added, were it more than text
ADDED = "img[src=x], svg[onload], link[href*=example], a[href^=javascript], [onerror], [onload]"
LOOK = f"""() => ({{
    pwned: window.pwned ?? null,
    added: [...document.querySelectorAll('{ADDED}')].map((one) => one.outerHTML),
    scripts: document.scripts.length,
}})"""


def relabelled(entries: list[Entry], optimizers: dict[str, str], schedules: dict[str, str]) -> Any:
    """Cells whose optimizers and schedules have other labels than a study could give them."""
    for entry in entries:
        cell = entry.cell
        optimizer = replace(cell.optimizer, label=optimizers[cell.optimizer.label])
        schedule = replace(cell.schedule, label=schedules[cell.schedule.label])
        yield replace(entry, cell=replace(cell, optimizer=optimizer, schedule=schedule))


def judge(opened: Opened, scripts: int) -> None:
    """No name has run, added an element or a script."""
    assert opened.page.evaluate(LOOK) == {"pwned": None, "added": [], "scripts": scripts}


def visited(opened: Opened) -> None:
    """Scroll through the whole page, so that live charts are drawn, and open what opens."""
    opened.page.evaluate(
        "() => document.querySelectorAll('details').forEach((d) => (d.open = true))"
    )
    for part in opened.page.query_selector_all("section"):
        part.scroll_into_view_if_needed()
    opened.page.wait_for_timeout(300)


def test_a_report_shows_names_as_text(tmp_path: Path, tab: Callable[..., Opened]) -> None:
    """Labels, the study's values, what the machine is called: in text, attributes, charts, data."""
    entries = synthetic.study(lrs=(0.01, 0.1, 1.0), batch_sizes=(16, 64))
    optimizers = dict(zip({e.cell.optimizer.label: 0 for e in entries}, NAMES, strict=False))
    schedules = dict(zip({e.cell.schedule.label: 0 for e in entries}, NAMES[3:], strict=False))
    made = MadeUp(list(relabelled(entries, optimizers, schedules)))
    made.figures = []
    made.tree["hardware"]["cpu"] = NAMES[0]
    study = {"name": NAMES[1], "budget": {"epochs": 10}, "plugins": NAMES, NAMES[2]: NAMES[3]}
    page = tmp_path / "report.html"
    report.write(made.page(tmp_path, study), page)
    text = page.read_text(encoding="utf-8")
    assert NAMES[0] not in text and NAMES[1] not in text and NAMES[5] not in text
    opened = tab(page=page)
    scripts = opened.page.evaluate("() => document.scripts.length")
    visited(opened)
    added = opened.page.evaluate("() => document.scripts.length")
    assert added - scripts <= 1  # Vega, when a chart comes into view
    judge(opened, added)
    shown = opened.page.inner_text("body")
    for name in [*list(optimizers.values())[:3], NAMES[1]]:
        assert name in shown


def test_a_page_of_changes_shows_names_as_text(
    tmp_path: Path, tab: Callable[..., Opened], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is compared are tables that anyone may have written."""
    monkeypatch.chdir(tmp_path)
    for name, shift in (("a", 0.0), ("b", -0.8)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "params.yaml").write_text(
            f"name: {name}\nnote: {NAMES[0]!r}\n"
            + ("? '<b id=pwned>'\n: 1\n" if name == "b" else "")
        )
        text = table(name, shift, only="adam", digest=name, backend="<b id=pwned>")
        for old, new in (("sgd", NAMES[0]), ("adam", NAMES[2]), ("constant", NAMES[4])):
            field = '"' + new.replace('"', '""') + '"'
            text = text.replace(f",{old},", f",{field},")
        (tmp_path / name / "results").mkdir()
        (tmp_path / name / "results/trials.csv").write_text(text, encoding="utf-8")
    page = tmp_path / "changes.html"
    assert main(["diff", "a", "b", "--html", str(page)]) == 0
    assert NAMES[0] not in page.read_text(encoding="utf-8")
    opened = tab(page=page)
    visited(opened)
    judge(opened, opened.page.evaluate("() => document.scripts.length"))
    assert opened.page.query_selector("#pwned") is None
    assert NAMES[0] in opened.page.inner_text("body")
