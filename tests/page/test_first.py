"""The first screen in a browser: the reference, what is copied, what a link restores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kit.browser import Opened

pytestmark = pytest.mark.browser


def labels(tab: Opened) -> list[str]:
    """The lines of the forest plot, top to bottom."""
    texts = tab.page.locator('figure[data-kind="forest"] .live svg text').all_text_contents()
    return [text for text in texts if ", " in text and "points" not in text]


def test_the_answer_fits_a_screen(tab: Callable[..., Opened]) -> None:
    """Heading, facts, cards, comparison and next run end above the fold at 1280 × 800."""
    opened = tab()
    opened.live("forest")
    for part in ("h1", ".cards", '[data-part="forest"] .plot', ".next"):
        box = opened.page.locator(part).first.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 800, part


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


def test_a_click_on_an_optimizer_makes_it_the_reference(tab: Callable[..., Opened]) -> None:
    """Anywhere on its line counts."""
    opened = tab()
    opened.live("forest")
    plot = opened.page.locator('figure[data-kind="forest"] .live svg').bounding_box()
    name = labels(opened)[-1].split(", ")[0]
    assert plot is not None
    line = opened.page.locator(
        'figure[data-kind="forest"] .live svg text', has_text=name + ", "
    ).first
    box = line.bounding_box()
    assert box is not None
    opened.page.mouse.click(plot["x"] + 0.6 * plot["width"], box["y"] + box["height"] / 2)
    opened.page.wait_for_function("location.hash.includes('ref')")
    assert opened.page.get_by_label("compared with").input_value() == name


def test_a_card_is_copied_and_shown_in_the_map(tab: Callable[..., Opened], file: Path) -> None:
    """YAML and PyTorch of the setting on the card; its cell opens in the map."""
    opened = tab()
    opened.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    card = opened.page.locator(".card").first
    setting = card.locator(".setting").inner_text()
    card.get_by_role("button", name="Copy YAML").click()
    text = opened.page.evaluate("navigator.clipboard.readText()")
    optimizer, batch, lr, schedule = (part.split()[-1] for part in setting.split(", "))
    assert text == (
        "# for params.yaml, in place of its grid\n"
        f"grid:\n  optimizer: [{optimizer}]\n  batch_size: [{batch}]\n  lr: [{lr}]\n"
        f"  schedule: [{schedule}]\n"
    )
    card.get_by_role("button", name="Copy PyTorch").focus()
    opened.page.keyboard.press("Enter")
    opened.page.wait_for_function(
        "document.getElementById('said').textContent === 'Copied PyTorch'"
    )
    code = opened.page.evaluate("navigator.clipboard.readText()")
    assert f"lr={lr})" in code
    assert code.startswith(f"import torch\nbatch_size = {batch}\n")
    card.get_by_role("button", name="Show in the map").click()
    assert opened.page.evaluate("document.activeElement.dataset.part") == "map"
    assert opened.page.locator("aside.cell h3").inner_text() == setting.replace("size ", "")
    opened.page.go_back()  # to the card
    assert opened.page.url.startswith(file.as_uri())


def test_a_link_to_a_section_keeps_what_is_chosen(opened: Opened) -> None:
    """Sections are scrolled to; the address keeps the reference."""
    other = opened.page.get_by_label("compared with").locator("option").nth(1).inner_text()
    opened.page.get_by_label("compared with").select_option(other)
    address = opened.page.url
    opened.page.locator("nav a").nth(1).click()
    assert opened.page.url == address


def test_the_time_of_a_grid_follows_what_is_typed(tab: Callable[..., Opened]) -> None:
    """Twice the seeds take twice as long."""
    opened = tab()
    box = opened.page.locator("[data-grid-time]")
    before = box.locator("strong").inner_text()
    seeds = box.get_by_label("seeds")
    seeds.fill(str(2 * int(seeds.input_value())))
    after = box.locator("strong").inner_text()
    assert before.split()[1] == after.split()[1]
    assert float(after.split()[0]) == pytest.approx(2 * float(before.split()[0]), rel=0.02)
    for text in ("", "0"):
        seeds.fill(text)
        assert box.locator("strong").inner_text() == "–"
