"""The page of `trainscape diff` in a real browser: its map, its chart, its table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kit.browser import WIDTHS, WORKLOAD, Opened
from kit.reports import held
from kit.versions import table
from trainscape.analysis.changes import VERDICTS
from trainscape.cli import main
from trainscape.report import _changes_page as page_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.browser

SCHEDULES = ("constant", "cosine")


def write(folder: Path, before: str, after: str) -> Path:
    """The page of two tables of trials."""
    for name, text in (("a", before), ("b", after)):
        (folder / name).mkdir(parents=True)
        (folder / name / "trials.csv").write_text(text, encoding="utf-8")
    made = folder / "changes.html"
    sides = (str(folder / name) for name in "ab")
    assert main(["diff", *sides, "--html", str(made)]) == 0
    return made


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Adam is worse, sgd is other noise; rates came and went."""
    return write(
        tmp_path_factory.mktemp("changes"),
        table(schedules=SCHEDULES, lrs=(0.01, 0.1, 1.0)),
        table("two", -0.8, only="adam", digest="d2", schedules=SCHEDULES, lrs=(0.01, 0.1, 10.0)),
    )


@pytest.fixture
def wide(tab: Callable[..., Opened]) -> Opened:
    """The page at a desktop's width."""
    return tab()


def test_it_fits_the_screen(opened: Opened) -> None:
    """Nothing is wider, the live chart neither."""
    opened.live("shifts")
    script = "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    wide, screen = opened.page.evaluate(script)
    assert wide <= screen


def test_the_map_opens_where_most_changed(opened: Opened) -> None:
    """Its fields say by words, not by colour alone, what happened; each has all of it at hand."""
    grid = opened.page.locator(".map-grid")
    assert grid.locator("caption").inner_text().startswith("adam, c")
    looks = {
        (field["text"], field["look"])
        for field in grid.locator("td[data-i]").evaluate_all(
            "all => all.map(e => ({text: e.innerText.split('\\n').at(-1), look: e.className}))"
        )
    }
    assert {text for text, look in looks if look == "lost"} == {"new", "gone"}
    assert all(text == "worse" for text, look in looks if look in {f"d{k}" for k in range(5)})
    assert all(text.endswith("?") for text, look in looks if look == "unsure")
    said = grid.locator("td.d0").first.get_attribute("aria-label") or ""
    assert "points (" in said and "worse; " in said and " → " in said


def test_menus_and_the_link_choose_the_map(wide: Opened, tab: Callable[..., Opened]) -> None:
    """Optimizer and schedule by menu; the address brings the same map back."""
    page = wide.page
    menus = page.locator("#map .controls")
    menus.get_by_label("optimizer").select_option("sgd")
    menus.get_by_label("schedule").select_option("cosine")
    caption = page.locator(".map-grid caption")
    assert caption.inner_text().startswith("sgd, cosine")
    again = tab(at=page.evaluate("location.hash.slice(1)"))
    assert again.page.locator(".map-grid caption").inner_text() == caption.inner_text()


def test_another_optimizer_keeps_the_place_and_escape_closes(wide: Opened) -> None:
    """As in the map of a report."""
    page = wide.page
    page.locator('.map-grid td[tabindex="0"]').focus()
    page.keyboard.press("Enter")
    told = page.locator(".map-told")
    first = told.inner_text().split(": ")[0]
    page.locator("#map .controls").get_by_label("optimizer").select_option("sgd")
    assert told.inner_text().split(": ")[0] == first.replace("adam", "sgd")
    page.locator('.map-grid td[tabindex="0"]').focus()
    page.keyboard.press("Escape")
    assert told.inner_text() == ""


def test_a_cell_opens_by_keyboard_and_by_mouse(wide: Opened) -> None:
    """Arrows move from field to field; a line below says what is known, and the pointer's hint."""
    page = wide.page
    page.locator('.map-grid td[tabindex="0"]').focus()
    page.keyboard.press("ArrowRight")
    first = page.locator(".map-told").inner_text()
    assert first.startswith("adam, ") and "lr 0.1" in first
    page.keyboard.press("ArrowDown")
    assert page.locator(".map-told").inner_text() != first
    last = page.locator(".map-grid td.d0").last
    last.click()
    assert last.get_attribute("aria-selected") == "true"
    last.hover()
    hint = page.locator("#tip").inner_text()
    assert "worse" in hint and "points" in hint


def test_all_maps_at_once(wide: Opened) -> None:
    """They are made when they are asked for; one leads to its map."""
    page = wide.page
    assert page.locator(".mini").count() == 0
    page.get_by_label("all 4 at once").check()
    assert page.locator(".mini").count() == 4
    page.get_by_role("button", name="sgd, cosine").press("Enter")
    assert page.locator(".map-grid caption").inner_text().startswith("sgd, cosine")


def test_a_mean_shift_leads_to_its_optimizer(wide: Opened) -> None:
    """A click on a line of the chart shows that optimizer in the map."""
    wide.live("shifts")
    plot = wide.page.locator('figure[data-kind="shifts"] .live svg')
    box = plot.get_by_text("optimizer sgd").bounding_box()
    whole = plot.bounding_box()
    assert box is not None and whole is not None
    wide.page.mouse.click(whole["x"] + whole["width"] - 20, box["y"] + box["height"] / 2)
    wide.page.wait_for_function(
        "document.querySelector('.map-grid caption').innerText.startsWith('sgd')"
    )


def test_a_verdict_leads_to_its_cells(opened: Opened) -> None:
    """A number of the strip filters the table, whose rows open cells of the map."""
    page = opened.page
    link = page.locator('a[data-verdict="worse"]')
    count = int(link.locator("b").inner_text())
    link.press("Enter")
    rows = page.locator(".cells tbody tr")
    assert rows.count() == count
    assert {*rows.locator("td.s").all_inner_texts()} == {"worse"}
    changes = [
        float(t.replace("−", "-")) for t in rows.locator("td:nth-child(6)").all_inner_texts()
    ]
    assert changes == sorted(changes)
    rows.first.locator("button").press("Enter")
    assert page.locator(".map-grid td[aria-selected=true]").count() == 1


def test_nothing_changed_has_no_map(tab: Callable[..., Opened], tmp_path: Path) -> None:
    """Where all is equal the heading says all: there is no chart and no map, but every cell."""
    opened = tab(WIDTHS["phone"], page=write(tmp_path, table(), table()), dark=True)
    assert opened.page.locator("h1").inner_text().startswith("No result changed")
    assert opened.page.locator(".map-grid, figure").count() == 0
    assert opened.page.locator(".cells tbody tr").count() == 20
    [own] = held((tmp_path / "changes.html").read_text("utf-8"), "data")["workloads"]
    assert own["map"] is None  # nothing that no script reads


def test_several_comparisons_stand_below_each_other(
    tab: Callable[..., Opened], tmp_path: Path
) -> None:
    """Each has its own map; the heading is that of the gravest, and names it."""
    first = table() + _rows(table(workload="digits-cnn"))
    second = table() + _rows(table("two", -0.9, digest="d2", workload="digits-cnn"))
    opened = tab(page=write(tmp_path, first, second))
    assert opened.page.locator("h1").inner_text().startswith("digits-cnn, the grid's cells: ")
    assert opened.page.locator(".map-grid").count() == 1  # of the other nothing changed
    of = opened.page.locator(".cells tbody tr th")
    assert {*of.all_inner_texts()} == {"digits-cnn", WORKLOAD}


def _rows(text: str) -> str:
    """A table without its head."""
    return text.split("\n", 1)[1]


def test_without_a_script_the_finding_is_there(tab: Callable[..., Opened]) -> None:
    """The still map, the still chart and the cells that changed."""
    opened = tab(script=False)
    assert opened.page.locator(".map-grid td.d0").count() > 0
    assert opened.page.locator('figure[data-kind="shifts"] svg').count() == 1
    assert opened.page.locator("noscript td", has_text="worse").count() > 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_axe_finds_nothing(tab: Callable[..., Opened], width: str, dark: bool) -> None:
    """All of it unfolded: contrast, names, headings, landmarks, what a screen reader meets."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    opened = tab(WIDTHS[width], all="yes", dark=dark)
    opened.live("shifts")
    opened.page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    found = axe.Axe().run(opened.page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []


def test_every_verdict_has_its_place_in_the_table() -> None:
    """Rows are ordered by what happened to a cell, whatever that is."""
    assert {*page_of.ORDER} == {*VERDICTS}
