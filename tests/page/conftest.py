"""What the tests of the page share: a browser, pages that are made once, tabs that say nothing."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

import pytest

from kit import synthetic
from kit.browser import WIDTHS, Opened, address, chromium
from kit.reports import MadeUp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests of a file; no longer, for while it runs no other loop can."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="session")
def once(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str, Callable[[Path], object]], Path]:
    """Gives a page by its name; the first worker that wants it makes it, in a folder of its own."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # that of all workers

    def page(name: str, make: Callable[[Path], object]) -> Path:
        folder, done = root / f"page-{name}", root / f"page-{name}.done"
        with (root / f"page-{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                folder.mkdir(exist_ok=True)
                make(folder)
                done.touch()
        return folder / "report.html"

    return page


@pytest.fixture(scope="session")
def file(once: Callable[..., Path]) -> Path:
    """The page of 120 cells: three optimizers, two schedules, four batch sizes, five rates."""
    return once("whole", lambda folder: MadeUp(synthetic.study()).alone(folder))


@pytest.fixture
def tab(browser: Browser, file: Path) -> Iterator[Callable[..., Opened]]:
    """Opens a page with choices in its address.

    No tab may say anything on its console or ask for anything but itself.
    """
    tabs: list[tuple[Path, Opened]] = []

    def open_page(
        width: int = WIDTHS["desktop"],
        *,
        page: Path = file,
        at: str = "",
        dark: bool = False,
        script: bool = True,
        **chosen: object,
    ) -> Opened:
        opened = Opened(browser, page, width, at or address(**chosen), dark=dark, script=script)
        tabs.append((page, opened))
        return opened

    yield open_page
    for _, opened in tabs:
        opened.close()
    for page, opened in tabs:
        assert opened.said == []
        inside = ("data:", "blob:", page.as_uri())
        assert [url for url in opened.asked if not url.startswith(inside)] == []


@pytest.fixture(params=WIDTHS)
def opened(request: pytest.FixtureRequest, tab: Callable[..., Opened]) -> Opened:
    """The page at a phone's and at a desktop's width."""
    return tab(WIDTHS[request.param])
