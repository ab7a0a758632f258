"""A heatmap: rows upward, columns to the right, every cell with its number or its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.colors import Colormap, FuncNorm, LogNorm, Normalize
from matplotlib.patches import Rectangle
from seaborn.utils import relative_luminance

from trainscape.figures.style import GRID, HATCH, INK, MUTED, PAPER, RC, STATE, canvas, panel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from trainscape.figures.style import Sheet
    from trainscape.figures.values import Shown

Place = tuple[int, int]  # row from the bottom, column

CELL = (0.66, 0.46)  # inches: room for "not reached" and two lines
MARGIN = {"left": 0.34, "right": 0.72, "bottom": 0.44, "top": 0.52}
LEVELS = 24  # of colour: a bar of 256 is larger than the rest of the figure
OUTLIERS = 0.1  # the worst tenth doesn't stretch the scale: good cells must be told apart


@dataclass(frozen=True)
class Scale:
    """The colours of a set of facets, which share it so that they can be compared.

    Args:
        cmap, norm: from a value to its colour.
        extend: the end of the bar beyond which values lie.
        label: stands above the bar.
        tick: words for a value at the bar.
        known: whether there is any value; without, there is no bar.
    """

    cmap: Colormap
    norm: Normalize
    extend: str
    label: str
    tick: Callable[[float], str]
    known: bool = True


def scale(
    values: Sequence[float],
    better: str,
    label: str,
    tick: Callable[[float], str],
    *,
    fraction: bool = False,
) -> Scale:
    """A scale over ``values`` in which brighter is better.

    Logarithmic from a factor of ten on, and for fractions of which more is better in what is
    missing to one: 99% and 98% are as far apart as 90% and 80%.

    Args:
        values: what it must span, but for the worst tenth.
        better: ``max`` or ``min``.
        label: stands above the colour bar.
        tick: words for a value at the bar.
        fraction: whether the values are shares of one.
    """
    low, high, extend = _limits(values, better)
    cmap = mpl.colormaps["viridis" if better == "max" else "viridis_r"].resampled(LEVELS)
    norm = Normalize(low, high)
    if fraction and better == "max":
        norm = _missing(values, low, high)
    elif low > 0 and high / low >= 10:
        norm = LogNorm(low, high)
    return Scale(cmap, norm, extend, label, tick, known=bool(values))


def _missing(values: Sequence[float], low: float, high: float) -> Normalize:
    """Logarithmic in 1 − value, with a floor below the least that is missing anywhere."""
    floor = min((1 - value for value in values if value < 1), default=0.1) / 4

    def forward(value: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(-np.log(np.maximum(1 - value, 0) + floor))

    def backward(value: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(1 + floor - np.exp(-value))

    return FuncNorm((forward, backward), low, min(high, 1.0))


def _limits(values: Sequence[float], better: str) -> tuple[float, float, str]:
    if not values:
        return 0.0, 1.0, "neither"
    low, high = min(values), max(values)
    if better == "max":
        low, extend = float(np.quantile(values, OUTLIERS)), "min"
    else:
        high, extend = float(np.quantile(values, 1 - OUTLIERS)), "max"
    if low == high:  # one value: any width will do, but there must be one
        return low - (abs(low) or 1) / 10, high + (abs(high) or 1) / 10, "neither"
    cut = low > min(values) or high < max(values)
    return low, high, extend if cut else "neither"


def share_scale() -> Scale:
    """From no trial diverged to all of them."""
    cmap = sns.color_palette("rocket_r", as_cmap=True).resampled(LEVELS)
    return Scale(cmap, Normalize(0, 1), "neither", "diverged", lambda v: f"{100 * v:.0f}%")


def heatmap(
    cells: Mapping[Place, Shown],
    columns: Sequence[str],
    rows: Sequence[str],
    labels: tuple[str, str, str],
    colours: Scale,
    best: Place | None = None,
) -> Figure:
    """Draw a heatmap.

    Args:
        cells: what stands at (row, column), row 0 at the bottom.
        columns: tick labels, left to right.
        rows: tick labels, bottom to top.
        labels: title, label of the columns, label of the rows.
        colours: the scale, shared between facets.
        best: the cell to outline.
    """
    with mpl.rc_context(RC):
        wide, high = CELL[0] * len(columns), CELL[1] * len(rows)
        left, below = MARGIN["left"] + 0.073 * max(map(len, rows)), MARGIN["bottom"]
        natural = left + wide + MARGIN["right"]
        titled = 0.3 + 0.095 * len(labels[0])  # a grid of one column must not cut its title
        figure = canvas(max(natural, titled), below + high + MARGIN["top"])
        axes = panel(figure, left, below, wide, high)
        _mesh(axes, cells, (len(rows), len(columns)), colours)
        room = Room(figure, 72 * left, 72 * below, 72 * CELL[0], 72 * CELL[1])
        _name(room, columns, rows, labels)
        inks = _inks(colours, cells)
        for place, cell in cells.items():
            _fill(axes, place, cell)
            _write(room, place, cell, inks[place])
        if best is not None:
            _outline(axes, best)
        if colours.known:
            _bar(panel(figure, left + wide + 0.12, below, 0.1, high), axes, colours)
            _scale_words(room, len(columns), len(rows), colours)
    return figure


@dataclass(frozen=True)
class Room:
    """Where words go.

    Args:
        figure: what they are written on.
        left, below: where the cells begin, in points.
        wide, high: one cell, in points.
    """

    figure: Sheet
    left: float
    below: float
    wide: float
    high: float

    def at(self, row: float, column: float) -> tuple[float, float]:
        """The place of a row and column, each with the share of it that is passed."""
        return self.left + column * self.wide, self.below + row * self.high


def _mesh(axes: Axes, cells: Mapping[Place, Shown], shape: tuple[int, int], colours: Scale) -> None:
    grid = np.full(shape, np.nan)
    for place, cell in cells.items():
        grid[place] = np.nan if cell.value is None else cell.value
    sns.heatmap(
        grid,
        ax=axes,
        cmap=colours.cmap,
        norm=colours.norm,
        vmin=colours.norm.vmin,
        vmax=colours.norm.vmax,
        cbar=False,
        linewidths=1.2,
        linecolor=PAPER,
        xticklabels=False,
        yticklabels=False,
    )
    axes.invert_yaxis()


def _name(
    room: Room, columns: Sequence[str], rows: Sequence[str], labels: tuple[str, str, str]
) -> None:
    """Title, names of the axes, and of every row and column."""
    title, across, up = labels
    middle, centre = room.at(len(rows) / 2, len(columns) / 2)[::-1]
    write = room.figure.letter
    top = 72 * room.figure.get_figheight()
    write((8.64, top - 11.5), title, 9.5, anchor="start", style="bold")
    write((centre, room.below - 17.9), across, 9, MUTED)
    write((12, middle), up, 9, MUTED, style="turned")
    for i, name in enumerate(columns):
        write((room.at(0, i + 0.5)[0], room.below - 6.2), name, 8.5)
    for i, name in enumerate(rows):
        write((room.left - 3, room.at(i + 0.5, 0)[1]), name, 8.5, anchor="end")


def _fill(axes: Axes, place: Place, cell: Shown) -> None:
    """The ground of a cell without a value."""
    row, column = place
    box = Rectangle((column + 0.015, row + 0.02), 0.97, 0.96)
    if cell.state == "untrained":  # blank, as the page is
        box.set(facecolor=PAPER, edgecolor=GRID, linewidth=0.6)
    elif cell.value is None:
        hatch = {"diverged": "////", "oom": "xxxx"}.get(cell.state)
        box.set(facecolor=STATE, linewidth=0, hatch=hatch, edgecolor=HATCH)
    else:
        return
    axes.add_patch(box)


def _write(room: Room, place: Place, cell: Shown, ink: str) -> None:
    """A cell's words."""
    if cell.state == "untrained":
        return
    row, column = place
    size = 9.0 if len(cell.text) < 8 else 6.2 if len(cell.text) < 12 else 5.8
    middle = room.at(row + (0.64 if cell.note else 0.5), column + 0.5)
    if cell.state in ("diverged", "oom"):
        room.figure.ground(middle, cell.text, size, STATE)  # words on hatching
    room.figure.letter(middle, cell.text, size, ink)
    if cell.note:
        room.figure.letter(room.at(row + 0.27, column + 0.5), cell.note, 6.6, ink)


def _inks(colours: Scale, cells: Mapping[Place, Shown]) -> dict[Place, str]:
    """What is legible on each cell: black or white by its colour's luminance (WCAG's)."""
    inks = dict.fromkeys(cells, INK)
    known = {place: cell.value for place, cell in cells.items() if cell.value is not None}
    grounds = colours.cmap(colours.norm(np.array(list(known.values()))))
    for place, ground in zip(known, grounds, strict=True):
        inks[place] = "#262626" if relative_luminance(ground) > 0.408 else "#ffffff"
    return inks


def _outline(axes: Axes, place: Place) -> None:
    """Light around dark: one of the two stands out from any colour."""
    row, column = place
    for width, colour in ((4.2, "#ffffff"), (2.0, "#111111")):
        box = Rectangle((column + 0.03, row + 0.04), 0.94, 0.92, fill=False)
        box.set(linewidth=width, edgecolor=colour)
        axes.add_patch(box)


def _bar(axes: Axes, beside: Axes, colours: Scale) -> None:
    bar = axes.figure.colorbar(beside.collections[0], cax=axes, extend=colours.extend, ticks=[])
    bar.ax.minorticks_off()
    bar.outline.set(edgecolor=GRID, linewidth=0.5)


def _scale_words(room: Room, columns: int, rows: int, colours: Scale) -> None:
    """What the bar's ends and its middle stand for, and what it measures."""
    foot, top = room.at(0, columns)[1], room.at(rows, columns)[1]
    right = room.at(0, columns)[0]
    tip = (top - foot) / 21 if colours.extend != "neither" else 0.0  # of the pointed end
    low, high = colours.norm.vmin or 0.0, colours.norm.vmax or 0.0
    first = foot + (tip if colours.extend == "min" else 0.0)
    last = top - (tip if colours.extend == "max" else 0.0)
    ends = (low, first), (float(colours.norm.inverse(0.5)), (first + last) / 2), (high, last)
    for value, height in ends:
        words = colours.tick(value)
        room.figure.letter((right + 17.8, height), words, 7, MUTED, anchor="start")
    room.figure.letter((right + 8.6, top + 9.6), colours.label, 7, MUTED, anchor="start")
