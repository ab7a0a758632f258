"""Simulated searches: how far from the grid's best they are, cell by cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import seaborn as sns

from trainscape.analysis import Row, goal, grouped, metric, records
from trainscape.figures.style import MUTED, RC, canvas, panel
from trainscape.figures.values import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from trainscape.analysis import Goal, Replayed
    from trainscape.workloads import Metric

PANEL = (3.1, 2.3)  # inches
LEFT, GAP, RIGHT, BOTTOM, TOP = 0.62, 0.62, 0.14, 0.44, 0.6
STYLES = {"random": (1, 1), "qmc": (3, 1.2), "tpe": "", "gp": (6, 1.2), "evolution": (5, 1, 1, 1)}


def replay_figure(workload: str, cells: Sequence[Row], replayed: Replayed) -> Figure:
    """Regret of the best so far, and the share of runs that are near enough, by cells trained.

    Args:
        workload: its name.
        cells: its summary rows.
        replayed: the simulated searches.
    """
    table = [row for row in records(replayed.table) if row["workload"] == workload]
    aim = goal(cells, replayed.margin)
    with mpl.rc_context(RC):
        width = LEFT + 2 * PANEL[0] + GAP + RIGHT
        figure = canvas(width, BOTTOM + PANEL[1] + TOP)
        regret = panel(figure, LEFT, BOTTOM, *PANEL)
        share = panel(figure, LEFT + PANEL[0] + GAP, BOTTOM, *PANEL)
        title = f"{workload}: searches on the finished grid"
        place = (0.12 / width, 1 - 0.2 / figure.get_figheight())
        figure.text(*place, title, fontsize=9.5, fontweight="bold", va="center")
        if aim is None:
            regret.text(
                0.5, 0.5, "no cell came to its end", transform=regret.transAxes, ha="center"
            )
        else:
            _regrets(regret, table, aim, metric(workload))
            _shares(share, table, aim)
        for axes in (regret, share):
            axes.grid(True)
            axes.tick_params(length=0)
            axes.spines[["top", "right"]].set_visible(False)
            axes.set_xlabel("cells trained", labelpad=2)
            axes.set_xlim(1, max([2, *(row["cells"] for row in table)]))
    return figure


def _regrets(axes: Axes, table: Sequence[Row], aim: Goal, judged: Metric) -> None:
    """Logarithmic above the smaller tolerance and linear below, so that zero can be shown."""
    axes.set_title("best so far below the grid's best", loc="left", fontsize=8, color=MUTED, pad=3)
    for rank, (method, rows) in enumerate(_methods(table)):
        known = [row for row in rows if row["regret_high"] is not None]
        at = [row["cells"] for row in known]
        low, high = ([row[f"regret_{end}"] for row in known] for end in ("low", "high"))
        colour = _colour(rank)
        axes.fill_between(at, low, high, step="post", color=colour, alpha=0.08, linewidth=0)
        known = [row for row in rows if row["regret_median"] is not None]
        median = [row["regret_median"] for row in known]
        _line(axes, method, rank, [row["cells"] for row in known], median)
    tolerances = [size for t in ("error", "margin") if (size := aim.tolerance(t))]
    axes.set_yscale("symlog", linthresh=min(tolerances))
    medians = [row["regret_median"] for row in table if row["regret_median"]]
    axes.set_ylim(0, 2 * max([*medians, *tolerances]))
    for words, size in ((" 1 s.e.", aim.error), (" margin", aim.margin)):
        if size:
            axes.axhline(size, color=MUTED, linewidth=0.7)
            right = axes.get_yaxis_transform()  # across in shares of the panel
            axes.text(1, size, words, transform=right, fontsize=7, color=MUTED, va="center")
    percent = judged.unit == "fraction"
    axes.yaxis.set_major_formatter(lambda v, _: f"{100 * v:.3g}%" if percent else number(v))
    axes.set_ylabel(f"regret, validation {judged.name}", labelpad=3)


def _shares(axes: Axes, table: Sequence[Row], aim: Goal) -> None:
    target, words = ("error", "one standard error") if aim.error else ("margin", "the margin")
    axes.set_title(f"runs within {words} of it", loc="left", fontsize=8, color=MUTED, pad=3)
    for rank, (method, rows) in enumerate(_methods(table)):
        at = [row["cells"] for row in rows]
        share = [row[f"within_{target}"] / row["runs"] for row in rows]
        _line(axes, f"{method} ({rows[0]['runs']} runs)", rank, at, share)
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(lambda v, _: f"{100 * v:.0f}%")
    axes.legend(loc="lower right", handlelength=2.2, borderpad=0.1, labelspacing=0.25)


def _methods(table: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    return [(rows[0]["method"], rows) for rows in grouped(table, ("method",))]


def _colour(rank: int) -> tuple[float, float, float]:
    red, green, blue = sns.color_palette("colorblind", 6)[rank]
    return red, green, blue


def _line(axes: Axes, label: str, rank: int, across: Sequence[float], up: Sequence[float]) -> None:
    style = STYLES.get(label.split(" ")[0]) or None
    axes.plot(
        across,
        up,
        drawstyle="steps-post",
        color=_colour(rank),
        linewidth=1.4,
        linestyle=(0, style),
        label=label,
    )
