"""The page that ``trainscape diff --html`` writes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from kit.diffed import STUDY, said, write
from kit.diffed import project as project  # a fixture, once it is here
from kit.versions import table


@pytest.mark.parametrize(
    ("made", "text"),
    [
        ({}, "No result changed: all 100 trials are the same bytes"),
        ({"digest": "d2"}, "No result changed: all 100 trials are equal"),
        ({"name": "two", "shift": 0.9, "only": "sgd"}, "all with sgd"),
        ({"name": "two", "shift": -0.9, "lrs": (0.1,)}, "cells are worse, by up to"),
        ({"name": "two", "seeds": (7,)}, "Nothing can be told: 20 cells are undecided"),
        ({"lrs": (0.7,)}, "No cell is in both versions: 10 cells are new, 20 gone"),
    ],
)
def test_the_page_begins_with_the_finding(
    project: Path, capsys: pytest.CaptureFixture[str], made: dict[str, Any], text: str
) -> None:
    """The heading says what came of it, whatever that is."""
    write(table(**made))
    said(capsys, "--html", "changes.html")
    page = Path("changes.html").read_text(encoding="utf-8")
    assert text in page[page.index("<h1>") : page.index("</h1>")]


def test_of_a_loss_less_is_better_on_the_page_too(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A loss that rose is worse, whatever its sign: in the heading, the map and the chart."""
    write(table(workload="regression"), "a/trials.csv")
    write(table("two", 1.5, workload="regression", digest="d2"), "b/trials.csv")
    said(capsys, "a", "b", "--html", "changes.html")
    page = Path("changes.html").read_text(encoding="utf-8")
    assert re.search(r"<h1>\d+ cells are worse, by up to", page)
    assert re.search(r'<td class="d[0-4]"><b>\+0\.\d+</b><small>worse', page)
    assert "right is worse" in page


def test_an_axis_of_many_values_is_in_the_table_alone(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The chart has a line for each optimizer and batch size, and none for a hundred rates."""
    lrs = tuple(k / 100 for k in range(1, 21))
    write(table(lrs=lrs), "a/trials.csv")
    write(table("two", -0.5, lrs=lrs), "b/trials.csv")
    said(capsys, "a", "b", "--html", "changes.html")
    page = Path("changes.html").read_text(encoding="utf-8")
    chart = page[page.index('data-kind="shifts"') : page.index("</figure>")]
    assert "batch size 16, worse" in chart and "lr 0.01" not in chart
    assert "In numbers, below: 20 of lr." in chart
    assert "<td>lr 0.01</td>" in page


def test_what_the_page_escapes_is_shown_as_it_is(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Words of users are no markup."""
    write(STUDY.replace("test", "<b>mine</b>"), "params.yaml")
    said(capsys, "--html", "changes.html")
    page = Path("changes.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;mine&lt;/b&gt;" in page and "<b>mine" not in page


def test_parameters_of_folders_are_those_that_their_reports_state(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder without a parameter file may have a report; without both it is said why not."""
    for folder, rate in (("a", "0.1"), ("b", "0.2")):
        write(table(), f"{folder}/trials.csv")
        listed = f"<dt>name</dt><dd>x</dd><dt>grid.lr</dt><dd>{rate} &amp; more</dd>"
        write(f"<h3>study</h3>\n<dl>{listed}</dl>", f"{folder}/report.html")
    assert "params  grid.lr: 0.1 & more → 0.2 & more" in said(capsys, "a", "b")
    Path("b/report.html").unlink()
    text = said(capsys, "a", "b", "--html", "changes.html")
    why = "b has neither a parameter file nor a report.html that states it"
    assert f"params  not compared: {why}" in text
    assert f"not compared: {why}" in Path("changes.html").read_text(encoding="utf-8")
