"""A search, cell by cell: what each came to, and the best so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl

from trainscape.analysis import Row, metric, steps
from trainscape.figures.style import GRID, INK, MUTED, RC, canvas, panel
from trainscape.figures.values import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from trainscape.analysis import Searched
    from trainscape.analysis._search import Step

PANEL = (4.4, 2.2)  # inches
LEFT, RIGHT, BOTTOM, TOP = 0.66, 0.14, 0.44, 0.42
HIDDEN = 0.25  # of the cells: the worst don't stretch the axis: good ones must be told apart
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
    with mpl.rc_context(RC):
        figure = canvas(LEFT + PANEL[0] + RIGHT, BOTTOM + PANEL[1] + TOP)
        axes = panel(figure, LEFT, BOTTOM, *PANEL)
        place = (0.12 / figure.get_figwidth(), 1 - 0.2 / figure.get_figheight())
        title = f"{workload}: search by {searched.method}"
        figure.text(*place, title, fontsize=9.5, fontweight="bold", va="center")
        _rounds(axes, path)
        _points(axes, path, better=1 if judged.direction == "max" else -1)
        axes.grid(True, axis="y")
        axes.tick_params(length=0)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlim(0.5, len(path) + 0.5)
        axes.set_xlabel("cells trained, by round", labelpad=2)
        axes.set_ylabel(f"validation {judged.name}", labelpad=3)
        percent = judged.unit == "fraction"
        axes.yaxis.set_major_formatter(lambda v, _: f"{100 * v:.4g}%" if percent else number(v))
    return figure


def _rounds(axes: Axes, path: Sequence[Step]) -> None:
    """Every other round stands on a grey ground."""
    for which in {step.round for step in path if step.round % 2 == 0}:
        own = [n for n, step in enumerate(path, start=1) if step.round == which]
        axes.axvspan(own[0] - 0.5, own[-1] + 0.5, color=GRID, alpha=0.4, linewidth=0)


def _points(axes: Axes, path: Sequence[Step], better: int) -> None:
    known = [(n, step.value) for n, step in enumerate(path, start=1) if step.value is not None]
    if not known:
        axes.text(0.5, 0.5, "no cell came to its end", transform=axes.transAxes, ha="center")
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
    axes.legend(loc="lower right" if better > 0 else "upper right", labelcolor=MUTED)


def _limits(values: Sequence[float], better: int) -> tuple[float, float]:
    """From the best to the worst that is shown."""
    ordered = sorted(values, reverse=better > 0)
    top, worst = ordered[0], ordered[round((1 - HIDDEN) * (len(ordered) - 1))]
    margin = 0.06 * abs(top - worst) or 0.05 * (abs(top) or 1.0)
    low, high = sorted((top + better * margin, worst - better * margin))
    return low, high
