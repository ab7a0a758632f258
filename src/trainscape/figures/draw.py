"""Tables -> pictures: one SVG for each figure that :mod:`trainscape.figures.names` lists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

from trainscape.analysis import RangeCurve, Row, best, grouped, key, metric, trained
from trainscape.figures.answers.batches import batch_scaling
from trainscape.figures.answers.forgiving import safe_rate
from trainscape.figures.answers.importance import importance
from trainscape.figures.answers.optimizers import optimizers
from trainscape.figures.answers.scaling import lr_scaling
from trainscape.figures.articles.descent import decay, path
from trainscape.figures.articles.losses import loss_by_batch, trace
from trainscape.figures.curves import curves_figure, loss_curves_figure
from trainscape.figures.heatmap import Scale, heatmap, scale, share_scale
from trainscape.figures.names import Sorted
from trainscape.figures.ranges import ranges_figure
from trainscape.figures.replay import replay_figure
from trainscape.figures.search import search_figure
from trainscape.figures.style import RC, save
from trainscape.figures.values import Shown, duration, number, score, shown, ticks, values
from trainscape.forked import begun

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.figure import Figure as Picture

    from trainscape.analysis import Replayed, Searched
    from trainscape.figures.articles.descent import Heights
    from trainscape.figures.names import Figure
    from trainscape.workloads import Metric

FEW = 8  # figures a process: starting one for fewer gains nothing


@dataclass(frozen=True)
class Content:
    """What the figures of a study are drawn from; what a study has none of stays empty.

    Args:
        cells: a row per cell of the grid, with its times where the study has any.
        curves: the rows of each cell's learning curves, of the split that is drawn, by
            :func:`trainscape.analysis.key`.
        tests: a row per learning-rate range test.
        test_curves: the curves of the range tests, by digest.
        replayed: the simulated searches.
        searched: what was trained of the grid, if not all.
        found: by workload, what :mod:`trainscape.answers` found.
        articles: the rows that each kind of article figure is drawn from.
        heights: the function that each workload with a ``path`` figure descends on.
    """

    cells: Sequence[Row] = ()
    curves: Mapping[tuple[object, ...], list[Row]] = field(default_factory=dict)
    tests: Sequence[Row] = ()
    test_curves: Mapping[str, RangeCurve] = field(default_factory=dict)
    replayed: Replayed | None = None
    searched: Searched | None = None
    found: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    articles: Mapping[str, Sequence[Row]] = field(default_factory=dict)
    heights: Mapping[str, Heights] = field(default_factory=dict)

    @cached_property
    def by_figure(self) -> Sorted:
        """The cells by the figures that show them."""
        return Sorted(self.cells)

    @cached_property
    def shared(self) -> dict[tuple[str, str], tuple[Scale, Row | None]]:
        """What all heatmaps of a workload and kind share, as far as one was drawn."""
        return {}


def draw(figures: Sequence[Figure], content: Content, folder: Path) -> list[Path]:
    """Draw and save figures, on all cores; give their paths.

    Args:
        figures: what to draw.
        content: what to draw it from.
        folder: where the figures go.
    """
    calls = [partial(_saved, figure, content, folder) for figure in figures]
    parts = len(figures) // FEW
    with begun(calls, parts if parts > 1 else 0) as drawn:
        return [path() for path in drawn]


def _saved(figure: Figure, content: Content, folder: Path) -> Path:
    with mpl.rc_context(RC):
        picture = PICTURES[figure.kind](figure, content)
    return save(picture, folder / figure.path)


def _shown(figure: Figure, rows: Sequence[Row]) -> list[Row]:
    return Sorted(rows).of(figure)


def _of_workload(figure: Figure, rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["workload"] == figure.workload]


def _curves(figure: Figure, content: Content) -> Picture:
    return curves_figure(figure.optimizer, content.by_figure.of(figure), content.curves)


def _loss_curves(figure: Figure, content: Content) -> Picture:
    among = _of_workload(figure, content.cells)
    return loss_curves_figure(_title(figure), _shown(figure, among), among, content.curves)


def _heatmap(figure: Figure, content: Content) -> Picture:
    about = figure.workload, figure.kind
    if about not in content.shared:
        among, judged = _of_workload(figure, content.cells), metric(figure.workload)
        colours = shared_scale(figure.kind, [shown(figure.kind, r, judged) for r in among], judged)
        content.shared[about] = colours, best(among)
    return facet(figure, content.by_figure.of(figure), *content.shared[about])


def _throughput(figure: Figure, content: Content) -> Picture:
    return throughput(figure.workload, content.by_figure.of(figure))


def _replay(figure: Figure, content: Content) -> Picture:
    assert content.replayed is not None, "the study lists this figure, so it has replays"
    return replay_figure(figure.workload, content.by_figure.of(figure), content.replayed)


def _search(figure: Figure, content: Content) -> Picture:
    assert content.searched is not None, "the study lists this figure, so it has a search"
    cells = trained(content.by_figure.of(figure))
    return search_figure(figure.workload, cells, content.searched)


def _ranges(figure: Figure, content: Content) -> Picture:
    tests = [row for row in content.tests if row["workload"] == figure.workload]
    return ranges_figure(figure.optimizer, tests, content.test_curves)


def _optimizers(figure: Figure, content: Content) -> Picture:
    return optimizers(figure.workload, content.found[figure.workload])


def _safe_rate(figure: Figure, content: Content) -> Picture:
    order = list(dict.fromkeys(row["optimizer"] for row in content.by_figure.of(figure)))
    return safe_rate(figure.workload, content.found[figure.workload], order)


def _lr_scaling(figure: Figure, content: Content) -> Picture:
    found = content.found[figure.workload]
    return lr_scaling(
        f"{figure.workload}: best learning rate by batch size", found["scaling"], found["rates"]
    )


def _batch_scaling(figure: Figure, content: Content) -> Picture:
    found = content.found[figure.workload]
    title = f"{figure.workload}: steps to the target by batch size"
    return batch_scaling(title, found["critical"], found["steps"], found["noise"])


def _importance(figure: Figure, content: Content) -> Picture:
    rows = content.found[figure.workload]["importance"]
    return importance(f"{figure.workload}: what matters", rows)


def _path(figure: Figure, content: Content) -> Picture:
    among = _of_workload(figure, content.articles["path"])
    rows = _shown(figure, among)
    return path(_title(figure), rows, among, content.heights[figure.workload])


def _article(draw: Callable[[str, Sequence[Row], Sequence[Row]], Picture]) -> Drawer:
    """An article figure that needs its rows, and the workload's others for the axes they share."""

    def drawn(figure: Figure, content: Content) -> Picture:
        among = _of_workload(figure, content.articles[figure.kind])
        return draw(_title(figure), _shown(figure, among), among)

    return drawn


def _title(figure: Figure) -> str:
    return " · ".join(
        label for label in (figure.workload, figure.optimizer, figure.schedule) if label
    )


def facet(figure: Figure, own: Sequence[Row], colours: Scale, first: Row | None) -> Picture:
    """One heatmap, batch size × lr.

    Args:
        figure: which.
        own: the rows of its cells.
        colours: shared with the workload's others of its kind.
        first: the row of the workload's best cell, if any has a value.
    """
    judged = metric(figure.workload)
    lrs = sorted({row["lr"] for row in own})
    sizes = sorted({row["batch_size"] for row in own})
    place = {key(row): (sizes.index(row["batch_size"]), lrs.index(row["lr"])) for row in own}
    chosen = best(own)
    star = " ★" if chosen is not None and chosen == first else ""
    return heatmap(
        {place[key(row)]: shown(figure.kind, row, judged) for row in own},
        ticks(lrs),
        [str(size) for size in sizes],
        (f"{figure.optimizer} · {figure.schedule}{star}", "learning rate (peak)", "batch size"),
        colours,
        None if chosen is None else place[key(chosen)],
    )


def shared_scale(kind: str, cells: Sequence[Shown], judged: Metric) -> Scale:
    """The colours of one kind of heatmap of one workload: brighter is better."""
    if kind == "diverged-share":
        return share_scale()
    if kind == "test-metric":
        fraction = judged.unit == "fraction"
        said = lambda value: score(value, judged, unit=True)
        return scale(values(cells), judged.direction, judged.name, said, fraction=fraction)
    if kind == "train-loss":
        return scale(values(cells), "min", "train loss", number)
    whole = lambda value: number(round(value))
    tick: Callable[[float], str] = whole if kind == "steps-to-target" else duration
    label = "steps" if kind == "steps-to-target" else "time"
    return scale(values(cells), "min", label, tick)


def throughput(workload: str, cells: Sequence[Row]) -> Picture:
    """Samples a second by optimizer and batch size, without data loading."""
    groups = [group[0] for group in grouped(trained(cells), ("optimizer", "batch_size"))]
    optimizers = list(dict.fromkeys(row["optimizer"] for row in groups))[::-1]
    sizes = sorted({row["batch_size"] for row in groups})
    content = {
        (optimizers.index(row["optimizer"]), sizes.index(row["batch_size"])): _rate(row)
        for row in groups
    }
    colours = scale(values(content.values()), "max", "samples/s", number)
    title = (f"{workload}: samples/s", "batch size", "optimizer")
    return heatmap(content, [str(size) for size in sizes], optimizers, title, colours)


def _rate(row: Row) -> Shown:
    if row["samples_per_s"] is None:
        return Shown(None, "not measured", state="none")
    return Shown(row["samples_per_s"], number(row["samples_per_s"]), duration(row["step_time_s"]))


Drawer = Callable[["Figure", Content], "Picture"]

PICTURES: dict[str, Drawer] = {
    "test-metric": _heatmap,
    "train-loss": _heatmap,
    "steps-to-target": _heatmap,
    "diverged-share": _heatmap,
    "time-to-target": _heatmap,
    "throughput": _throughput,
    "curves": _curves,
    "loss-curves": _loss_curves,
    "replay": _replay,
    "search": _search,
    "range": _ranges,
    "loss-by-batch": _article(loss_by_batch),
    "optimizers": _optimizers,
    "safe-rate": _safe_rate,
    "lr-scaling": _lr_scaling,
    "batch-scaling": _batch_scaling,
    "importance": _importance,
    "trace": _article(trace),
    "decay": _article(decay),
    "path": _path,
}
