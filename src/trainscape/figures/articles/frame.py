"""What the article figures have in common: a title, panels in a row, logarithmic axes, lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import seaborn as sns
from matplotlib.ticker import FixedLocator, LogLocator, NullFormatter, NullLocator

from trainscape.figures.style import MUTED, canvas, panel
from trainscape.figures.values import number, ticks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL = (3.4, 2.3)  # inches
GAP = 0.62
MARGIN = {"left": 0.66, "right": 0.14, "bottom": 0.46, "top": 0.56}
WIDE = 1e3  # beyond this ratio an axis has a mark for every power of ten alone
STYLES = ("-", (0, (4, 1.2)), (0, (1, 1)), (0, (5, 1, 1, 1)), (0, (7, 1.5)), (0, (2, 1, 1, 1)))


def panels(
    title: str,
    count: int = 1,
    size: tuple[float, float] = PANEL,
    *,
    left: float = MARGIN["left"],
    right: float = MARGIN["right"],
    columns: int = 3,
) -> tuple[Figure, list[Axes]]:
    """A figure with a title over ``count`` panels, row by row; all lengths are inches."""
    columns = min(count, columns)
    down = -(-count // columns)
    across, pitch = size[0] + GAP, size[1] + MARGIN["bottom"] + 0.2
    figure = canvas(
        left + columns * across - GAP + right,
        MARGIN["bottom"] + (down - 1) * pitch + size[1] + MARGIN["top"],
    )
    width, height = figure.get_size_inches()
    figure.text(0.12 / width, 1 - 0.2 / height, title, fontweight="bold", fontsize=9.5, va="center")
    made = []
    for index in range(count):
        row, column = divmod(index, columns)
        bottom = MARGIN["bottom"] + (down - 1 - row) * pitch
        made.append(_bare(panel(figure, left + column * across, bottom, *size)))
    return figure, made


def _bare(axes: Axes) -> Axes:
    axes.grid(True)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def head(axes: Axes, text: str) -> None:
    """What tells a panel from its neighbours."""
    axes.set_title(text, loc="left", fontsize=8, color=MUTED, pad=3)


def named(axes: Axes, x: str, y: str) -> None:
    """The names of the axes."""
    axes.set_xlabel(x, labelpad=2)
    axes.set_ylabel(y, labelpad=3)


def log_values(axes: Axes) -> None:
    """A logarithmic axis upwards, once everything is drawn."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    wide = high / low > WIDE
    axes.yaxis.set_major_locator(LogLocator(subs=(1,) if wide else (1, 2, 5), numticks=9))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(lambda value, _: number(value))


def log_sizes(axes: Axes, sizes: Sequence[int]) -> None:
    """A logarithmic axis to the right with a mark at each of ``sizes``."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(list(sizes)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels(ticks(list(sizes)))


def look(rank: int, of: int) -> dict[str, Any]:
    """Colour and dashes of line number ``rank`` of so many."""
    palette = sns.color_palette("colorblind", max(6, of))
    return {"color": palette[rank], "linestyle": STYLES[rank % len(STYLES)], "linewidth": 1.5}


def beside(labels: Sequence[str]) -> float:
    """The inches that a legend with these labels takes at the right of a panel."""
    return 0.6 + 0.062 * max(map(len, labels), default=0)


def legend(axes: Axes, **words: Any) -> None:
    """A legend, if there is more than one line; by default to the right of the panel."""
    right = {"loc": "center left", "bbox_to_anchor": (1.01, 0.5)}
    if len(axes.get_legend_handles_labels()[0]) > 1:
        axes.legend(**{**(words or right), "handlelength": 2.2, "labelspacing": 0.3})
