"""The table of all cells: what filters keep, how it sorts, what it saves, what links restore."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kit import synthetic
from kit.reports import MadeUp
from trainscape.cells.cell import Part

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from kit.browser import Opened

pytestmark = pytest.mark.browser
CELLS = 3 * 4 * 5 * 2


@pytest.fixture(scope="module")
def file(once: Callable[..., Path]) -> Path:
    """A page of 120 cells whose optimizers are sgd, adam and adamw."""
    entries = synthetic.study(optimizers=("sgd", "adam"))
    named = Part("momentum", {}, "adamw")
    renamed = [
        replace(entry, cell=replace(entry.cell, optimizer=named))
        for entry in synthetic.study(optimizers=("momentum",))
    ]
    return once("table", lambda folder: MadeUp([*entries, *renamed]).alone(folder))


@pytest.fixture
def page(opened: Opened) -> Page:
    """The page at a phone's and at a desktop's width."""
    return opened.page


def count(page: Page) -> str:
    """What is said of how many rows are shown."""
    return page.locator("#cells .count").inner_text()


def column(page: Page, title: str) -> list[str]:
    """What a column shows, top to bottom, once every row was scrolled to."""
    found: list[str] = page.evaluate(
        """async title => {
          const box = document.querySelector("#cells .scroll");
          const more = box.querySelector(".more");
          while (!more.hidden) {
            box.scrollTop = box.scrollHeight;
            await new Promise((done) => setTimeout(done, 20));
          }
          const heads = [...box.querySelectorAll("thead tr:first-child th")];
          const index = heads.findIndex(head => head.dataset.title === title);
          return [...box.querySelectorAll("tbody tr")].map(row => row.cells[index].innerText);
        }""",
        title,
    )
    return found


def search(page: Page, text: str) -> None:
    """Type into the search and wait until the table follows, as the address does."""
    page.get_by_role("searchbox").fill(text)
    followed(page, "q", text)


def narrow(page: Page, title: str, text: str) -> None:
    """Type into the filter of a column."""
    page.get_by_role("textbox", name=f"Filter {title}").fill(text)
    key = page.locator(f'#cells th[data-title="{title}"]').get_attribute("data-key")
    followed(page, f"f:{key}", text)


def followed(page: Page, name: str, text: str) -> None:
    """Wait until a choice stands in the address: the table changes at the same moment."""
    page.wait_for_function(
        """([name, text]) =>
          (new URLSearchParams(location.hash.slice(1)).get(name) ?? "") === text""",
        arg=[name, text],
    )


def test_words_match_whole_values(page: Page) -> None:
    """Adam is not adamw, and words of several columns add up."""
    search(page, "ADAM cosine")
    assert set(column(page, "optimizer")) == {"adam"}
    assert set(column(page, "schedule")) == {"cosine"}
    assert count(page) == "20 of 120 cells"
    search(page, "adam adamw")
    assert set(column(page, "optimizer")) == {"adam", "adamw"}
    search(page, "")
    assert count(page) == "120 cells"
    assert len(column(page, "optimizer")) == CELLS


def test_numbers_are_those_of_their_column(page: Page) -> None:
    """“lr 0.1” is no lr of 1 or 0.01, “batch 64” no lr and no 1024."""
    search(page, "lr 0.1 batch 64")
    assert set(column(page, "lr")) == {"0.1"}
    assert set(column(page, "batch")) == {"64"}
    assert count(page) == "6 of 120 cells"
    search(page, "lr>=0.1 adam")
    assert set(column(page, "lr")) == {"0.1", "1"}
    assert set(column(page, "optimizer")) == {"adam"}


def test_what_is_nowhere_is_said(page: Page) -> None:
    """A word that no cell has leaves nothing, and the page says which, and what there is."""
    search(page, "ada")
    assert count(page) == "0 of 120 cells"
    trouble = page.locator("#cells .trouble")
    assert trouble.inner_text() == "No cell has “ada”; there is adam, adamw."
    page.get_by_role("button", name="Clear filters").click()
    assert count(page) == "120 cells"
    assert not trouble.is_visible()


def test_a_filter_of_numbers(page: Page) -> None:
    """One value, a bound, a range, or several."""
    filters: dict[str, set[str]] = {
        "0.1": {"0.1"},
        ">0.01": {"0.1", "1"},
        "<= 0.003": {"0.001", "0.003"},
        "0.003..0.1": {"0.003", "0.01", "0.1"},
        "1, .001": {"0.001", "1"},
        "2": set(),
    }
    for text, kept in filters.items():
        narrow(page, "lr", text)
        assert set(column(page, "lr")) == kept, text


def test_a_filter_of_a_share_is_in_percent(page: Page) -> None:
    """What can be read off the table can be typed."""
    best = column(page, "validation")[0].split(" ")[0]
    narrow(page, "validation", best)
    assert {text.split(" ")[0] for text in column(page, "validation")} == {best}
    narrow(page, "validation", f">{float(best) - 1}")
    found = [float(text.split(" ")[0]) for text in column(page, "validation")]
    assert min(found) > float(best) - 1.05
    assert max(found) == float(best)


def test_a_filter_that_is_none_is_said(page: Page) -> None:
    """The field is marked, and an example is given."""
    narrow(page, "lr", "big")
    assert "“big” is no filter of lr" in page.locator("#cells .trouble").inner_text()
    assert page.get_by_role("textbox", name="Filter lr").get_attribute("aria-invalid") is not None


def test_menus_filter_by_status_and_verdict(page: Page) -> None:
    """Diverged seeds and verdicts stand there in words."""
    page.get_by_label("Filter status").select_option("diverged")
    assert all("diverged" in text for text in column(page, "status"))
    page.get_by_label("Filter status").select_option("")
    page.get_by_label("Filter verdict").select_option("may be best")
    assert set(column(page, "verdict")) == {"take", "may be best"}


def test_it_sorts_both_ways_with_the_unknown_last(page: Page) -> None:
    """By keyboard; diverged cells stay at the end, and aria-sort says the order."""
    for order, reverse in (("ascending", False), ("descending", True)):
        button = page.get_by_role("button", name="validation", exact=True)
        button.focus()
        page.keyboard.press("Enter")
        shown = column(page, "validation")
        known = [float(text.split(" ")[0]) for text in shown if text != "–"]
        assert known == sorted(known, reverse=reverse)
        assert set(shown[len(known) :]) == {"–"}
        head = page.locator("#cells th[aria-sort]")
        assert head.count() == 1
        assert head.get_attribute("aria-sort") == order
        assert page.evaluate("document.activeElement.innerText") == "validation"
    page.get_by_role("button", name="batch", exact=True).click()
    assert [int(text) for text in column(page, "batch")] == sorted([16, 64, 256, 1024] * 30)


def test_a_link_restores_everything(page: Page, tab: Callable[..., Opened]) -> None:
    """Search, filters, order and columns stand in the address."""
    search(page, "adam")
    narrow(page, "lr", "0.01..0.1")
    page.get_by_label("Filter schedule").select_option("cosine")
    page.get_by_role("button", name="test", exact=True).click()
    page.get_by_text("Columns", exact=True).click()
    page.get_by_role("checkbox", name="gap").uncheck()
    shown = column(page, "test")
    again = tab(at=page.url.partition("#")[2]).page
    assert column(again, "test") == shown
    assert count(again) == count(page) == "8 of 120 cells"
    assert again.get_by_role("searchbox").input_value() == "adam"
    assert again.get_by_role("textbox", name="Filter lr").input_value() == "0.01..0.1"
    assert again.locator('#cells th[data-key="gap"]').count() == 0
    assert again.locator("#cells th[aria-sort]").inner_text().startswith("test")


def test_the_csv_has_the_values_of_what_is_shown(page: Page) -> None:
    """The rows and columns that are shown, by the names of summary.csv, in numbers."""
    search(page, "adam lr 0.1")
    page.get_by_text("Columns", exact=True).click()
    page.get_by_role("checkbox", name="digest").uncheck()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    assert download.value.suggested_filename == "default-cells.csv"
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text("utf-8"))))
    assert len(rows) == 8
    assert {row["lr"] for row in rows} == {"0.1"}
    assert {"optimizer", "val_metric_mean", "val_metric_std", "diverged", "reached"} <= set(rows[0])
    assert "digest" not in rows[0]
    shown = [text.split(" ")[0] for text in column(page, "validation")]
    values = [row["val_metric_mean"] for row in rows]
    assert ["–" if not value else f"{100 * float(value):.1f}" for value in values] == shown


def test_names_with_commas_and_quotes_are_quoted(
    tab: Callable[..., Opened], tmp_path: Path
) -> None:
    """A label as nasty as a user may write it comes back from the CSV as it was."""
    label = 'lion, "fast"'
    entries = [
        synthetic.entry(
            synthetic.cell(label=label, lr=lr), [synthetic.trial(0, [0.5, 0.9])], (1, 2)
        )
        for lr in (0.1, 0.01)
    ]
    opened = tab(page=MadeUp(entries, measured=None).alone(tmp_path))
    with opened.page.expect_download() as download:
        opened.page.get_by_role("button", name="Download CSV").click()
    text = Path(download.value.path()).read_text("utf-8")
    assert [row["optimizer"] for row in csv.DictReader(io.StringIO(text))] == [label, label]


def test_a_row_opens_its_cell(page: Page) -> None:
    """A click, or the arrow keys and Enter; Back leads to the table again."""
    row = page.locator("#cells tbody tr").nth(2)
    digest = row.get_attribute("data-digest")
    row.click()
    assert page.locator(".cell code").first.inner_text() == digest
    page.go_back()
    first = page.locator("#cells tbody tr .open").first
    first.focus()
    page.keyboard.press("ArrowDown")
    digest = page.locator("#cells tbody tr").nth(1).get_attribute("data-digest")
    page.keyboard.press("Enter")
    assert page.locator(".cell code").first.inner_text() == digest


def test_the_first_columns_and_the_heads_stay_in_sight(page: Page) -> None:
    """The optimizer on a phone; batch and lr as well where there is room."""
    box = page.locator("#cells .scroll")
    before = box.evaluate("b => { b.scrollTop = 0; return b.getBoundingClientRect().left; }")
    box.evaluate("b => { b.scrollLeft = 300; b.scrollTop = 500; }")
    rights = page.evaluate(
        """() => [...document.querySelector("#cells tbody tr:nth-child(20)").cells].slice(0, 3)
          .map(cell => cell.getBoundingClientRect().left)"""
    )
    wide = page.viewport_size["width"] > 640  # type: ignore[index]
    moved = box.evaluate("b => b.scrollLeft")
    assert rights[0] == pytest.approx(before + 1, abs=1)
    if wide:
        assert rights == sorted(rights)
    elif moved > 200:
        assert rights[1] < before
    tops = page.evaluate(
        """() => ["#cells thead th", "#cells .scroll"].map(name =>
          document.querySelector(name).getBoundingClientRect().top)"""
    )
    assert tops[0] == pytest.approx(tops[1] + 1, abs=1)


def test_rows_are_made_as_one_scrolls(page: Page) -> None:
    """Not all at once."""
    rows = page.locator("#cells tbody tr")
    assert rows.count() < CELLS
    column(page, "lr")
    assert rows.count() == CELLS


def test_paper_has_the_first_two_hundred(tab: Callable[..., Opened], tmp_path: Path) -> None:
    """It says so; afterwards the table is as it was."""
    lrs = [10 ** (-3 + k / 40) for k in range(120)]
    long = synthetic.study(lrs=lrs, batch_sizes=(64,), seeds=(0,), optimizers=("sgd",))
    opened = tab(page=MadeUp(long, measured=None).alone(tmp_path))
    before = opened.page.locator("#cells tbody tr").count()
    opened.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    opened.page.emulate_media(media="print")
    shown = opened.page.evaluate(
        "[...document.querySelectorAll('#cells tbody tr')].filter(row => row.offsetHeight).length"
    )
    assert shown == 200
    note = opened.page.locator("#cells .printed")
    assert note.inner_text() == "The first 200 of 240 cells; the page itself has all."
    opened.page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert opened.page.locator("#cells tbody tr").count() == before


def test_two_workloads_have_their_metrics(tab: Callable[..., Opened], tmp_path: Path) -> None:
    """A column says which is which; a filter keeps one of them."""
    name = synthetic.regression()
    few: dict[str, Any] = {"optimizers": ("sgd", "adam"), "batch_sizes": (16,), "lrs": (0.01, 0.1)}
    both = [*synthetic.study(**few), *synthetic.study(name, **few)]
    page = tab(page=MadeUp(both, measured=None).alone(tmp_path)).page
    assert set(column(page, "workload")) == {"digits-mlp", name}
    page.get_by_label("Filter workload").select_option(name)
    assert set(column(page, "workload")) == {name}
    assert all(float(text.split(" ")[0]) < 2 for text in column(page, "test") if text != "–")
    row = page.locator("#cells tbody tr").first
    row.click()
    assert f"w={name}" in page.url


def test_three_thousand_cells_sort_within_seconds(
    tab: Callable[..., Opened], tmp_path: Path
) -> None:
    """A wide study's table stays usable."""
    lrs = [10 ** (-3 + k / 125) for k in range(500)]
    wide = synthetic.study(lrs=lrs, batch_sizes=(64,), seeds=(0,))
    opened = tab(page=MadeUp(wide, measured=None).alone(tmp_path))
    took = opened.page.evaluate(
        """() => {
          const start = performance.now();
          document.querySelectorAll("#cells th button")[2].click();
          document.body.offsetHeight;
          return performance.now() - start;
        }"""
    )
    assert took < 1000  # tens of milliseconds on a quiet machine
    assert count(opened.page) == "3000 cells"
