"""Keep the default study's report for the README: the page, photographed wide and on a phone.

Run by ``make screens``, after ``make``; needs Chromium, as the browser tests do.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests"))

from kit.browser import Opened, chromium  # noqa: E402

REPORT = ROOT / "results/report.html"
SIZES = {"wide": (1280, 800), "phone": (390, 844)}


def main() -> None:
    """Write docs/sample-report.html, docs/screen-wide.png and docs/screen-phone.png."""
    if not REPORT.exists():
        sys.exit(f"{REPORT.relative_to(ROOT)}: no such report; run make first")
    shutil.copyfile(REPORT, ROOT / "docs/sample-report.html")
    with chromium() as browser:
        for name, (width, height) in SIZES.items():
            opened = Opened(browser, REPORT, width)
            opened.page.set_viewport_size({"width": width, "height": height})
            opened.page.wait_for_selector('figure[data-kind="forest"] .plot')
            opened.page.wait_for_timeout(1000)  # charts on the screen become live
            opened.page.screenshot(path=ROOT / f"docs/screen-{name}.png")
            opened.close()


if __name__ == "__main__":
    main()
