"""A page in a real browser: Debian's Chromium, or the one named by CHROMIUM.

Offers: :func:`chromium`, the browser; :class:`Opened`, a page in a tab with all that it said;
:func:`address` and :func:`chosen`, what stands in the address of a page of ``WORKLOAD``.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
WIDTHS = {"phone": 390, "desktop": 1280}
WORKLOAD = "digits-mlp"  # that of a made-up study


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser; skips the test where there is none."""
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium here: install it or name one in CHROMIUM")
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


class Opened:
    """A page in a tab, with all that the console and the network saw.

    Args:
        browser: where to open it.
        file: the page.
        width: of the window, in CSS pixels.
        chosen: what stands after ``#`` in the address.
        dark: whether the reader prefers dark pages.
        script: whether scripts run.
    """

    def __init__(
        self,
        browser: Browser,
        file: Path,
        width: int,
        chosen: str = "",
        *,
        dark: bool = False,
        script: bool = True,
    ) -> None:
        self.page: Page = browser.new_page(
            viewport={"width": width, "height": 800},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",  # scrolling takes no time then
            java_script_enabled=script,
        )
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(file.as_uri() + (f"#{chosen}" if chosen else ""))
        self.page.wait_for_load_state("load")
        if script:
            self.page.wait_for_selector("html[data-ready]")

    def close(self) -> None:
        """Close the tab."""
        self.page.close()

    def live(self, kind: str) -> None:
        """Bring a chart on the screen and wait until it is live."""
        self.page.locator(f'figure[data-kind="{kind}"]').first.scroll_into_view_if_needed()
        self.page.wait_for_selector(f'figure[data-kind="{kind}"] .live svg')


def address(**choices: object) -> str:
    """What stands after ``#`` with these choices; a name's ``_`` stands for ``-``."""
    return urlencode({f"{name.replace('_', '-')}:{WORKLOAD}": v for name, v in choices.items()})


def chosen(page: Page, name: str) -> str | None:
    """What the address says of a choice."""
    found = parse_qs(urlsplit(page.url).fragment).get(f"{name}:{WORKLOAD}")
    return found[0] if found else None
