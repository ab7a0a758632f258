"""The first screen in a browser: the reference, what is copied, what a link restores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kit import synthetic
from kit.browser import WIDTHS, Opened, chromium
from kit.reports import build

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests here."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of 120 cells."""
    folder = tmp_path_factory.mktemp("first")
    build(synthetic.study(), folder)
    return folder / "report.html"


@pytest.fixture(params=WIDTHS)
def opened(request: pytest.FixtureRequest, browser: Browser, file: Path) -> Iterator[Opened]:
    """The page on a phone and on a desk, which must say nothing on its console."""
    tab = Opened(browser, file, WIDTHS[request.param])
    yield tab
    assert tab.said == []
    tab.close()


def labels(tab: Opened) -> list[str]:
    """The lines of the forest plot, top to bottom."""
    texts = tab.page.locator('figure[data-kind="forest"] .live svg text').all_text_contents()
    return [text for text in texts if ", " in text and "points" not in text]


def test_the_answer_fits_a_screen(browser: Browser, file: Path) -> None:
    """Heading, facts, cards, comparison and next run end above the fold at 1280 × 800."""
    tab = Opened(browser, file, 1280)
    tab.live("forest")
    for part in ("h1", ".cards", '[data-part="forest"] .plot', ".next"):
        box = tab.page.locator(part).first.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 800, part
    tab.close()


def test_a_menu_changes_the_reference_and_the_address(opened: Opened) -> None:
    """The chosen optimizer becomes the reference; a reload shows the same."""
    opened.live("forest")
    before = next(text for text in labels(opened) if text.endswith("reference"))
    other = next(text for text in labels(opened) if not text.endswith("reference")).split(", ")[0]
    menu = opened.page.get_by_label("compared with")
    menu.focus()
    menu.select_option(other)
    opened.page.wait_for_function(
        "name => [...document.querySelectorAll('figure[data-kind=forest] .live svg text')]"
        ".some(t => t.textContent === name + ', reference')",
        arg=other,
    )
    assert before not in labels(opened)
    opened.page.reload()
    opened.page.wait_for_selector("html[data-ready]")
    opened.live("forest")
    opened.page.wait_for_function(
        "name => [...document.querySelectorAll('figure[data-kind=forest] .live svg text')]"
        ".some(t => t.textContent === name + ', reference')",
        arg=other,
    )
    assert opened.page.get_by_label("compared with").input_value() == other


def test_a_click_on_an_optimizer_makes_it_the_reference(browser: Browser, file: Path) -> None:
    """Anywhere on its line counts."""
    tab = Opened(browser, file, 1280)
    tab.live("forest")
    plot = tab.page.locator('figure[data-kind="forest"] .live svg').bounding_box()
    name = labels(tab)[-1].split(", ")[0]
    assert plot is not None
    line = tab.page.locator('figure[data-kind="forest"] .live svg text', has_text=name + ", ").first
    box = line.bounding_box()
    assert box is not None
    tab.page.mouse.click(plot["x"] + 0.6 * plot["width"], box["y"] + box["height"] / 2)
    tab.page.wait_for_function("location.hash.includes('ref')")
    assert tab.page.get_by_label("compared with").input_value() == name
    assert tab.said == []
    tab.close()


def test_a_card_is_copied_and_shown_in_the_map(browser: Browser, file: Path) -> None:
    """YAML and PyTorch of the setting on the card; its cell opens in the map."""
    tab = Opened(browser, file, 1280)
    tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    card = tab.page.locator(".card").first
    setting = card.locator(".setting").inner_text()
    card.get_by_role("button", name="Copy YAML").click()
    text = tab.page.evaluate("navigator.clipboard.readText()")
    optimizer, batch, lr, schedule = (part.split()[-1] for part in setting.split(", "))
    assert text == (
        "# for params.yaml, in place of its grid\n"
        f"grid:\n  optimizer: [{optimizer}]\n  batch_size: [{batch}]\n  lr: [{lr}]\n"
        f"  schedule: [{schedule}]\n"
    )
    card.get_by_role("button", name="Copy PyTorch").focus()
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_function("document.getElementById('said').textContent === 'Copied PyTorch'")
    code = tab.page.evaluate("navigator.clipboard.readText()")
    assert f"lr={lr})" in code
    assert code.startswith(f"import torch\nbatch_size = {batch}\n")
    card.get_by_role("button", name="Show in the map").click()
    assert tab.page.locator('[data-part="map"]').first.is_visible()
    assert tab.said == []
    tab.close()


def test_a_link_to_a_section_keeps_what_is_chosen(opened: Opened) -> None:
    """Sections are scrolled to; the address keeps the reference."""
    other = opened.page.get_by_label("compared with").locator("option").nth(1).inner_text()
    opened.page.get_by_label("compared with").select_option(other)
    address = opened.page.url
    opened.page.locator("nav a").nth(1).click()
    assert opened.page.url == address


def test_the_time_of_a_grid_follows_what_is_typed(browser: Browser, file: Path) -> None:
    """Twice the seeds take twice as long."""
    tab = Opened(browser, file, 1280)
    box = tab.page.locator("[data-grid-time]")
    before = box.locator("strong").inner_text()
    seeds = box.get_by_label("seeds")
    seeds.fill(str(2 * int(seeds.input_value())))
    after = box.locator("strong").inner_text()
    assert before.split()[1] == after.split()[1]
    assert float(after.split()[0]) == pytest.approx(2 * float(before.split()[0]), rel=0.02)
    tab.close()
