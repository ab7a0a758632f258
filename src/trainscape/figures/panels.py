"""What all figures share: a title over panels in rows, the panels' frame, their axes, their lines.

Lengths and places are inches, so that panels are equal whatever their count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, NullFormatter, NullLocator

from trainscape.figures.style import MUTED
from trainscape.figures.values import number, ticks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal

    from matplotlib.axes import Axes

    from trainscape.workloads import Metric

PANEL = (3.4, 2.3)
GAP = (0.62, 0.66)  # between columns, between rows
MARGIN = {"left": 0.66, "right": 0.14, "bottom": 0.46, "top": 0.56}
NARROW_TOP = 0.42  # over a panel without a heading
SEVERAL_DECADES = 1e3  # beyond this ratio an axis has a mark for every power of ten alone
DASHES = ("-", (0, (4, 1.2)), (0, (1, 1)), (0, (5, 1, 1, 1)), (0, (7, 1.5)), (0, (2, 1, 1, 1)))


def titled_figure(title: str, width: float, height: float) -> Figure:
    """A figure with a title at its top left; not pyplot's, which would keep every figure alive."""
    figure = Figure(figsize=(width, height))
    write(figure, (0.12, height - 0.2), title, 9.5, fontweight="bold")
    return figure


def write(figure: Figure, at: tuple[float, float], text: str, size: float, **look: Any) -> None:
    """Write one line.

    Args:
        figure: what to write on.
        at: from the left, and from the bottom to the middle of a capital letter.
        text: the words.
        size: of the letters, in points.
        look: ``color``, ``ha``, ``rotation`` or what else matplotlib's texts know.
    """
    look = {"transform": figure.dpi_scale_trans, "va": "center_baseline", **look}
    figure.text(*at, text, fontsize=size, **look)


def place(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes whose lower left corner and size are given."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up))


def make(
    title: str,
    count: int = 1,
    size: tuple[float, float] = PANEL,
    *,
    columns: int = 3,
    gap: tuple[float, float] = GAP,
    left: float = MARGIN["left"],
    right: float = MARGIN["right"],
    top: float = MARGIN["top"],
    bottom: float = MARGIN["bottom"],
) -> tuple[Figure, list[Axes]]:
    """A figure with a title over ``count`` framed panels, row by row.

    Args:
        title: stands at the top left.
        count: of panels.
        size: width and height of each.
        columns: most panels in a row.
        gap: between the columns and between the rows.
        left: margin.
        right: margin.
        top: margin, in which the title stands.
        bottom: margin, in which the lowest axes' names stand.
    """
    columns = min(count, columns)
    rows = -(-count // columns)
    (width, height), (across, up) = size, gap
    figure = titled_figure(
        title,
        left + columns * (width + across) - across + right,
        bottom + rows * (height + up) - up + top,
    )
    made = []
    for index in range(count):
        row, column = divmod(index, columns)
        low = bottom + (rows - 1 - row) * (height + up)
        made.append(_framed(place(figure, left + column * (width + across), low, *size)))
    return figure, made


def _framed(axes: Axes) -> Axes:
    """The axes with a grid behind the lines, open at the top and at the right."""
    axes.grid(True)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, which="both")
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def heading(axes: Axes, text: str) -> None:
    """Write above a panel what tells it from its neighbours."""
    axes.set_title(text, loc="left", fontsize=8, color=MUTED, pad=3)


def name_axes(axes: Axes, x: str, y: str) -> None:
    """Name both axes."""
    axes.set_xlabel(x, labelpad=2)
    axes.set_ylabel(y, labelpad=3)


def nothing_to_show(axes: Axes) -> None:
    """Say in an empty panel why it is empty."""
    axes.text(0.5, 0.5, "no cell came to its end", transform=axes.transAxes, ha="center")


def log_axis(axes: Axes, which: Literal["x", "y"]) -> None:
    """Make an axis logarithmic; to be called once everything is drawn, or the limits are set."""
    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = axis.get_view_interval()
    decades = high / low > SEVERAL_DECADES
    axis.set_major_locator(LogLocator(subs=(1,) if decades else (1, 2, 5), numticks=9))
    axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(lambda value, _: number(value))


def log_sizes(axes: Axes, sizes: Sequence[int]) -> None:
    """A logarithmic axis to the right with a mark at each of ``sizes``."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(list(sizes)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels(ticks(list(sizes)))


def metric_marks(axes: Axes, metric: Metric) -> None:
    """Write the marks upwards as the metric is written: fractions in percent."""
    percent = metric.unit == "fraction"
    axes.yaxis.set_major_formatter(lambda v, _: f"{100 * v:.4g}%" if percent else number(v))


def line_look(rank: int, count: int) -> dict[str, Any]:
    """Colour, dashes and width of line number ``rank`` of ``count``."""
    import seaborn as sns

    palette = sns.color_palette("colorblind", max(6, count))
    return {"color": palette[rank], "linestyle": DASHES[rank % len(DASHES)], "linewidth": 1.5}


def title_width(title: str) -> float:
    """What a title takes with its margins."""
    return 0.25 + 0.079 * len(title)


def legend_width(labels: Sequence[str]) -> float:
    """What a legend with these labels takes at the right of a panel."""
    return 0.6 + 0.062 * max(map(len, labels), default=0)


def legend(axes: Axes, **look: Any) -> None:
    """A legend, if there is any labelled line; by default to the right of the panel."""
    beside = {"loc": "center left", "bbox_to_anchor": (1.01, 0.5)}
    if axes.get_legend_handles_labels()[0]:
        axes.legend(**{**(look or beside), "handlelength": 2.2, "labelspacing": 0.3})
