"""A heatmap: rows upward, columns to the right, every cell with its number or its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import Colormap, FuncNorm, LogNorm, Normalize
from matplotlib.patches import Rectangle

from trainscape.figures import panels
from trainscape.figures.style import GRID, HATCH, INK, MUTED, PAPER, STATE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from trainscape.figures.values import Shown

Place = tuple[int, int]  # row from the bottom, column

CELL = (0.66, 0.46)  # inches: enough for "not reached" and two lines
MARGIN = {"left": 0.34, "right": 0.72, "bottom": 0.44, "top": 0.52}  # inches
LETTER = 0.085  # inches that a wide letter of a row's name takes
BOLD_LETTER = 0.095  # inches that a letter of the title takes
LEVELS = 24  # of colour: a bar of 256 is larger than the rest of the figure
OUTLIERS = 0.1  # the worst tenth doesn't stretch the scale: good cells must be told apart
BLACK, WHITE = "#262626", "#ffffff"  # words on a colour
BRIGHT = 0.408  # luminance of a colour on which black is read better than white (WCAG's contrast)


@dataclass(frozen=True)
class Scale:
    """The colours of a set of facets, which share it so that they can be compared.

    Args:
        cmap, norm: from a value to its colour.
        extend: the end of the bar beyond which values lie: ``min``, ``max`` or ``neither``.
        label: stands above the bar.
        tick: writes a value beside the bar.
        known: whether there is any value; without one there is no bar.
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

    It is logarithmic if the values span a factor of ten. For fractions of which more is better, it
    is logarithmic in one minus the value: 99% and 98% are as far apart as 90% and 80%.

    Args:
        values: what it must span, except for the worst tenth.
        better: ``max`` or ``min``.
        label: stands above the colour bar.
        tick: writes a value beside the bar.
        fraction: whether the values are shares of one.
    """
    low, high, extend = _limits(values, better)
    cmap = mpl.colormaps["viridis" if better == "max" else "viridis_r"].resampled(LEVELS)
    norm = Normalize(low, high)
    if fraction and better == "max":
        norm = _log_of_missing(values, low, high)
    elif low > 0 and high / low >= 10:
        norm = LogNorm(low, high)
    return Scale(cmap, norm, extend, label, tick, known=bool(values))


def _log_of_missing(values: Sequence[float], low: float, high: float) -> Normalize:
    """Logarithmic in 1 − value plus a floor, since a value may be 1."""
    floor = min((1 - value for value in values if value < 1), default=0.1) / 4

    def forward(value: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(-np.log(np.maximum(1 - value, 0) + floor))

    def backward(value: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(1 + floor - np.exp(-value))

    return FuncNorm((forward, backward), low, min(high, 1.0))


def _limits(values: Sequence[float], better: str) -> tuple[float, float, str]:
    """The least and the highest value that are told apart, and at which end others lie beyond."""
    if not values:
        return 0.0, 1.0, "neither"
    low, high = min(values), max(values)
    if better == "max":
        low, extend = float(np.quantile(values, OUTLIERS)), "min"
    else:
        high, extend = float(np.quantile(values, 1 - OUTLIERS)), "max"
    if low == high:  # one value: the scale needs some width, any will do
        return low - (abs(low) or 1) / 10, high + (abs(high) or 1) / 10, "neither"
    cut = low > min(values) or high < max(values)
    return low, high, extend if cut else "neither"


def share_scale() -> Scale:
    """From no trial diverged to all of them."""
    import seaborn as sns

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
        columns: their names, left to right.
        rows: their names, bottom to top.
        labels: title, what the columns are, what the rows are.
        colours: the scale, shared between facets.
        best: the cell to outline.
    """
    title, across, up = labels
    width, height = CELL[0] * len(columns), CELL[1] * len(rows)
    left, bottom = MARGIN["left"] + LETTER * max(map(len, rows)), MARGIN["bottom"]
    for_title = 0.3 + BOLD_LETTER * len(title)  # a grid of one column must not cut its title
    figure = panels.titled_figure(
        title,
        max(left + width + MARGIN["right"], for_title),
        bottom + height + MARGIN["top"],
    )
    axes = panels.place(figure, left, bottom, width, height)
    _fill(axes, cells, (len(rows), len(columns)), colours)
    if best is not None:
        _outline(axes, best)
    if colours.known:
        _bar(panels.place(figure, left + width + 0.12, bottom, 0.1, height), axes, colours)
    _name_axes(figure, axes, columns, rows)
    panels.write(figure, (left + width / 2, bottom - 0.25), across, 9, color=MUTED, ha="center")
    turned = {"rotation": 90, "rotation_mode": "anchor"}
    panels.write(figure, (0.167, bottom + height / 2), up, 9, color=MUTED, ha="center", **turned)
    inks = _inks(cells, colours)
    for at, cell in cells.items():
        _write_cell(figure, axes, at, cell, inks[at])
    return figure


def _fill(axes: Axes, cells: Mapping[Place, Shown], shape: tuple[int, int], colours: Scale) -> None:
    """Give every cell the colour of its value, or the ground that says why it has none."""
    import seaborn as sns  # takes a second, and the page needs only what is not drawn here

    grid = np.full(shape, np.nan)
    for at, cell in cells.items():
        grid[at] = np.nan if cell.value is None else cell.value
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
    axes.set_axis_off()
    for at, cell in cells.items():
        if cell.value is None:
            axes.add_artist(_ground(at, cell))


def _ground(at: Place, cell: Shown) -> Rectangle:
    """What lies behind the words of a cell without a value; an untrained one is left blank."""
    row, column = at
    box = Rectangle((column + 0.015, row + 0.02), 0.97, 0.96)
    if cell.state == "untrained":
        box.set(facecolor=PAPER, edgecolor=GRID, linewidth=0.6)
    else:
        hatch = {"diverged": "////", "oom": "xxxx"}.get(cell.state)
        box.set(facecolor=STATE, linewidth=0, hatch=hatch, edgecolor=HATCH)
    return box


def _outline(axes: Axes, at: Place) -> None:
    """Outline a cell in white around black: one of the two stands out from any colour."""
    row, column = at
    for width, colour in ((4.2, "#ffffff"), (2.0, "#111111")):
        box = Rectangle((column + 0.03, row + 0.04), 0.94, 0.92, fill=False)
        box.set(linewidth=width, edgecolor=colour)
        axes.add_artist(box)


def _bar(axes: Axes, heatmap: Axes, colours: Scale) -> None:
    """The colour bar: what its ends and its middle stand for, and what it measures."""
    low, high = colours.norm.vmin or 0.0, colours.norm.vmax or 0.0
    bar = axes.figure.colorbar(
        heatmap.collections[0],
        cax=axes,
        extend=colours.extend,
        ticks=[low, float(colours.norm.inverse(0.5)), high],
        format=lambda value, _: colours.tick(value),
    )
    bar.minorticks_off()
    bar.outline.set(edgecolor=GRID, linewidth=0.5)
    axes.set_gid("colour-bar")
    axes.tick_params(length=0, pad=2, labelsize=7, labelcolor=MUTED)
    axes.set_title(colours.label, loc="left", pad=7, fontsize=7, color=MUTED)


def _name_axes(figure: Figure, axes: Axes, columns: Sequence[str], rows: Sequence[str]) -> None:
    """Name every column and row.

    As texts, not as ticks: 96 heatmaps of 35 cells take 7.9 s of CPU, with ticks 9.0 s.
    """
    look = {"transform": axes.transData}  # places are counted in columns and rows
    for i, name in enumerate(columns):
        panels.write(figure, (i + 0.5, -0.19), name, 8.5, ha="center", **look)
    for i, name in enumerate(rows):
        panels.write(figure, (-0.06, i + 0.5), name, 8.5, ha="right", **look)


def _write_cell(figure: Figure, axes: Axes, at: Place, cell: Shown, ink: str) -> None:
    """Write a cell's text, and its note below."""
    row, column = at
    look = {"transform": axes.transData, "ha": "center", "color": ink}
    size = 9.0 if len(cell.text) < 8 else 6.2 if len(cell.text) < 12 else 5.8
    paper = {"boxstyle": "square,pad=0.15", "facecolor": STATE, "linewidth": 0}
    box = paper if cell.state in ("diverged", "oom") else None  # words on hatching
    height = row + (0.64 if cell.note else 0.5)
    if cell.text:
        panels.write(figure, (column + 0.5, height), cell.text, size, bbox=box, **look)
    if cell.note:
        panels.write(figure, (column + 0.5, row + 0.27), cell.note, 6.6, **look)


def _inks(cells: Mapping[Place, Shown], colours: Scale) -> dict[Place, str]:
    """The colour of each cell's words: black or white, by the luminance of what is behind them."""
    from seaborn.utils import relative_luminance

    inks = dict.fromkeys(cells, INK)
    known = {at: cell.value for at, cell in cells.items() if cell.value is not None}
    behind = colours.cmap(colours.norm(np.array(list(known.values()))))
    for at, colour in zip(known, behind, strict=True):
        inks[at] = BLACK if relative_luminance(colour) > BRIGHT else WHITE
    return inks
