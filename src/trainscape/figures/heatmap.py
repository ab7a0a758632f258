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
        _ticks(axes, columns, rows)
        _name(figure, axes, labels)
        inks = _inks(colours, cells)
        for place, cell in cells.items():
            _write(axes, place, cell, inks[place])
        if best is not None:
            _outline(axes, best)
        if colours.known:
            _bar(panel(figure, left + wide + 0.12, below, 0.1, high), axes, colours)
    return figure


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


def _name(figure: Figure, axes: Axes, labels: tuple[str, str, str]) -> None:
    title, across, up = labels
    place = (0.12 / figure.get_figwidth(), 1 - 0.16 / figure.get_figheight())
    figure.text(*place, title, fontsize=9.5, fontweight="bold", va="center")
    axes.set_xlabel(across, labelpad=3)
    axes.set_ylabel(up, labelpad=4)


def _ticks(axes: Axes, columns: Sequence[str], rows: Sequence[str]) -> None:
    axes.set_xticks(np.arange(len(columns)) + 0.5, columns)
    axes.set_yticks(np.arange(len(rows)) + 0.5, rows, rotation=0)
    axes.tick_params(length=0, pad=3)


def _write(axes: Axes, place: Place, cell: Shown, ink: str) -> None:
    row, column = place
    if cell.state == "untrained":  # blank, as the page is
        box = Rectangle((column + 0.015, row + 0.02), 0.97, 0.96, facecolor=PAPER)
        box.set(edgecolor=GRID, linewidth=0.6)
        axes.add_patch(box)
        return
    if cell.value is None:
        hatch = {"diverged": "////", "oom": "xxxx"}.get(cell.state)
        box = Rectangle((column + 0.015, row + 0.02), 0.97, 0.96, facecolor=STATE, linewidth=0)
        box.set(hatch=hatch, edgecolor=HATCH)
        axes.add_patch(box)
    size = 9.0 if len(cell.text) < 8 else 6.2 if len(cell.text) < 12 else 5.8
    ground = {"facecolor": STATE, "edgecolor": "none", "pad": 1.2}  # words on hatching
    halo: dict[str, Any] = {"bbox": ground} if cell.state in ("diverged", "oom") else {}
    lift = 0.14 if cell.note else 0.0
    centre: dict[str, Any] = {"ha": "center", "va": "center_baseline", "color": ink}
    axes.text(column + 0.5, row + 0.5 + lift, cell.text, fontsize=size, **centre, **halo)
    if cell.note:
        axes.text(column + 0.5, row + 0.5 - 0.23, cell.note, fontsize=6.6, **centre)


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
    bar = axes.figure.colorbar(beside.collections[0], cax=axes, extend=colours.extend)
    low, high = colours.norm.vmin or 0.0, colours.norm.vmax or 0.0
    middle = float(colours.norm.inverse(0.5))
    bar.set_ticks([low, middle, high], labels=[colours.tick(v) for v in (low, middle, high)])
    bar.ax.minorticks_off()
    bar.ax.tick_params(length=0, labelsize=7, pad=2, labelcolor=MUTED)
    bar.outline.set(edgecolor=GRID, linewidth=0.5)
    axes.set_title(colours.label, fontsize=7, loc="left", pad=7, color=MUTED)
