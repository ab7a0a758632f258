"""The report page: how large it is, and how soon one can use it in a browser."""

from __future__ import annotations

import re
from contextlib import chdir
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.output import Result, Table
from kit import synthetic
from kit.browser import chromium
from kit.reports import MadeUp
from trainscape import report, source, study
from trainscape.pipeline import report as stage
from trainscape.pipeline.layout import Layout

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from benchmarks.sizes import Sizes

ROOT = source.PACKAGE.parents[1]
ROUNDS = 5
GRID: dict[str, Any] = {  # 24 cells a batch size and rate, of five seeds and 15 evaluations
    "batch_sizes": (16, 32, 64, 128, 256, 512, 1024, 2048),
    "schedules": ("constant", "cosine", "linear", "warmup"),
    "seeds": range(5),
    "epochs": 15,
}
A_RATE = 3 * len(GRID["batch_sizes"]) * len(GRID["schedules"])  # cells for each learning rate
TARGETS = {"default": (1.5, 1.0), "made up": (8.0, 3.0)}  # megabytes, seconds
COLUMNS = {
    "study": "study",
    "cells": "cells",
    "megabytes": "MB",
    "ready_s": "ready, s",
    "chart_s": "first live chart, s",
    "filter_s": "a filter, s",
    "sort_s": "a sort, s",
    "target": "target",
    "held": "held",
}
PARTS = {"data": "data", "vega": "Vega", "pictures": "figures"}
# seen from within: when all controls are there, and when the first chart answers to the pointer
WATCH = """
window.seen = {};
const look = () => {
  if (document.documentElement?.dataset.ready) seen.ready ??= performance.now();
  if (document.querySelector(".live svg")) seen.chart ??= performance.now();
};
new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true });
"""
FILTER = """async () => {
  const box = document.querySelector('#cells [type="search"]');
  const count = document.querySelector("#cells .count");
  const before = count.value;
  const start = performance.now();
  box.value = "adam";
  box.dispatchEvent(new Event("input"));
  while (count.value === before) await new Promise(requestAnimationFrame);
  return performance.now() - start;
}"""
SORT = """() => {
  const start = performance.now();
  document.querySelectorAll("#cells th button")[2].click();
  document.body.offsetHeight;
  return performance.now() - start;
}"""


def run(sizes: Sizes, folder: Path) -> Result:
    """The default study's page, and one of about ten thousand made-up cells."""
    files = {} if sizes.quick else {"default": _default(folder)}
    files["made up"] = _made_up(folder, sizes.page_cells)
    try:
        with chromium() as browser:
            rows = [_measured(browser, name, file) for name, file in files.items()]
            browser_version = browser.version
    except pytest.skip.Exception as skipped:
        data = {"skipped": str(skipped), "rows": []}
        return _result(sizes, data, [], [f"Skipped: {skipped}."])
    sizes_of = {name: _parts(file) for name, file in files.items()}
    notes = [
        f"Medians of {ROUNDS} tabs of Chromium {browser_version}, 1280 pixels wide, each from the "
        "start of the navigation to a file. Ready: every control is there and answers. A filter is "
        "a word typed into the search, with the pause that typing ends with; a sort is a click.",
        *(
            f"Of the page “{name}”: "
            + ", ".join(f"{part} {size / 1e6:.2f} MB" for part, size in own.items())
            + "; the rest is still charts, the table for readers without scripts, styles and code."
            for name, own in sizes_of.items()
        ),
    ]
    return _result(sizes, {"rows": rows, "bytes": sizes_of}, rows, notes)


def _result(
    sizes: Sizes, data: dict[str, Any], rows: list[dict[str, Any]], notes: list[str]
) -> Result:
    title, command = "The report page", "make bench ONLY=page"
    tables = [Table(COLUMNS, rows)] if rows else []
    return Result("page", title, command, sizes.name, data, tables, notes)


def _default(folder: Path) -> Path:
    """The page of params.yaml, written anew from the tables and figures of its results."""
    path = folder / "default.html"
    with chdir(ROOT):
        report.write(stage.page(Layout(study.read(Path("params.yaml")))), path)
    return path


def _made_up(folder: Path, cells: int) -> Path:
    """A page of so many cells, or a few less, so that every rate has its whole grid."""
    count = max(1, cells // A_RATE)
    made = MadeUp(synthetic.study(lrs=[10 ** (-4 + 4 * k / count) for k in range(count)], **GRID))
    made.draw(folder / "figures")
    report.write(made.page(folder / "figures"), folder / "report.html")
    return folder / "report.html"


def _measured(browser: Browser, name: str, file: Path) -> dict[str, Any]:
    """What a page weighs, and the seconds until it can be used."""
    taken = [opened(browser, file) for _ in range(ROUNDS)]
    row: dict[str, Any] = {
        "study": name,
        "cells": int(taken[0]["cells"]),
        "megabytes": file.stat().st_size / 1e6,
        **{key: median(one[key] for one in taken) for key in taken[0] if key != "cells"},
        "rounds": taken,
    }
    most, longest = TARGETS[name]
    row["target"] = f"{most:g} MB, {longest:g} s"
    row["held"] = row["megabytes"] <= most and max(row["ready_s"], row["chart_s"]) <= longest
    return row


def opened(browser: Browser, file: Path) -> dict[str, float]:
    """How soon a page can be used in a new tab, and how fast it answers."""
    tab = browser.new_page(viewport={"width": 1280, "height": 800})
    tab.add_init_script(WATCH)
    tab.goto(file.as_uri())
    tab.wait_for_function("seen.ready && seen.chart", timeout=120_000)
    seen = tab.evaluate("seen")
    found = {
        "cells": float(tab.locator("#cells .count").inner_text().split(" ")[0]),
        "ready_s": seen["ready"] / 1000,
        "chart_s": seen["chart"] / 1000,
        "sort_s": tab.evaluate(SORT) / 1000,
        "filter_s": tab.evaluate(FILTER) / 1000,
    }
    tab.close()
    return found


def _parts(file: Path) -> dict[str, int]:
    """The bytes of what a page holds packed."""
    text = file.read_text(encoding="utf-8")
    return {
        words: len(found.group(1))
        for part, words in PARTS.items()
        if (found := re.search(rf'id="{part}">([^<]*)<', text))
    }
