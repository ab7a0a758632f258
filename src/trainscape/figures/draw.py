"""Tables -> pictures: one SVG per facet. Draws what :mod:`trainscape.figures.names` lists."""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING, Any

from trainscape.analysis import AXES, Row, best, grouped, metric, records, trained, validated, whole
from trainscape.figures.cells import key, labels, timed
from trainscape.figures.curves import curves_figure
from trainscape.figures.heatmap import Scale, heatmap, scale, share_scale
from trainscape.figures.names import Figure, expected, result_figures, timing_figures
from trainscape.figures.replay import replay_figure
from trainscape.figures.search import search_figure
from trainscape.figures.style import save
from trainscape.figures.values import Shown, duration, number, score, shown, ticks, values
from trainscape.hardware import usable_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pandas as pd
    from matplotlib.figure import Figure as Picture

    from trainscape.analysis import Replayed, Searched
    from trainscape.workloads import Metric

__all__ = ["draw", "draw_results", "draw_timings", "expected"]

FEW = 8  # figures a process: starting one for fewer gains nothing


def draw(
    trials: pd.DataFrame,
    summary: pd.DataFrame,
    timings: pd.DataFrame | None,
    curves: pd.DataFrame,
    folder: Path,
) -> list[Path]:
    """Draw every figure of a study into ``folder``; give their paths.

    Args:
        trials: a row per trial.
        summary: a row per cell.
        timings: a row per cell, all null where nothing was measured here; None for no such figures.
        curves: a row per evaluation.
        folder: where the figures go.
    """
    drawn = draw_results(trials, summary, curves, folder)
    return drawn if timings is None else drawn + draw_timings(trials, summary, timings, folder)


def draw_results(
    trials: pd.DataFrame,
    summary: pd.DataFrame,
    curves: pd.DataFrame,
    folder: Path,
    replayed: Replayed | None = None,
    searched: Searched | None = None,
) -> list[Path]:
    """Draw the figures that training alone decides; none without a validation split.

    Args:
        trials: a row per trial.
        summary: a row per cell.
        curves: a row per evaluation.
        folder: where the figures go.
        replayed: the simulated searches, if the study has any.
        searched: what was trained of the grid, if not all.
    """
    if not validated(trials):
        return []
    cells = whole(records(summary), searched)
    histories = {key(group[0]): group for group in grouped(records(curves), AXES)}

    def picture(figure: Figure) -> Picture:
        own = [row for row in cells if row["workload"] == figure.workload]
        if figure.kind == "replay" and replayed is not None:
            return replay_figure(figure.workload, own, replayed)
        if figure.kind == "search" and searched is not None:
            return search_figure(figure.workload, trained(own), searched)
        if figure.kind != "curves":
            return facet(figure, own)
        rows = [row for row in own if row["optimizer"] == figure.optimizer]
        return curves_figure(figure.optimizer, rows, histories)

    figures = result_figures(
        *labels(cells), replay=replayed is not None, search=searched is not None
    )
    return each(figures, picture, folder)


def draw_timings(
    trials: pd.DataFrame,
    summary: pd.DataFrame,
    timings: pd.DataFrame,
    folder: Path,
    searched: Searched | None = None,
) -> list[Path]:
    """Draw the figures that hold seconds.

    Args:
        trials: a row per trial.
        summary: a row per cell.
        timings: a row per cell.
        folder: where the figures go.
        searched: what was trained of the grid, if not all.
    """
    cells = whole(timed(summary, timings), searched)

    def picture(figure: Figure) -> Picture:
        own = [row for row in cells if row["workload"] == figure.workload]
        return facet(figure, own) if figure.optimizer else throughput(figure.workload, own)

    return each(timing_figures(*labels(cells), validated(trials)), picture, folder)


def each(
    figures: Sequence[Figure], picture: Callable[[Figure], Picture], folder: Path
) -> list[Path]:
    """Draw and save figures, on all cores; give their paths."""
    parts = min(len(usable_cores()), len(figures) // FEW)
    if parts < 2 or "fork" not in multiprocessing.get_all_start_methods():
        return [save(picture(figure), folder / figure.path) for figure in figures]
    # forked, so that the tables need not travel: what is handed over is a number
    with multiprocessing.get_context("fork").Pool(
        parts, initializer=_begin, initargs=(figures, picture, folder)
    ) as pool:
        return pool.map(_one, range(len(figures)), chunksize=1)


_work: tuple[Sequence[Figure], Callable[[Figure], Picture], Path]


def _begin(*work: Any) -> None:
    global _work
    _work = work


def _one(index: int) -> Path:
    figures, picture, folder = _work
    figure = figures[index]
    return save(picture(figure), folder / figure.path)


def facet(figure: Figure, cells: Sequence[Row]) -> Picture:
    """One heatmap, batch size × lr, in colours shared with the workload's others of its kind."""
    judged = metric(figure.workload)
    own = [
        row
        for row in cells
        if (row["optimizer"], row["schedule"]) == (figure.optimizer, figure.schedule)
    ]
    lrs = sorted({row["lr"] for row in own})
    sizes = sorted({row["batch_size"] for row in own})
    place = {key(row): (sizes.index(row["batch_size"]), lrs.index(row["lr"])) for row in own}
    chosen, first = best(own), best(cells)
    star = " ★" if chosen is not None and chosen == first else ""
    return heatmap(
        {place[key(row)]: shown(figure.kind, row, judged) for row in own},
        ticks(lrs),
        [str(size) for size in sizes],
        (f"{figure.optimizer} · {figure.schedule}{star}", "learning rate (peak)", "batch size"),
        shared_scale(figure.kind, [shown(figure.kind, row, judged) for row in cells], judged),
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
