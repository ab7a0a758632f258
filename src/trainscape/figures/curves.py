"""Learning curves: one panel per batch size, one line per schedule at its best learning rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.ticker import LogLocator, NullFormatter

from trainscape.analysis import Row, best, frame, grouped, key, metric
from trainscape.figures.style import MUTED, RC, canvas, panel
from trainscape.figures.values import number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from trainscape.workloads import Metric

PANEL = (2.3, 1.55)  # inches
GAP = (0.22, 0.5)
MARGIN = {"left": 0.6, "right": 0.12, "bottom": 0.46, "top": 0.52}
STYLES = ("", (3, 1.2), (1, 1), (5, 1, 1, 1), (7, 1.5), (2, 1, 1, 1, 1, 1))


def chosen(cells: Sequence[Row]) -> list[Row]:
    """The cells that are drawn: for each batch size and schedule the best lr by validation."""
    groups = grouped(cells, ("batch_size", "schedule"))
    return [row for row in map(best, groups) if row is not None]


def curves_figure(
    title: str, cells: Sequence[Row], histories: Mapping[tuple[object, ...], list[Row]]
) -> Figure:
    """The validation metric against epochs: the seeds' mean in a band from the least to the most.

    Args:
        title: the optimizer's label.
        cells: the summary rows of one workload and optimizer.
        histories: the rows of the curves, by :func:`key` of their cell.
    """
    sizes = sorted({row["batch_size"] for row in cells})
    across = min(2, len(sizes))
    down = -(-len(sizes) // across)
    schedules = list(dict.fromkeys(row["schedule"] for row in cells))
    judged = metric(cells[0]["workload"])
    drawn = chosen(cells)
    limits = _limits([p["val_metric"] for row in drawn for p in histories[key(row)]], judged)
    with mpl.rc_context(RC):
        figure = canvas(
            MARGIN["left"] + across * (PANEL[0] + GAP[0]) - GAP[0] + MARGIN["right"],
            MARGIN["bottom"] + down * (PANEL[1] + GAP[1]) - GAP[1] + MARGIN["top"],
        )
        for index, size in enumerate(sizes):
            row, column = divmod(index, across)
            axes = panel(
                figure,
                MARGIN["left"] + column * (PANEL[0] + GAP[0]),
                MARGIN["bottom"] + (down - 1 - row) * (PANEL[1] + GAP[1]),
                *PANEL,
            )
            here = [cell for cell in drawn if cell["batch_size"] == size]
            _panel(axes, f"batch size {size}", here, histories, schedules)
            _frame(axes, judged, limits, outer=(column == 0, index + across >= len(sizes)))
        figure.text(
            0.12 / figure.get_figwidth(),
            1 - 0.2 / figure.get_figheight(),
            title,
            fontweight="bold",
            fontsize=9.5,
            va="center",
        )
    return figure


def _panel(
    axes: Axes,
    title: str,
    cells: Sequence[Row],
    histories: Mapping[tuple[object, ...], list[Row]],
    schedules: Sequence[str],
) -> None:
    palette = sns.color_palette("colorblind", max(6, len(schedules)))
    for cell in cells:
        rank = schedules.index(cell["schedule"])
        points = frame(histories[key(cell)], ("epoch", "val_metric"))
        sns.lineplot(
            points,
            x="epoch",
            y="val_metric",
            ax=axes,
            errorbar=("pi", 100),  # from the least to the most
            color=palette[rank],
            dashes=False,
            linewidth=1.5,
            linestyle=(0, STYLES[rank % len(STYLES)] or None),
            err_kws={"alpha": 0.22, "linewidth": 0},
            label=f"{cell['schedule']}, lr {number(cell['lr'])}",
        )
    axes.set_title(title, loc="left", fontsize=8, color=MUTED, pad=3)
    if not cells:
        axes.text(0.5, 0.5, "no cell came to its end", transform=axes.transAxes, ha="center")


def _frame(
    axes: Axes, judged: Metric, limits: tuple[float, float], outer: tuple[bool, bool]
) -> None:
    left, bottom = outer
    if judged.direction == "min" and limits[0] > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=8))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(*limits)
    axes.grid(True)
    axes.tick_params(length=0, labelleft=left)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("epochs" if bottom else "", labelpad=2)
    axes.set_ylabel(f"validation {judged.name}" if left else "", labelpad=3)
    percent = judged.unit == "fraction"
    axes.yaxis.set_major_formatter(lambda v, _: f"{100 * v:.4g}%" if percent else number(v))
    if axes.get_legend_handles_labels()[0]:
        axes.legend(
            loc="lower right" if judged.direction == "max" else "upper right",
            handlelength=1.8,
            borderpad=0.1,
            labelspacing=0.25,
        )


def _limits(values: Sequence[float], judged: Metric) -> tuple[float, float]:
    """The range shown; the first poor evaluations must not flatten all that follows."""
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    if judged.direction == "max":
        low = max(low, float(np.quantile(values, 0.05)))
    else:
        high = min(high, float(np.quantile(values, 0.95)))
    margin = 0.04 * (high - low) or 0.05 * (abs(high) or 1.0)
    bottom = low - margin if low <= 0 or judged.direction == "max" else low * 0.96
    return bottom, high + margin
