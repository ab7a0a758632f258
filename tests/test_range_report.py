"""Range tests as the reader meets them: pictures, table and words agree with the numbers."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import pytest

from kit import synthetic
from kit.range_traces import summary, traced, valley
from kit.reports import build
from trainscape import analysis
from trainscape.figures.draw import Content, draw
from trainscape.figures.names import Labels, Wanted, listed
from trainscape.report import _range

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trainscape.analysis import Entry


def row(**changes: Any) -> dict[str, Any]:
    """A range test's row, as good as can be."""
    return {
        "workload": "digits-mlp",
        "optimizer": "adam",
        "batch_size": 64,
        "seeds": 3,
        "status": "ok",
        "diverged": 0,
        "minimum_lr": 0.1,
        "end_lr": 1.0,
        "suggestion": 0.02,
        "best_lr": 0.01,
        "schedule": "cosine",
        "factor": 2.0,
        **changes,
    }


UNRANKED = {"best_lr": None, "schedule": None, "factor": None}


def columns(**changes: Any) -> dict[str, str]:
    """What the table says of one test, by the columns' titles."""
    table = _range.table([row(**changes)])
    titles = [column.title for column in table.columns]
    return dict(zip(titles, (field.text for field in table.rows[0]), strict=True))


def test_the_lead_counts_how_far_off_and_how_many_are_near() -> None:
    """Median factor and share within a factor of 3 stand in one sentence, over all tests."""
    tests = [row(), row(factor=0.25), row(factor=0.2, optimizer="sgd"), row(suggestion=None)]
    tests[3]["factor"] = None
    said = _range.lead(tests)
    assert "Over 4 tests, the suggestion is off by a factor of 4 in the median, and 25%" in said


def test_without_validation_the_table_and_the_lead_compare_nothing() -> None:
    """Suggestions stand alone: no best rate, no triangle, no agreement."""
    assert columns(**UNRANKED) == {"optimizer": "adam", "batch": "64", "suggestion": "0.02"}
    said = _range.lead([row(**UNRANKED)])
    assert not any(word in said for word in ("grid", "triangle", "median"))


def test_the_table_says_the_suggestion_beside_the_best() -> None:
    """Both rates and their ratio, and the schedule that the best one had."""
    assert columns() == {
        "optimizer": "adam",
        "batch": "64",
        "suggestion": "0.02",
        "grid's best": "0.01",
        "its schedule": "cosine",
        "suggestion ÷ best": "2",
    }


@pytest.mark.parametrize(
    ("changes", "remark"),
    [
        ({"status": "oom", "suggestion": None, "factor": None}, "out of memory"),
        ({"status": "diverged", "diverged": 2}, "2 of 3 seeds diverged"),
        ({"suggestion": None, "factor": None}, "the loss did not fall"),
        ({"minimum_lr": 1.0}, "still falling at the highest rate"),
    ],
)
def test_what_makes_a_suggestion_doubtful_is_remarked(changes: dict[str, Any], remark: str) -> None:
    """A reader learns of divergence, of a flat loss, and of a test that ended too early."""
    assert columns(**changes)["remarks"] == remark
    if changes.get("suggestion", 1) is None:
        assert columns(**changes)["suggestion"] == "–"


def drawn(entries: list[Entry], folder: Path, validation: float = 0.1) -> list[Path]:
    """The figures of range tests."""
    tests = analysis.records(analysis.range_tests(entries, summary(validation)))
    curves = analysis.read_curves(analysis.range_curves(entries))
    figures = listed(Labels(["digits-mlp"], ["adam"], []), Wanted(False, range_tests=True))
    return draw(figures, Content(tests=tests, test_curves=curves), folder)


@pytest.mark.parametrize(
    "loss", [valley, lambda rate: valley(rate) - 1, lambda _: 2.3], ids=["log", "negative", "flat"]
)
@pytest.mark.parametrize("end", [0, 20, 150, 300])
def test_any_test_can_be_drawn(loss: Callable[[float], float], end: int, tmp_path: Path) -> None:
    """Whatever the loss and wherever it ends, there is a figure with its axes."""
    (path,) = drawn([traced(loss, end=end)], tmp_path)
    assert path == tmp_path / "digits-mlp/range/adam.svg"
    texts = [node.text for node in ET.parse(path).iter() if node.tag.endswith("}text")]
    assert {"adam", "learning rate", "training loss, smoothed", "batch size", "64"} <= set(texts)


def test_the_same_tests_give_the_same_picture(tmp_path: Path) -> None:
    """Byte for byte, and another one where the grid's best is not known."""
    first, again, unranked = (
        drawn([traced(valley)], tmp_path / name, validation)[0].read_bytes()
        for name, validation in (("a", 0.1), ("b", 0.1), ("c", 0.0))
    )
    assert first == again != unranked


def test_the_report_has_a_section_of_range_tests(tmp_path: Path) -> None:
    """A study with range tests shows figure, table and entry in the navigation; others none."""
    grid = synthetic.study(optimizers=("sgd", "adam"), batch_sizes=(16, 64))
    assert "range test" not in build(grid, tmp_path, drawn=False).lower()
    page = build(grid, tmp_path, tests=[traced(valley)])
    (section,) = re.findall(r'<section id="range".*?</section>', page, re.DOTALL)
    assert section.count("<img") == 1 and section.count("<tbody>") == 1
    assert '<a href="#range" data-to="range">Range tests</a>' in page
    assert "<dt>Range test</dt>" in page
