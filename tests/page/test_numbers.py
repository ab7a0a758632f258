"""Numbers in words: what the page's script writes is what Python writes."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from trainscape.figures.values import score, signed
from trainscape.numerals import duration, number
from trainscape.report._assets import FOLDER
from trainscape.workloads import Metric

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

# Zero, ties in binary, bounds of a form of writing, and what rounds to the next power of ten.
ODD = [
    *(0.0, 0.5, 2.5, 12.5, 0.125, 62.5, 0.6225, 1250.5, 1251.5, 2.345, 123.4, 999.5, 999.9, 9999.6),
    *(1e-3, 9.996e-4, 1e4, 99_950, 99_951, 1e6, 1e9, 9.996e8, 99.95, 100, 5999, 6000, 1e-6, 3e-9),
    *(0.04999, 0.05, 0.0005, 23.2e6, 0.015, 1.005, 59.95, 0.9996, 1e15, 1e25),
]
NUMBERS = [*ODD, *(10 ** random.Random(k).uniform(-8, 11) for k in range(100 - len(ODD)))]


@pytest.fixture(scope="module")
def page(browser: Browser) -> Page:
    """An empty page."""
    return browser.new_page()


def written(page: Page, how: str, values: list[float]) -> Any:
    """What the script makes of numbers, by an expression of ``T`` and ``value``."""
    core = (FOLDER / "script/core.js").read_text(encoding="utf-8")
    return page.evaluate(
        "([core, how, values]) => values.map(new Function(`${core}; return (value) => ${how}`)())",
        [core, how, values],
    )


@pytest.mark.parametrize("digits", [2, 3, 4])
def test_a_number(page: Page, digits: int) -> None:
    """In as many digits, negative ones as well."""
    values = [*NUMBERS, *(-value for value in NUMBERS)]
    ours = [number(value, digits) for value in values]
    theirs = written(page, f"T.number(value, {digits})", values)
    assert theirs == ours


def test_seconds(page: Page) -> None:
    """The units change at the same bounds."""
    assert written(page, "T.seconds(value)", NUMBERS) == [duration(value) for value in NUMBERS]


@pytest.mark.parametrize("unit", ["fraction", "m²", ""])
def test_a_metric_and_its_differences(page: Page, unit: str) -> None:
    """Shares in percent and in points; zero has no sign, nor has what is written as zero."""
    judged = Metric("own", "max", unit, lambda: None)  # type: ignore[arg-type,misc]
    of = f'{{ metric: {{ unit: "{unit}" }} }}'
    said = [score(value, judged, unit=True) for value in NUMBERS]
    assert written(page, f"T.score(value, {of})", NUMBERS) == said
    values = [*NUMBERS, *(-value for value in NUMBERS)]
    assert written(page, f"T.signed(value, {of})", values) == [signed(v, unit) for v in values]
