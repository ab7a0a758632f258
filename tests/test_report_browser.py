"""The page in a real browser: it loads offline, fits a phone, sorts and filters."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from kit import synthetic
from kit.reports import build

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
WIDTHS = {"phone": 390, "desktop": 1280}

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, or the one named by CHROMIUM."""
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium here: install it or name one in CHROMIUM")
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of 120 cells and three seeds."""
    folder = tmp_path_factory.mktemp("report")
    build(synthetic.study(), folder)
    return folder / "report.html"


class Opened:
    """The report in a tab, with all that the console and the network saw."""

    def __init__(self, browser: Browser, file: Path, width: int) -> None:
        self.page: Page = browser.new_page(viewport={"width": width, "height": 900})
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(file.as_uri())
        self.page.wait_for_load_state("load")


@pytest.fixture(params=WIDTHS)
def opened(request: pytest.FixtureRequest, browser: Browser, page_file: Path) -> Iterator[Opened]:
    """The report at a phone's and at a desktop's width."""
    tab = Opened(browser, page_file, WIDTHS[request.param])
    yield tab
    tab.page.close()


def column(page: Page, title: str) -> list[str]:
    """What a column of the table shows, top to bottom, hidden rows left out."""
    script = """title => {
      const table = document.getElementById("table");
      const index = [...table.tHead.rows[0].cells].findIndex(c => c.innerText.startsWith(title));
      return [...table.tBodies[0].rows].filter(r => !r.hidden).map(r => r.cells[index].innerText);
    }"""
    found: list[str] = page.evaluate(script, title)
    return found


def press(page: Page, title: str) -> None:
    """Use the button at the head of a column by keyboard."""
    button = page.get_by_role("button", name=title, exact=True)
    button.focus()
    page.keyboard.press("Enter")


def test_it_opens_without_an_error_or_a_request(opened: Opened, page_file: Path) -> None:
    """Nothing on the console, and nothing asked of the network."""
    assert opened.said == []
    outside = [url for url in opened.asked if not url.startswith(("data:", page_file.as_uri()))]
    assert outside == []


def test_every_picture_is_seen(opened: Opened) -> None:
    """All images decode to something with a width, and fit their column."""
    sizes = opened.page.evaluate(
        "() => [...document.images].map(i => [i.naturalWidth, i.getBoundingClientRect().right])"
    )
    assert len(sizes) == 33
    assert all(natural > 100 for natural, _ in sizes)
    assert all(right <= opened.page.viewport_size["width"] for _, right in sizes)  # type: ignore[index]


def test_the_page_never_scrolls_sideways(opened: Opened) -> None:
    """The document is no wider than the screen; only tables scroll, in their own box."""
    wide, screen = opened.page.evaluate(
        "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide <= screen


def test_words_in_pictures_are_neither_cut_nor_covered(browser: Browser, page_file: Path) -> None:
    """With the browser's own font no text of a figure leaves it or lies over another."""
    page = browser.new_page()
    for svg in sorted((page_file.parent / "figures").rglob("*.svg")):
        page.goto(svg.as_uri())
        spoilt = page.evaluate(
            """() => {
              const all = [...document.querySelectorAll("text")];
              const boxes = all.map(t => t.getBoundingClientRect());
              const r = document.documentElement.getBoundingClientRect();
              const cut = b => b.left < r.left - 1 || b.right > r.right + 1 || b.top < r.top - 1
                || b.bottom > r.bottom + 1;
              const covered = (b, i) => boxes.some((o, k) => k !== i && b.left < o.right - 1
                && o.left < b.right - 1 && b.top < o.bottom - 4 && o.top < b.bottom - 4);
              return all.filter((t, i) => cut(boxes[i]) || covered(boxes[i], i))
                .map(t => t.textContent);
            }"""  # the boxes of two lines, one below the other, share the space of accents
        )
        assert spoilt == [], svg.name
    page.close()


def test_the_table_sorts_by_number_both_ways_with_the_unknown_last(opened: Opened) -> None:
    """Numbers sort as numbers, diverged cells stay at the end, and aria-sort says the order."""
    for order, reverse in (("ascending", False), ("descending", True)):
        press(opened.page, "validation")
        shown = column(opened.page, "validation")
        known = [float(text.split(" ")[0]) for text in shown if text != "–"]
        assert known == sorted(known, reverse=reverse)
        assert set(shown[len(known) :]) == {"–"}
        head = opened.page.locator("#table th[aria-sort]")
        assert head.count() == 1
        assert head.get_attribute("aria-sort") == order
        assert head.inner_text().startswith("validation")


def test_the_table_sorts_by_exact_value_and_by_name(opened: Opened) -> None:
    """1024 comes after 256, and words sort as words."""
    press(opened.page, "batch")
    sizes = [int(text) for text in column(opened.page, "batch")]
    assert sizes == sorted(sizes)
    assert set(sizes) == {16, 64, 256, 1024}
    press(opened.page, "optimizer")
    names = column(opened.page, "optimizer")
    assert names == sorted(names)


def test_the_filter_keeps_the_rows_with_all_words(opened: Opened) -> None:
    """Typing narrows the table and says how many rows are left; clearing brings all back."""
    opened.page.get_by_role("searchbox").fill("ADAM cosine")
    assert len(column(opened.page, "optimizer")) == 20
    assert set(column(opened.page, "optimizer")) == {"adam"}
    assert set(column(opened.page, "schedule")) == {"cosine"}
    assert opened.page.locator("#count").inner_text() == "20 of 120"
    opened.page.get_by_role("searchbox").fill("")
    assert len(column(opened.page, "optimizer")) == 120


def test_every_anchor_leads_somewhere(opened: Opened) -> None:
    """Each entry of the navigation has its section."""
    missing = opened.page.evaluate(
        "() => [...document.querySelectorAll('nav a')].map(a => a.getAttribute('href'))"
        ".filter(h => !document.getElementById(h.slice(1)))"
    )
    assert missing == []


def test_three_thousand_cells_sort_within_seconds(browser: Browser, tmp_path: Path) -> None:
    """A wide study's table stays usable."""
    lrs = [10 ** (-3 + k / 125) for k in range(500)]
    entries = synthetic.study(lrs=lrs, batch_sizes=(64,), seeds=(0,))
    build(entries, tmp_path, measured=None)
    tab = Opened(browser, tmp_path / "report.html", 1280)
    took = tab.page.evaluate(
        """() => {
          const start = performance.now();
          document.querySelectorAll("#table th button")[2].click();
          document.body.offsetHeight;
          return performance.now() - start;
        }"""
    )
    assert len(column(tab.page, "lr")) == 3000
    assert took < 4000  # 1.2 s on two busy cores, nearly all of it layout
    tab.page.close()
