"""The figures in the order they are read, with the words around them."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainscape.analysis import Row, grouped, metric, steps, trained, validated, whole
from trainscape.errors import UserError
from trainscape.figures.cells import labels
from trainscape.figures.names import Figure, range_figures, result_figures, timing_figures
from trainscape.figures.values import score
from trainscape.figures.words import alt, caption
from trainscape.report import _range, _replay

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from trainscape.analysis import Replayed, Searched
    from trainscape.analysis._search import Step
    from trainscape.report._table import Table
    from trainscape.workloads import Metric

SIZE = re.compile(r'width="([\d.]+)pt" height="([\d.]+)pt"')
TITLES = {
    "test-metric": "Test {metric}",
    "steps-to-target": "Steps to the target",
    "time-to-target": "Time to the target",
    "curves": "Learning curves",
    "throughput": "Throughput",
    "diverged-share": "Diverged seeds",
}
LEADS = {
    "test-metric": "Mean over the seeds, below it the standard deviation.",
    "steps-to-target": "Median over the seeds of the first evaluation that reached the target.",
    "time-to-target": "Steps to the target × the time of one step, measured alone.",
    "curves": "Each schedule at its best learning rate by validation.",
    "throughput": "Samples a second of training steps alone, without data loading.",
    "diverged-share": "How many of a cell's seeds ended in NaN or infinity.",
}


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
    """All figures of one kind of one workload; ``quiet`` ones show nothing worth the space.

    ``table`` stands below the lead, if there is one.
    """

    workload: str
    kind: str
    title: str
    lead: str
    images: list[Image]
    quiet: bool
    table: Table | None = None


def sections(
    cells: Sequence[Row],
    trials: pd.DataFrame,
    folder: Path,
    timed: bool,
    replayed: Replayed | None = None,
    tests: Sequence[Row] = (),
    searched: Searched | None = None,
) -> list[Section]:
    """Every figure of the study, by workload and kind.

    Args:
        cells: summary rows, with their timings if ``timed``.
        trials: a row per trial; without validation split, only throughput has a figure.
        folder: where the figures are.
        timed: whether the study has timings.
        replayed: the simulated searches, if the study has any.
        tests: a row per learning-rate range test.
        searched: what was trained of the grid, if not all.

    Raises:
        UserError: a figure is missing.
    """
    cells = whole(cells, searched)
    axes = labels(cells)
    figures = result_figures(*axes) if validated(trials) else []
    figures += timing_figures(*axes, validated(trials)) if timed else []
    found = [
        Section(
            workload,
            kind,
            TITLES[kind].format(metric=metric(workload).name),
            LEADS[kind] + (_target(workload, trials) if kind.endswith("to-target") else ""),
            [_image(folder / f.path, alt(f, cells), caption(f, cells)) for f in own],
            kind == "diverged-share" and not _any_diverged(workload, cells),
        )
        for workload in axes[0]
        for kind in LEADS
        if (own := [f for f in figures if (f.workload, f.kind) == (workload, kind)])
    ]
    if searched is not None:
        found = [*(_search(name, cells, folder, searched) for name in axes[0]), *found]
    if replayed is not None:
        found += [_replays(workload, cells, folder, replayed) for workload in axes[0]]
    return found + [_ranges(own, folder) for own in grouped(tests, ("workload",))]


def _search(workload: str, cells: Sequence[Row], folder: Path, searched: Searched) -> Section:
    """The search of one workload, cell by cell."""
    own = trained([row for row in cells if row["workload"] == workload])
    words = _search_words(steps(own, searched.rounds[workload]), metric(workload))
    file = folder / Figure(workload, "search").path
    image = _image(file, f"Chart for {workload}. {words}", words)
    about = "Every cell in the order of the search; in a round, as they were proposed."
    return Section(workload, "search", "Best so far, round by round", about, [image], quiet=False)


def _search_words(path: Sequence[Step], judged: Metric) -> str:
    """The best after each round."""
    last = {step.round: step.best for step in path}
    said = ("none" if best is None else score(best, judged, unit=True) for best in last.values())
    return f"Best validation {judged.name} after each round: {', '.join(said)}."


def _replays(workload: str, cells: Sequence[Row], folder: Path, replayed: Replayed) -> Section:
    """The simulated searches of one workload."""
    own = [row for row in cells if row["workload"] == workload]
    file = folder / Figure(workload, "replay").path
    words = _replay.caption(own, replayed)
    image = _image(file, f"Two charts for {workload}. {words}", words)
    about, table = _replay.lead(own, replayed), _replay.table(own, replayed)
    return Section(workload, "replay", _replay.TITLE, about, [image], quiet=False, table=table)


def _ranges(tests: Sequence[Row], folder: Path) -> Section:
    """The learning-rate range tests of one workload."""
    workload = tests[0]["workload"]
    images = [
        _image(folder / figure.path, _range.alt(own), _range.caption(own))
        for own in grouped(tests, ("optimizer",))
        for figure in range_figures([workload], [own[0]["optimizer"]])
    ]
    about, table = _range.lead(tests), _range.table(tests)
    return Section(workload, "range", _range.TITLE, about, images, quiet=False, table=table)


def _any_diverged(workload: str, cells: Sequence[Row]) -> bool:
    return any(row["diverged"] for row in cells if row["workload"] == workload)


def _target(workload: str, trials: pd.DataFrame) -> str:
    judged = metric(workload)
    target = float(trials.loc[trials["workload"] == workload, "target"].iloc[0])
    bound = "at least" if judged.direction == "max" else "at most"
    value = score(target, judged, unit=True)
    return f" The target is a validation {judged.name} of {bound} {value}."


def _image(file: Path, instead: str, below: str) -> Image:
    try:
        svg = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{file}: no such figure; run snakemake to draw it") from None
    match = SIZE.search(svg)
    if match is None:
        raise UserError(f"{file}: not a whole figure; delete it and run again")
    width, height = (round(float(points) * 4 / 3) for points in match.groups())
    uri = "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
    return Image(uri, instead, below, width, height)
