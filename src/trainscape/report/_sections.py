"""Searches, replays and range tests: figures as they were drawn, with the words around them."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainscape.analysis import Row, grouped, metric, steps, trained, whole
from trainscape.errors import UserError
from trainscape.figures.values import score
from trainscape.report import _range, _replay

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from trainscape.analysis._search import Step
    from trainscape.report._page import Page
    from trainscape.report._table import Table
    from trainscape.workloads import Metric

SHORT = {"search": "Search", "replay": "Replay", "range": "Range tests"}  # what links call them
SIZE = re.compile(r'width="([\d.]+)pt" height="([\d.]+)pt"')


@dataclass(frozen=True)
class Image:
    """A figure as the template needs it; ``width`` and ``height`` are CSS pixels."""

    uri: str
    alt: str
    caption: str
    width: int
    height: int


@dataclass(frozen=True)
class Section:
    """What one section shows of one workload; ``table`` stands below the lead, if there is one."""

    workload: str
    kind: str
    title: str
    lead: str
    images: list[Image]
    table: Table | None = None


def sections(page: Page) -> list[Section]:
    """What a search, a replay and range tests came to, by workload.

    Raises:
        UserError: a figure is missing.
    """
    cells = whole(page.cells, page.searched)
    makers = [_searches, _replays, _ranges]
    return [section for make in makers for section in make(page, cells)]


def _searches(page: Page, cells: Sequence[Row]) -> Iterator[Section]:
    """The search of each workload, cell by cell."""
    for figure in page.figures:
        if figure.kind == "search" and page.searched is not None:
            own = trained([row for row in cells if row["workload"] == figure.workload])
            path = steps(own, page.searched.rounds[figure.workload])
            words = _search_words(path, metric(figure.workload))
            shown = image(page.folder / figure.path, f"Chart for {figure.workload}. {words}", words)
            about = "Every cell in the order of the search; in a round, as they were proposed."
            title = "Best so far, round by round"
            yield Section(figure.workload, "search", title, about, [shown])


def _search_words(path: Sequence[Step], judged: Metric) -> str:
    """The best after each round."""
    last = {step.round: step.best for step in path}
    said = ("none" if best is None else score(best, judged, unit=True) for best in last.values())
    return f"Best validation {judged.name} after each round: {', '.join(said)}."


def _replays(page: Page, cells: Sequence[Row]) -> Iterator[Section]:
    """The simulated searches of each workload."""
    for figure in page.figures:
        if figure.kind == "replay" and page.replayed is not None:
            own = [row for row in cells if row["workload"] == figure.workload]
            words = _replay.caption(own, page.replayed)
            shown = image(
                page.folder / figure.path, f"Two charts for {figure.workload}. {words}", words
            )
            about, table = _replay.lead(own, page.replayed), _replay.table(own, page.replayed)
            yield Section(figure.workload, "replay", _replay.TITLE, about, [shown], table)


def _ranges(page: Page, _: Sequence[Row]) -> Iterator[Section]:
    """The learning-rate range tests of each workload."""
    for tests in grouped(page.tests, ("workload",)):
        workload = tests[0]["workload"]
        by_optimizer = {own[0]["optimizer"]: own for own in grouped(tests, ("optimizer",))}
        images = [
            image(page.folder / figure.path, _range.alt(own), _range.caption(own))
            for figure in page.of(workload, "range")
            for own in [by_optimizer[figure.optimizer]]
        ]
        about, table = _range.lead(tests), _range.table(tests)
        yield Section(workload, "range", _range.TITLE, about, images, table=table)


def image(file: Path, instead: str, below: str) -> Image:
    """A figure as the page holds it: the file's content, words instead of it, words below it.

    Raises:
        UserError: the file is missing or damaged.
    """
    svg, width, height = drawn(file)
    uri = "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
    return Image(uri, instead, below, width, height)


def drawn(file: Path) -> tuple[str, int, int]:
    """A figure's content, with its width and height in CSS pixels.

    Raises:
        UserError: the file is missing or damaged.
    """
    try:
        svg = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{file}: no such figure; run snakemake to draw it") from None
    match = SIZE.search(svg)
    if match is None:
        raise UserError(f"{file}: not a whole figure; delete it and run again")
    width, height = (round(float(points) * 4 / 3) for points in match.groups())
    return svg, width, height
