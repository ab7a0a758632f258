"""The map and the open cell in a browser: every choice by mouse and by keyboard, kept in a link."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from scipy.stats import ttest_1samp

from kit import synthetic
from kit.browser import WORKLOAD, Opened, chosen
from kit.reports import MadeUp

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.browser


def field(page: Page, row: str, column: str) -> Locator:
    """The field of a batch size and a rate."""
    columns = page.locator(".map-grid thead th").all_inner_texts()
    line = page.locator(".map-grid tbody tr").filter(has=page.locator(f'th:text-is("{row}")'))
    return line.locator("td").nth(columns.index(column))


def menu(page: Page, label: str) -> Locator:
    """A menu above the map."""
    return (
        page.locator(".part.map .menu").filter(has_text=re.compile(f"^{label}")).locator("select")
    )


def heading(page: Page) -> str:
    """Which cell is open."""
    return page.locator("aside.cell h3").inner_text()


def test_it_opens_with_the_setting_to_take(opened: Opened) -> None:
    """Its map, its field and its panel, without anything in the address; it fits the screen."""
    page = opened.page
    taken = page.locator(".map-grid .take")
    assert taken.count() == 1
    assert taken.get_attribute("aria-selected") == "true"
    assert "The setting to take" in page.locator("aside.cell .verdict").inner_text()
    optimizer = heading(page).split(",")[0]
    assert menu(page, "optimizer").input_value() == optimizer
    wide, screen = page.evaluate(
        "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide <= screen


def test_a_click_opens_a_cell_and_the_link_restores_it(
    opened: Opened, tab: Callable[..., Opened]
) -> None:
    """The panel says which; the address holds its digest; a page with that address shows it."""
    page = opened.page
    menu(page, "optimizer").select_option("sgd")
    field(page, "64", "0.1").click()
    assert heading(page) == f"sgd, batch 64, lr 0.1, {menu(page, 'schedule').input_value()}"
    digest = chosen(page, "cell")
    assert digest is not None
    assert digest in page.locator("aside.cell dl").inner_text()
    assert f"results/cells/{WORKLOAD}/sgd/bs64-lr0.1-" in page.locator("aside.cell dl").inner_text()
    other = tab(o="sgd", cell=digest)
    assert heading(other.page) == heading(page)
    assert field(other.page, "64", "0.1").get_attribute("aria-selected") == "true"


def test_arrow_keys_move_and_escape_closes(opened: Opened) -> None:
    """One field can be reached by tab; arrows move to its neighbours and open them."""
    page = opened.page
    assert page.locator('.map-grid td[tabindex="0"]').count() == 1
    field(page, "1024", "0.001").click()
    page.keyboard.press("ArrowLeft")  # at the edge: it stays
    assert ", batch 1024, lr 0.001," in heading(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert ", batch 256, lr 0.003," in heading(page)
    page.keyboard.press("End")
    page.keyboard.press("ArrowRight")
    assert ", batch 256, lr 1," in heading(page)
    assert page.evaluate("() => document.activeElement.tabIndex") == 0
    page.keyboard.press("Escape")
    assert page.locator("aside.cell").is_hidden()
    assert chosen(page, "cell") == "none"
    assert page.evaluate("() => document.activeElement.closest('.map-grid') !== null")
    page.keyboard.press("Enter")
    assert ", batch 256, lr 1," in heading(page)


def test_another_optimizer_keeps_the_place(tab: Callable[..., Opened]) -> None:
    """The open cell is then the one of the same batch size, rate and schedule; by keyboard, too."""
    page = tab(o="sgd").page
    field(page, "16", "0.01").click()
    select = menu(page, "optimizer")
    select.focus()
    page.keyboard.press("ArrowDown")
    name = select.input_value()
    assert name != "sgd"
    assert heading(page).startswith(f"{name}, batch 16, lr 0.01, ")


def test_the_box_marks_what_the_colour_shows(tab: Callable[..., Opened]) -> None:
    """With every measure the boxed field has the best value of the map, as its words say."""
    page = tab(o="adam", s="constant").page
    for measure, best in (("val", max), ("loss", min), ("steps", min)):
        menu(page, "colour").select_option(measure)
        known = [
            float(text)
            for text in page.locator(".map-grid tbody td:not(.lost) b").all_inner_texts()
        ]
        boxed = page.locator(".map-grid .best b").all_inner_texts()
        assert {float(text) for text in boxed} == {best(known)}
        title = menu(page, "colour").locator("option:checked").inner_text()
        words = page.locator(".map-words").inner_text()
        assert words.startswith(f"Boxed: the best of this map by {title}, ")
    menu(page, "colour").select_option("lost")
    assert page.locator(".map-grid .best").count() == 0


def test_what_failed_is_hatched_and_named(tab: Callable[..., Opened]) -> None:
    """Colour alone says nothing: a diverged cell has words, and hatching."""
    page = tab(o="adam", s="constant").page
    lost = page.locator(".map-grid .lost")
    assert re.fullmatch(r"(div|fail) \d/3", lost.first.locator("b").inner_text())
    assert "seeds diverged" in lost.first.get_attribute("aria-label")  # type: ignore[operator]
    image = lost.first.evaluate("node => getComputedStyle(node).backgroundImage")
    assert "repeating-linear-gradient" in image


def test_a_difference_map_is_paired_by_seed(tab: Callable[..., Opened]) -> None:
    """A field is the mean of the seeds' differences, doubted where the interval has zero."""
    page = tab(o="momentum", s="cosine", vs="o:sgd").page
    ends = {
        (e.cell.optimizer.name, str(e.cell.batch_size), f"{e.cell.lr:g}"): [
            100 * trial.val_metric[-1] for trial in e.record.trials
        ]
        for e in synthetic.study(schedules=("cosine",))
    }
    doubted = []
    for size in ("16", "64", "256", "1024"):
        pairs = zip(ends["momentum", size, "0.1"], ends["sgd", size, "0.1"], strict=True)
        apart = ttest_1samp([ours - theirs for ours, theirs in pairs], 0)
        low, high = apart.confidence_interval(0.95)
        own = field(page, size, "0.1")
        shown = own.locator("b").inner_text()
        said = re.search(r"^(\S+) \((\S+) to (\S+)\)", own.get_attribute("aria-label") or "")
        assert said is not None
        assert [float(text.replace("−", "-")) for text in said.groups()] == pytest.approx(
            [(low + high) / 2, low, high], abs=0.06
        )
        doubted.append(bool(low <= 0 <= high))
        assert shown == said[1] + ("?" if doubted[-1] else "")
    assert set(doubted) == {True, False}  # both are seen
    assert "Each interval holds by itself" in page.locator(".map-words").inner_text()
    menu(page, "colour").select_option("steps")
    ratios = page.locator(".map-grid tbody td:not(.lost) b").all_inner_texts()
    assert ratios
    assert all(text.startswith("×") for text in ratios)
    assert chosen(page, "m") == "steps"
    menu(page, "colour").select_option("lost")
    assert "lost fewer seeds" in page.locator(".map-words").inner_text()
    assert page.locator(".map-grid .unsure").count() == 0


def test_no_cell_is_compared_with_itself(tab: Callable[..., Opened]) -> None:
    """The optimizer that is shown cannot be chosen; an address that says so shows the map."""
    page = tab(o="adam", vs="o:adam").page
    assert menu(page, "compare with").input_value() == ""
    assert menu(page, "compare with").locator('option[value="o:adam"]').is_disabled()


def test_what_an_address_has_wrong_is_left_out(tab: Callable[..., Opened]) -> None:
    """An unknown optimizer, measure, rival and cell: the page opens, the panel stays closed."""
    page = tab(o="nobody", m="nothing", vs="x", cell="000000000000").page
    assert page.locator(".map-grid tbody td").count() == 20
    assert page.locator("aside.cell").is_hidden()


def test_what_an_address_has_wrong_is_said(tab: Callable[..., Opened]) -> None:
    """What was asked for, at the start and when the address changes; what is there is not."""
    page = tab(o="nobody", cell="xyz", of="nowhere", s="cosine").page
    said = page.locator("#said").inner_text()
    assert said.startswith("Not on this page: ")
    assert {*said.removeprefix("Not on this page: ").split(", ")} == {
        "o “nobody”",
        "cell “xyz”",
        "of “nowhere”",
    }
    fine = tab(o="adam", cell="none", m="loss", vs="o:sgd").page
    assert fine.locator("#said").inner_text() == ""
    fine.evaluate("key => { location.hash = key }", f"m:{WORKLOAD}=colour")
    fine.wait_for_function("document.getElementById('said').textContent.includes('m “colour”')")


def test_the_seeds_of_a_cell_keep_their_names(tab: Callable[..., Opened], tmp_path: Path) -> None:
    """Where the first one was never evaluated the others' curves are there, with a mean."""
    seeds = (3, 7, 9)
    runs = [
        synthetic.trial(3, [], 1),
        synthetic.trial(7, [0.5, 0.6]),
        synthetic.trial(9, [0.6, 0.7]),
    ]
    whole = [synthetic.trial(seed, [0.5, 0.8]) for seed in seeds]
    entries = [
        synthetic.entry(synthetic.cell(lr=lr, seeds=seeds), trials, (18, 36))
        for lr, trials in ((0.1, whole), (0.01, runs))
    ]
    opened = tab(page=MadeUp(entries, measured=None).alone(tmp_path))
    page = opened.page
    field(page, "64", "0.01").click()
    opened.live("cell-curves")
    chart = page.locator('[data-kind="cell-curves"] .live svg')
    told = []
    points = chart.locator(".mark-symbol path")
    assert points.count() == 4
    for point in points.all():
        point.hover(force=True)
        told.append(page.locator("#tip").inner_text().replace("\n", " "))
    assert [re.findall(r"seed (\d+)", words)[0] for words in told] == ["7", "7", "9", "9"]
    lines = chart.locator(".mark-line path").all()
    assert len(lines) == 3  # two seeds and their mean


def test_all_maps_at_once(opened: Opened) -> None:
    """A field of a small map opens its cell, its name shows its map; the address keeps both."""
    page = opened.page
    page.get_by_label("all 6 at once").check()
    assert page.locator(".mini-grid").count() == 6
    assert page.locator(".mini-grid i").count() == 120
    page.locator(".mini-grid").nth(0).locator("i").nth(5).click()
    assert heading(page) == "sgd, batch 256, lr 0.001, constant"
    button = page.locator(".mini button").nth(3)
    button.focus()
    page.keyboard.press("Enter")
    assert menu(page, "optimizer").input_value() == button.inner_text().split(", ")[0]
    assert chosen(page, "all") == "yes"
    wide, screen = page.evaluate(
        "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide <= screen


def test_a_pointer_sees_what_a_field_says(tab: Callable[..., Opened]) -> None:
    """The tip names the setting and the value, and goes away with the pointer."""
    page = tab(o="sgd", s="cosine").page
    field(page, "64", "0.1").hover()
    tip = page.locator("#tip").inner_text()
    assert "sgd, cosine, batch 64, lr 0.1" in tip
    assert field(page, "64", "0.1").locator("b").inner_text() in tip
    page.mouse.move(2, 2)
    assert page.locator("#tip").is_hidden()


def test_the_charts_are_those_of_the_open_cell(tab: Callable[..., Opened]) -> None:
    """The seeds' dots and their words follow the cell."""
    opened = tab(o="sgd", s="cosine")
    page = opened.page
    field(page, "64", "0.1").click()
    opened.live("cell-seeds")
    opened.live("cell-curves")
    before = page.locator('[data-kind="cell-seeds"] .plot').get_attribute("aria-label")
    drawn = page.locator('[data-kind="cell-curves"] .live svg').inner_html()
    assert page.locator('[data-kind="cell-seeds"] .mark-symbol path').count() == 6
    field(page, "64", "0.01").click()
    page.wait_for_function(
        "old => document.querySelector('[data-kind=\"cell-curves\"] .live svg').innerHTML !== old",
        arg=drawn,
    )
    assert page.locator('[data-kind="cell-seeds"] .plot').get_attribute("aria-label") != before


def test_copied_link_opens_the_cell(tab: Callable[..., Opened]) -> None:
    """Even of the cell that the page opens with, which no address needs to name."""
    page = tab().page
    page.evaluate(
        "() => { navigator.clipboard.writeText = async text => { window.copied = text; }; }"
    )
    page.get_by_role("button", name="Copy link").click()
    link = page.evaluate("() => window.copied")
    page.get_by_role("button", name="Copy digest").focus()
    page.keyboard.press("Enter")
    digest = page.evaluate("() => window.copied")
    assert re.fullmatch("[0-9a-f]{12}", digest)
    assert parse_qs(urlsplit(link).fragment)[f"cell:{WORKLOAD}"] == [digest]


@pytest.mark.parametrize("dark", [False, True])
def test_words_on_colours_can_be_read(tab: Callable[..., Opened], dark: bool) -> None:
    """A contrast of 4.5 on every field, of values and of differences, on light and dark pages."""
    page = tab(dark=dark).page
    least = """() => {
      const linear = v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
      const light = text => text.match(/[\\d.]+/g).slice(0, 3)
        .reduce((sum, v, i) => sum + linear(v / 255) * [0.2126, 0.7152, 0.0722][i], 0.05);
      const numbered = (letter, count) => Array.from({ length: count }, (_, i) => letter + i);
      const box = document.createElement("i");
      document.querySelector(".map-view").append(box);
      return [...numbered("v", 24), ...numbered("d", 11), "lost", "unsure"].map(name => {
        box.className = name;
        const style = getComputedStyle(box);
        const ratio = light(style.color) / light(style.backgroundColor);
        return Math.max(ratio, 1 / ratio);
      });
    }"""
    contrasts = page.evaluate(least)
    assert len(contrasts) == 37
    assert min(contrasts) >= 4.5


def test_a_still_map_stands_there_without_a_script(tab: Callable[..., Opened]) -> None:
    """The same fields as the script's, and both charts."""
    still, live = tab(script=False).page, tab().page
    assert (
        still.locator(".map-grid b").all_inner_texts()
        == live.locator(".map-grid b").all_inner_texts()
    )
    assert (
        still.locator(".map-grid small").all_inner_texts()
        == live.locator(".map-grid small").all_inner_texts()
    )
    ours = [
        set((node.get_attribute("class") or "").split())
        for node in still.locator(".map-grid tbody td").all()
    ]
    theirs = [
        set((node.get_attribute("class") or "").split())
        for node in live.locator(".map-grid tbody td").all()
    ]
    assert ours == [look - {"best"} for look in theirs]
    assert still.locator('[data-kind="cell-seeds"] svg').is_visible()
    taken = live.locator("aside.cell h3").inner_text()
    whose = still.locator(".part.map noscript p").inner_text()
    assert whose == f"The charts are of {taken.replace('batch', 'batch size')}."
