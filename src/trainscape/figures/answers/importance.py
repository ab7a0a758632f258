"""What matters: the share of each axis in how cells differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from matplotlib.ticker import FuncFormatter, MaxNLocator

from trainscape.figures import panels
from trainscape.figures.answers import small
from trainscape.figures.style import GRID
from trainscape.figures.values import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from trainscape.analysis import Row

WIDTH, ROW = 2.45, 0.26  # inches
BOTTOM, TOP = 0.66, 0.42
LETTER = 0.072
LEAST = 0.01  # a component with less everywhere is left out


class Mark(NamedTuple):
    """How a region is drawn, and how far its mark is from the middle of a row."""

    label: str
    color: str
    shape: str
    apart: float


REGIONS = {
    "grid": Mark("all settings", "#4a7fb5", "o", -0.16),
    "best lr": Mark("each at its best lr", "#c2543c", "s", 0.16),
    "search": Mark("the best of a search", "#4a7fb5", "o", 0.0),
}
NONE = "not known"


def importance(title: str, rows: Sequence[Row]) -> Figure:
    """A dot for the share of each component, with its 95% interval; a mark for each region.

    Args:
        title: stands above.
        rows: of :func:`trainscape.analysis.importance`, of one workload.
    """
    known = [row for row in rows if row["share"] is not None]
    names = components(known)
    left = 0.2 + LETTER * max(map(len, names), default=6)
    height = ROW * max(3, len(names))
    width = max(left + WIDTH + 0.25, panels.title_width(title))
    figure = panels.titled_figure(title, width, BOTTOM + height + TOP)
    axes = panels.place(figure, left, BOTTOM, WIDTH, height)
    axes.tick_params(length=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    if not names:
        small.empty(axes, next((row["note"] for row in rows if row["note"]), NONE))
        return figure
    _rows(axes, names)
    regions = [region for region in REGIONS if any(row["region"] == region for row in known)]
    for row in known:
        if row["component"] in names:
            apart = REGIONS[row["region"]].apart if len(regions) > 1 else 0.0
            _dot(axes, row, names.index(row["component"]) + apart)
    axes.set_xlim(left=min(0, axes.get_xlim()[0]))
    small.legend(
        figure,
        [axes.plot([], [], **_look(region))[0] for region in regions],
        [REGIONS[region].label for region in regions],
    )
    return figure


def _rows(axes: Axes, names: Sequence[str]) -> None:
    """A row for each component, and the shares below."""
    axes.grid(True, axis="x")
    axes.set_ylim(max(3, len(names)) - 0.5, -0.5)
    for place in range(1, len(names)):
        axes.axhline(place - 0.5, color=GRID, linewidth=0.5)
    axes.set_yticks(range(len(names)), names)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{number(100 * value)}%"))
    axes.set_xlabel("share of how settings differ", labelpad=2, fontsize=8)


def _dot(axes: Axes, row: Row, place: float) -> None:
    """A share and its interval, if that is known."""
    look = _look(row["region"])
    if row["low"] is not None and row["high"] is not None:
        axes.plot([row["low"], row["high"]], [place] * 2, color=look["color"], linewidth=1.8)
    axes.plot(row["share"], place, **look)


def _look(region: str) -> dict[str, Any]:
    mark = REGIONS[region]
    return {"color": mark.color, "marker": mark.shape, "markersize": 4.2, "linestyle": "none"}


def components(rows: Sequence[Row]) -> list[str]:
    """The components that have a share worth a row, in the order of the greatest of each."""
    most: dict[str, float] = {}
    for row in rows:
        most[row["component"]] = max(row["share"], most.get(row["component"], 0.0))
    return sorted((name for name, share in most.items() if share >= LEAST), key=lambda n: -most[n])
