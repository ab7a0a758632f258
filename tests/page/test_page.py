"""The whole page in a real browser: offline, on a phone, on paper, without a script, by axe."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from kit import synthetic
from kit.browser import WIDTHS, Opened
from kit.reports import MadeUp, build

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
FEW: dict[str, Any] = {"optimizers": ("sgd", "adam"), "batch_sizes": (16, 64, 256)}


@pytest.fixture(scope="module")
def file(once: Callable[..., Path]) -> Path:
    """The page of a study of one workload, with its figures."""
    return once("figures", lambda folder: build(synthetic.study(**FEW), folder))


@pytest.fixture(scope="module")
def two(once: Callable[..., Path]) -> Path:
    """The page of a classification and a regression."""
    both = [*synthetic.study(**FEW), *synthetic.study(synthetic.regression(), **FEW)]
    return once("two", lambda folder: build(both, folder))


@pytest.fixture(scope="module")
def bare(once: Callable[..., Path]) -> Path:
    """The page of a study with little to say: one optimizer, no validation split, no times."""
    few = synthetic.study(optimizers=("sgd",), schedules=("constant",), validation=0.0, seeds=(0,))
    return once("bare", lambda folder: build(few, folder, measured=None))


def unfold(page: Page) -> None:
    """Open all that is folded, show the figures, and bring every chart to life."""
    page.get_by_role("button", name="Show the figures").click()
    page.wait_for_selector("#gallery details")
    page.evaluate("document.querySelectorAll('details').forEach(one => (one.open = true))")
    page.wait_for_function(
        """() => {
          const still = [...document.querySelectorAll("figure[data-kind]")]
            .filter(one => one.offsetHeight && !one.querySelector(".live svg"));
          still[0]?.scrollIntoView({ behavior: "instant" });
          return !still.length;
        }""",
        polling=50,  # by the clock: frames stop where a tab is hidden
    )


def test_unfolded_it_never_scrolls_sideways(opened: Opened) -> None:
    """The document is no wider than the screen; only tables scroll, in their own box."""
    unfold(opened.page)
    wide, screen = opened.page.evaluate(
        "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide <= screen


def test_nothing_moves_while_a_chart_comes_to_life(opened: Opened) -> None:
    """What a reader is about to press stays there: the live chart takes the still one's place."""
    page = opened.page
    figures = page.locator("figure[data-kind]:visible")
    for figure in reversed(figures.all()):
        top = "node => node.getBoundingClientRect().top + scrollY"
        # its lower part at the top of the screen, where the browser holds what it sees
        page.evaluate("y => scrollTo(0, y)", figure.evaluate(top) + 100)
        before = page.evaluate("[scrollY, document.documentElement.scrollHeight]")
        figure.locator(".live svg").wait_for()
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
        assert page.evaluate("[scrollY, document.documentElement.scrollHeight]") == before


def test_every_anchor_leads_somewhere(opened: Opened) -> None:
    """Each entry of the navigation has its section, and keeps what is chosen in the address."""
    page = opened.page
    page.get_by_role("searchbox").fill("adam")
    page.wait_for_function("location.hash.includes('q=adam')")
    for link in page.locator("nav a:visible").all():
        name = (link.get_attribute("href") or "")[1:]
        link.click()
        assert page.evaluate("document.activeElement.id") == name
    assert page.url.endswith("#q=adam")


def test_every_figure_is_there_once(tab: Callable[..., Opened]) -> None:
    """As many pictures as the study has figures, each decoded, with words instead of it."""
    opened = tab()
    page = opened.page
    assert page.locator("#gallery img").count() == 0  # they stay packed until they are wanted
    unfold(page)
    page.evaluate("document.querySelectorAll('img').forEach(one => (one.loading = 'eager'))")
    page.wait_for_function("[...document.images].every(one => one.complete)")
    images = page.evaluate("[...document.images].map(one => [one.alt, one.naturalWidth])")
    assert len(images) == len(MadeUp(synthetic.study(**FEW)).figures)
    assert all(len(words) > 40 and width > 100 for words, width in images)
    page.get_by_role("button", name="Hide the figures").click()
    assert not page.locator("#gallery").is_visible()


def test_a_link_shows_the_figures(tab: Callable[..., Opened]) -> None:
    """The toggle stands in the address."""
    opened = tab(at="figures=shown")
    opened.page.wait_for_selector("#gallery details")
    assert opened.page.get_by_role("button", name="Hide the figures").is_visible()


def test_words_in_pictures_are_neither_cut_nor_covered(browser: Browser, file: Path) -> None:
    """With the browser's own font no text of a figure leaves it or lies over another."""
    page = browser.new_page()
    for svg in sorted((file.parent / "figures").rglob("*.svg")):
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


@pytest.mark.parametrize(
    ("which", "width", "dark"),
    [
        *(("file", width, dark) for width in WIDTHS for dark in (False, True)),
        ("two", "phone", True),
        ("bare", "desktop", False),
    ],
)
def test_axe_finds_nothing(
    request: pytest.FixtureRequest, tab: Callable[..., Opened], width: str, dark: bool, which: str
) -> None:
    """All of it unfolded: contrast, names, headings, landmarks, what a screen reader meets."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    opened = tab(WIDTHS[width], page=request.getfixturevalue(which), dark=dark)
    unfold(opened.page)
    found = axe.Axe().run(opened.page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []


def test_each_workload_has_the_page_to_itself(tab: Callable[..., Opened], two: Path) -> None:
    """The menu shows one workload; the links above lead to its parts; the address says which."""
    name = synthetic.regression()
    opened = tab(page=two)
    page = opened.page
    assert "digits-mlp" in page.locator("h1:visible").inner_text()
    page.locator("#workloads select").select_option(name)
    assert page.locator("h1:visible").count() == 1
    assert name in page.locator("h1:visible").inner_text()
    page.locator("nav").get_by_text("Map", exact=True).click()
    assert page.evaluate("document.activeElement.closest('[data-panel]').dataset.panel") == name
    again = tab(WIDTHS["phone"], page=two, at=page.url.partition("#")[2])
    assert name in again.page.locator("h1:visible").inner_text()
    linked = tab(page=two, at="map-2")
    assert name in linked.page.locator("h1:visible").inner_text()


def test_ids_are_unique(file: Path, two: Path) -> None:
    """Also where parts stand there once for each workload."""
    for page in (file, two):
        ids = re.findall(r'\sid="([^"]*)"', page.read_text(encoding="utf-8"))
        assert len(ids) == len(set(ids))


def test_without_a_script_it_is_all_there(tab: Callable[..., Opened]) -> None:
    """The answer, still charts, the still map and the table of all cells."""
    opened = tab(script=False)
    page = opened.page
    assert page.locator("h1").is_visible()
    assert page.locator("figure[data-kind] .plot > svg:visible").count() >= 5
    assert page.locator(".map-grid td").first.is_visible()
    assert page.locator("#cells tbody tr").count() == 2 * 3 * 5 * 2
    assert page.locator("button:visible").count() == 0  # none that would do nothing
    words = page.locator("main").inner_text()
    assert not re.findall(r"[^.]*\b[Cc]lick\b[^.]*", words)  # nor a hint at what it would do
    assert "Click " in tab().page.locator("main").inner_text()


def test_paper_has_what_is_folded_and_nothing_to_press(tab: Callable[..., Opened]) -> None:
    """It prints what a reader without a mouse needs: answers, charts, map, the first cells."""
    opened = tab()
    page = opened.page
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    for name in (".sure p", ".map-grid", '[data-part="forest"] svg', "#cells tbody tr"):
        assert page.locator(name).first.is_visible(), name
    for name in ("nav", ".controls", "#figures", "button:not(.open)", "#cells .filters"):
        assert page.locator(f"{name}:visible").count() == 0, name
    page.set_viewport_size({"width": 720, "height": 1000})  # A4 less its margins
    wide = page.evaluate(
        """() => [...document.querySelectorAll("main *")]
          .filter(one => !one.closest("svg, noscript"))
          .filter(one => one.getBoundingClientRect().right > innerWidth + 1)
          .map(one => one.outerHTML.slice(0, 80))"""
    )
    assert wide == []
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0
