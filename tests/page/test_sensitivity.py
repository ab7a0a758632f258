"""How far the rate may be off, in a browser: by mouse, by keyboard, and from a link."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from kit import synthetic
from kit.browser import WIDTHS, WORKLOAD, Opened, chosen
from kit.reports import MadeUp

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Locator

pytestmark = pytest.mark.browser

CHARTS = ("sensitivity", "safe-rates")


@pytest.fixture(scope="module")
def made() -> MadeUp:
    """A study of three optimizers and three batch sizes."""
    return MadeUp(synthetic.study(batch_sizes=(16, 64, 256)))


@pytest.fixture(scope="module")
def file(made: MadeUp, once: Callable[..., Path]) -> Path:
    """Its page."""
    return once("sensitivity", made.alone)


@pytest.fixture
def live(tab: Callable[..., Opened]) -> Callable[..., Opened]:
    """Opens the page with choices in its address and both charts live."""

    def open_page(width: int = WIDTHS["desktop"], **about: Any) -> Opened:
        opened = tab(width, **about)
        for kind in CHARTS:
            opened.live(kind)
        return opened

    return open_page


def part(opened: Opened) -> Locator:
    """The part of the page."""
    return opened.page.locator('[data-part="sensitivity"]')


def said(opened: Opened) -> str:
    """Its sentence."""
    return part(opened).locator(".found").inner_text()


def shaded(opened: Opened) -> list[float]:
    """Left and right of what is shaded, in the page's pixels; nothing if nothing is."""
    band = part(opened).locator('figure[data-kind="sensitivity"] [fill="var(--band)"]')
    box = band.first.bounding_box() if band.count() else None
    return [box["x"], box["x"] + box["width"]] if box else []


def faded(opened: Opened, kind: str) -> set[str]:
    """The colours of the marks that are not highlighted."""
    marks = part(opened).locator(f'figure[data-kind="{kind}"] .live path[opacity="0.3"]')
    found = {(m.get_attribute("fill"), m.get_attribute("stroke")) for m in marks.all()}
    return {colour for pair in found for colour in pair if colour and "var(--c" in colour}


def row_of(made: MadeUp, optimizer: str, batch: int) -> dict[str, Any]:
    """What was found of an optimizer at a batch size."""
    rows = made.found[WORKLOAD]["sensitivity"]
    [row] = [r for r in rows if (r["optimizer"], r["batch_size"]) == (optimizer, batch)]
    return dict(row)


def test_it_says_at_once_which_rates_are_safe(live: Callable[..., Opened], made: MadeUp) -> None:
    """The most forgiving optimizer stands there first, its rates are shaded."""
    opened = live()
    most = made.found[WORKLOAD]["most_forgiving"]
    assert said(opened).startswith(f"{most['optimizer']}, batch {most['batch_size']}: lr ")
    assert "within 0.5 points of its best" in said(opened)
    assert shaded(opened)
    assert len(faded(opened, "sensitivity")) == len(faded(opened, "safe-rates")) == 2


def test_a_link_brings_back_what_was_chosen(live: Callable[..., Opened], made: MadeUp) -> None:
    """Batch size and optimizer, in the menus, the sentence and the pictures."""
    opened = live(safe="sgd", safe_batch="64")
    width = row_of(made, "sgd", 64)["width"]
    assert said(opened).startswith(f"sgd, batch 64: lr {width['low']:.3g} to {width['high']:.3g}")
    assert part(opened).locator("select").input_value() == "sgd"
    assert part(opened).locator("input[type=range]").input_value() == "2"
    assert part(opened).locator("output").inner_text() == "64"
    assert "var(--c1)" not in faded(opened, "sensitivity")


def test_a_link_with_nonsense_shows_all(live: Callable[..., Opened]) -> None:
    """A name and a batch size that the study does not have."""
    opened = live(safe="<b>", safe_batch="17")
    assert "Highlight an optimizer" in said(opened)
    assert shaded(opened) == []


def test_the_slider_moves_by_keys(live: Callable[..., Opened], made: MadeUp) -> None:
    """From each at its best to the first batch size, and back."""
    opened = live(safe="adam")
    slider = part(opened).locator("input[type=range]")
    slider.focus()
    slider.press("ArrowRight")
    assert said(opened).startswith("adam, batch 16")
    assert (chosen(opened.page, "safe-batch"), slider.get_attribute("aria-valuetext")) == (
        "16",
        "16",
    )
    slider.press("End")
    assert said(opened).startswith("adam, batch 256")
    slider.press("Home")
    assert part(opened).locator("output").inner_text() == "each at its best"
    assert chosen(opened.page, "safe-batch") is None


def test_the_shade_follows_the_batch_size(live: Callable[..., Opened], made: MadeUp) -> None:
    """Rates on the axis: the ends of the shade lie where the width's ends do."""
    for batch in (16, 256):
        opened = live(safe="momentum", safe_batch=str(batch))
        opened.page.wait_for_timeout(100)
        width = row_of(made, "momentum", batch)["width"]
        left, right = shaded(opened)
        assert (right - left > 3) is (width["high"] / width["low"] > 1.05)


def test_all_is_an_own_choice(live: Callable[..., Opened]) -> None:
    """The menu's first entry: nothing is faded, nothing shaded."""
    opened = live()
    part(opened).locator("select").select_option("all")
    opened.page.wait_for_timeout(100)
    assert chosen(opened.page, "safe") == "all"
    assert shaded(opened) == []
    assert faded(opened, "sensitivity") == faded(opened, "safe-rates") == set()


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_a_click_on_a_bar_highlights_and_another_lets_go(
    live: Callable[..., Opened], width: int
) -> None:
    """Beside the bar counts, too."""
    opened = live(width, safe="all")
    bars = part(opened).locator('figure[data-kind="safe-rates"] .mark-rect.role-mark').last
    assert bars.locator("path").count() == 3
    bars.locator("path").first.click(position={"x": 5, "y": 10})
    assert ", batch " in said(opened)
    assert chosen(opened.page, "safe") != "all"
    bars.locator("path").first.click(position={"x": 5, "y": 10})
    assert "Highlight" in said(opened)
    assert chosen(opened.page, "safe") == "all"


def test_a_pointer_over_a_bar_highlights_while_it_is_there(live: Callable[..., Opened]) -> None:
    """What is chosen stays chosen."""
    opened = live(safe="all")
    bars = part(opened).locator('figure[data-kind="safe-rates"] .mark-rect.role-mark').last
    bars.locator("path").first.hover()
    opened.page.wait_for_timeout(150)
    assert len(faded(opened, "sensitivity")) == 2
    assert len(shaded(opened)) == 2
    opened.page.mouse.move(5, 5)
    opened.page.wait_for_timeout(150)
    assert faded(opened, "sensitivity") == set()
    assert chosen(opened.page, "safe") == "all"


def test_a_point_opens_its_cell(live: Callable[..., Opened], made: MadeUp) -> None:
    """By a click; those who use no mouse have a button for the best one."""
    opened = live(safe="adam", safe_batch="64")
    part(opened).get_by_role("button", name="Open its best cell").press("Enter")
    best = row_of(made, "adam", 64)
    [rate] = [rate for rate in best["rates"] if rate["lr"] == best["best"]]
    [cell] = [
        row
        for row in made.cells
        if (row["optimizer"], row["batch_size"], row["lr"], row["schedule"])
        == ("adam", 64, rate["lr"], rate["schedule"])
    ]
    assert chosen(opened.page, "cell") == cell["digest"]
    points = part(opened).locator('figure[data-kind="sensitivity"] .mark-symbol.role-mark').last
    points.locator("path").first.click()
    assert chosen(opened.page, "cell") != cell["digest"]
    assert chosen(opened.page, "cell") in {row["digest"] for row in made.cells}


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_words_do_not_cover_each_other(
    live: Callable[..., Opened], width: int, *, dark: bool
) -> None:
    """Names at the ends of lines, marks of axes; none is under nine pixels high or cut off."""
    opened = live(width, dark=dark)
    for kind in CHARTS:
        texts = part(opened).locator(f'figure[data-kind="{kind}"] .live text:visible').all()
        boxes = [box for text in texts if text.text_content() and (box := text.bounding_box())]
        assert len(boxes) > 8
        for box in boxes:
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
        for one, other in itertools.combinations(boxes, 2):
            across = min(one["x"] + one["width"], other["x"] + other["width"])
            down = min(one["y"] + one["height"], other["y"] + other["height"])
            apart = across - max(one["x"], other["x"]), down - max(one["y"], other["y"])
            assert min(apart) < 3


def test_one_optimizer_and_one_batch_size_need_no_controls(
    tab: Callable[..., Opened], tmp_path: Path
) -> None:
    """There is nothing to choose; a loss is in its own unit."""
    name = synthetic.regression()
    lone = MadeUp(synthetic.study(name, optimizers=["adam"], batch_sizes=[64], seeds=[0]))
    opened = tab(390, page=lone.alone(tmp_path))
    assert part(opened).locator("select:visible, input:visible").count() == 0
    assert said(opened).startswith("adam, batch 64: lr ")
    assert "points" not in said(opened)
