"""A search, cell by cell: what each came to, and the best so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape.analysis import Row, metric, steps
from trainscape.figures import panels
from trainscape.figures.style import GRID, INK, MUTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from trainscape.analysis import Searched
    from trainscape.analysis._search import Step

HIDDEN = 0.25  # share of the cells: the worst don't stretch the axis, so that good ones differ
POINT, LOST = "#4a7fb5", "#c2543c"


def search_figure(workload: str, cells: Sequence[Row], searched: Searched) -> Figure:
    """The validation metric of each cell in the order of the search, rounds told apart.

    Args:
        workload: its name.
        cells: its summary rows.
        searched: the search.
    """
    path = steps(cells, searched.rounds[workload])
    judged = metric(workload)
    title = f"{workload}: search by {searched.method}"
    figure, (axes,) = panels.make(title, size=(4.4, 2.2), top=panels.NARROW_TOP)
    _shade_rounds(axes, path)
    _draw_cells(axes, path, better=1 if judged.direction == "max" else -1)
    axes.grid(False, axis="x")
    axes.set_xlim(0.5, len(path) + 0.5)
    panels.name_axes(axes, "cells trained, by round", f"validation {judged.name}")
    panels.metric_marks(axes, judged)
    return figure


def _shade_rounds(axes: Axes, path: Sequence[Step]) -> None:
    """Shade every other round."""
    for which in sorted({step.round for step in path if step.round % 2 == 0}):
        places = [n for n, step in enumerate(path, start=1) if step.round == which]
        axes.axvspan(places[0] - 0.5, places[-1] + 0.5, color=GRID, alpha=0.4, linewidth=0)


def _draw_cells(axes: Axes, path: Sequence[Step], better: int) -> None:
    """A point for each cell, a line for the best so far; cells beyond the axis lie at its end.

    Args:
        axes: what to draw on.
        path: the search, cell by cell.
        better: 1 if more is better, -1 if less is.
    """
    known = [(n, step.value) for n, step in enumerate(path, start=1) if step.value is not None]
    if not known:
        panels.nothing_to_show(axes)
        return
    leading = [(n, step.best) for n, step in enumerate(path, start=1) if step.best is not None]
    low, high = _limits([value for _, value in known], better)
    axes.set_ylim(low, high)
    axes.plot(*zip(*leading, strict=True), drawstyle="steps-post", color=INK, label="best so far")
    axes.plot(*zip(*known, strict=True), "o", color=POINT, markersize=3.4, label="a cell")
    end = low if better > 0 else high
    beyond = [n for n, value in known if not low <= value <= high]
    lost = [n for n, step in enumerate(path, start=1) if step.value is None]
    for at, colour, words in ((beyond, POINT, "worse than shown"), (lost, LOST, "diverged")):
        if at:
            marker = "v" if better > 0 else "^"
            axes.plot(at, [end] * len(at), marker, color=colour, clip_on=False, label=words)
    panels.legend(axes, loc="lower right" if better > 0 else "upper right", labelcolor=MUTED)


def _limits(values: Sequence[float], better: int) -> tuple[float, float]:
    """From the best to the worst that is shown."""
    ordered = sorted(values, reverse=better > 0)
    top, worst = ordered[0], ordered[round((1 - HIDDEN) * (len(ordered) - 1))]
    margin = 0.06 * abs(top - worst) or 0.05 * (abs(top) or 1.0)
    low, high = sorted((top + better * margin, worst - better * margin))
    return low, high
