"""The whole page in a real browser: offline, on a phone, on paper, without a script, by axe."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from kit import synthetic
from kit.browser import WIDTHS, Opened, chromium
from kit.reports import MadeUp, build

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
FEW: dict[str, Any] = {"optimizers": ("sgd", "adam"), "batch_sizes": (16, 64, 256)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests of this file."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a study of one workload."""
    folder = tmp_path_factory.mktemp("page")
    build(synthetic.study(**FEW), folder)
    return folder / "report.html"


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a classification and a regression."""
    folder = tmp_path_factory.mktemp("two")
    build([*synthetic.study(**FEW), *synthetic.study(synthetic.regression(), **FEW)], folder)
    return folder / "report.html"


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a study with little to say: one optimizer, no validation split, no times."""
    folder = tmp_path_factory.mktemp("bare")
    few = {"optimizers": ("sgd",), "schedules": ("constant",), "validation": 0.0, "seeds": (0,)}
    build(synthetic.study(**few), folder, measured=None)  # type: ignore[arg-type]
    return folder / "report.html"


@pytest.fixture(params=WIDTHS)
def opened(request: pytest.FixtureRequest, browser: Browser, file: Path) -> Iterator[Opened]:
    """The page at a phone's and at a desktop's width."""
    tab = Opened(browser, file, WIDTHS[request.param])
    yield tab
    tab.close()


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


def test_it_opens_and_unfolds_without_an_error_or_a_request(opened: Opened, file: Path) -> None:
    """Nothing on the console, and nothing asked of the network."""
    unfold(opened.page)
    assert opened.said == []
    inside = ("data:", "blob:", file.as_uri())
    assert [url for url in opened.asked if not url.startswith(inside)] == []


def test_the_page_never_scrolls_sideways(opened: Opened) -> None:
    """The document is no wider than the screen; only tables scroll, in their own box."""
    unfold(opened.page)
    wide, screen = opened.page.evaluate(
        "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide <= screen


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


def test_every_figure_is_there_once(browser: Browser, file: Path) -> None:
    """As many pictures as the study has figures, each decoded, with words instead of it."""
    tab = Opened(browser, file, 1280)
    page = tab.page
    assert page.locator("#gallery img").count() == 0  # they stay packed until they are wanted
    unfold(page)
    page.evaluate("document.querySelectorAll('img').forEach(one => (one.loading = 'eager'))")
    page.wait_for_function("[...document.images].every(one => one.complete)")
    images = page.evaluate("[...document.images].map(one => [one.alt, one.naturalWidth])")
    assert len(images) == len(MadeUp(synthetic.study(**FEW)).figures)
    assert all(len(words) > 40 and width > 100 for words, width in images)
    page.get_by_role("button", name="Hide the figures").click()
    assert not page.locator("#gallery").is_visible()
    tab.close()


def test_a_link_shows_the_figures(browser: Browser, file: Path) -> None:
    """The toggle stands in the address."""
    tab = Opened(browser, file, 1280, "figures=shown")
    tab.page.wait_for_selector("#gallery details")
    assert tab.page.get_by_role("button", name="Hide the figures").is_visible()
    tab.close()


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
    request: pytest.FixtureRequest, browser: Browser, width: str, dark: bool, which: str
) -> None:
    """All of it unfolded: contrast, names, headings, landmarks, what a screen reader meets."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    tab = Opened(browser, request.getfixturevalue(which), WIDTHS[width], dark=dark)
    unfold(tab.page)
    found = axe.Axe().run(tab.page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
    assert tab.said == []
    tab.close()


def test_each_workload_has_the_page_to_itself(browser: Browser, two: Path) -> None:
    """The menu shows one workload; the links above lead to its parts; the address says which."""
    name = synthetic.regression()
    tab = Opened(browser, two, 1280)
    page = tab.page
    assert "digits-mlp" in page.locator("h1:visible").inner_text()
    page.locator("#workloads select").select_option(name)
    assert page.locator("h1:visible").count() == 1
    assert name in page.locator("h1:visible").inner_text()
    page.locator("nav").get_by_text("Map", exact=True).click()
    assert page.evaluate("document.activeElement.closest('[data-panel]').dataset.panel") == name
    again = Opened(browser, two, 390, page.url.partition("#")[2])
    assert name in again.page.locator("h1:visible").inner_text()
    again.close()
    linked = Opened(browser, two, 1280, "map-2")
    assert name in linked.page.locator("h1:visible").inner_text()
    linked.close()
    assert tab.said == []
    tab.close()


def test_ids_are_unique(file: Path, two: Path) -> None:
    """Also where parts stand there once for each workload."""
    for page in (file, two):
        ids = re.findall(r'\sid="([^"]*)"', page.read_text(encoding="utf-8"))
        assert len(ids) == len(set(ids))


def test_without_a_script_it_is_all_there(browser: Browser, file: Path) -> None:
    """The answer, still charts, the still map and the table of all cells."""
    tab = Opened(browser, file, 1280, script=False)
    page = tab.page
    assert page.locator("h1").is_visible()
    assert page.locator("figure[data-kind] .plot > svg:visible").count() >= 5
    assert page.locator(".map-grid td").first.is_visible()
    assert page.locator("#cells tbody tr").count() == 2 * 3 * 5 * 2
    assert page.locator("button:visible").count() == 0  # none that would do nothing
    assert tab.said == []
    tab.close()


def test_paper_has_what_is_folded_and_nothing_to_press(browser: Browser, file: Path) -> None:
    """It prints what a reader without a mouse needs: answers, charts, map, the first cells."""
    tab = Opened(browser, file, 1280)
    page = tab.page
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
    tab.close()
