"""Small panels, one for each optimizer, two in a row: legible on a telephone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.ticker import FixedLocator, LogLocator, NullFormatter, NullLocator

from trainscape.figures import panels
from trainscape.figures.style import MUTED
from trainscape.figures.values import number

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL = (1.56, 1.2)
GAP = (0.52, 0.62)
LEFT, RIGHT, TOP = 0.64, 0.12, 0.62
WIDTH = 4.3  # of a figure, at least
LONG = 30  # letters of a heading that have room
LINE = 0.17  # inches for a line of the legend
AXIS = 0.4  # inches for the marks and the name of the lowest axis
SIZES = 5  # marks on an axis of batch sizes: more would touch
LETTER = 0.058  # inches of a legend's letter


def each(title: str, names: Sequence[str], below: Sequence[str]) -> tuple[Figure, list[Axes]]:
    """A panel for each name; room for a legend below.

    Args:
        title: stands at the top left.
        names: of the panels.
        below: the legend's labels.
    """
    columns = max(1, min(2, len(names)))
    taken = LEFT + columns * (PANEL[0] + GAP[0]) - GAP[0]
    width = max(taken + RIGHT, WIDTH, panels.title_width(title))
    lines = len(_in_lines(below, width))
    return panels.make(
        title,
        max(1, len(names)),
        PANEL,
        columns=2,
        gap=GAP,
        left=LEFT,
        right=width - taken,
        top=TOP,
        bottom=AXIS + 0.08 + LINE * lines,
    )


def legend(figure: Figure, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """Name the marks in lines at the bottom."""
    if not labels:
        return
    across, up = figure.get_size_inches()
    taken = 0
    lines = _in_lines(labels, across)
    for rank, count in enumerate(lines):
        figure.legend(
            handles[taken : taken + count],
            labels[taken : taken + count],
            loc="lower left",
            bbox_to_anchor=(0.1 / across, (0.04 + LINE * (len(lines) - 1 - rank)) / up),
            ncols=count,
            borderaxespad=0,
            borderpad=0,
            handlelength=1.8,
            handletextpad=0.5,
            columnspacing=1.2,
        )
        taken += count


def _in_lines(labels: Sequence[str], width: float) -> list[int]:
    """How many labels stand in each line of a legend."""
    lines: list[int] = []
    left = 0.0
    for label in labels:
        needed = 0.5 + LETTER * len(label)
        if not lines or needed > left:
            lines.append(0)
            left = width - 0.2
        lines[-1] += 1
        left -= needed
    return lines


def sizes(axes: Axes, values: Sequence[float]) -> None:
    """A logarithmic axis to the right with marks at batch sizes, as many as have room."""
    ordered = sorted(values)
    step = -(-len(ordered) // SIZES)
    shown = ordered[::step]
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(shown))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([number(value) for value in shown], fontsize=7.5)
    axes.set_xlim(ordered[0] / 1.35, ordered[-1] * 1.35)


def log_marks(axes: Axes, which: Literal["x", "y"]) -> None:
    """Few marks on a logarithmic axis of a small panel, its limits being set."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = sorted(axis.get_view_interval())
    subs = (1.0,) if high / low > 50 else (1.0, 3.0) if high / low > 8 else (1.0, 2.0, 5.0)
    axis.set_major_locator(LogLocator(subs=subs, numticks=9))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(lambda value, _: number(value))
    axes.tick_params(axis=which, labelsize=7.5)


def name(every: Sequence[Axes], x: str, y: str) -> None:
    """Name the axes of the lowest panels and of those at the left."""
    for axes in every[-2:]:
        axes.set_xlabel(x, labelpad=1.5, fontsize=8)
    for axes in every[::2]:
        axes.set_ylabel(y, labelpad=2, fontsize=8)


def heading(axes: Axes, label: str, found: str) -> None:
    """Above a panel: its optimizer, and below that what was found."""
    label = label if len(label) <= LONG else f"{label[: LONG - 1]}…"
    axes.annotate(
        label, (0, 1), (0, 13), xycoords="axes fraction", textcoords="offset points", fontsize=8
    )
    axes.annotate(
        found,
        (0, 1),
        (0, 3.5),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=7.5,
        color=MUTED,
    )


def empty(axes: Axes, words: str) -> None:
    """Say in a panel why nothing is drawn in it."""
    axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", va="center", fontsize=7.5)
    axes.set_xticks([])
    axes.set_yticks([])
