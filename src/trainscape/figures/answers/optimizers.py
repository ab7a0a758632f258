"""Optimizers at their best: what each comes to, and what lies between it and the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.ticker import FuncFormatter, MaxNLocator

from trainscape.analysis import metric
from trainscape.figures import panels
from trainscape.figures.style import GRID, INK, MUTED, PAPER
from trainscape.figures.values import number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from trainscape.analysis import Row
    from trainscape.workloads import Metric

PANEL, BETWEEN = 1.22, 0.2  # inches
ROW = 0.27
TOP, BOTTOM = 0.52, 0.46
LETTER = 0.076
POINT = "#4a7fb5"
WORDS = {"equal": "equal", "undecided": "not told apart"}
NONE = "no optimizer has a setting without failures"


def optimizers(workload: str, found: Mapping[str, Any]) -> Figure:
    """A row an optimizer: its test metric, its difference from the reference, and the verdict.

    Thick lines are 95% intervals for new seeds, thin ones for new seeds and new test examples. The
    intervals of the differences hold for all at once; the band is what makes no difference in
    practice.

    Args:
        workload: its name.
        found: as :mod:`trainscape.answers` makes it.
    """
    judged = metric(workload)
    best = 1 if judged.direction == "max" else -1
    rows = sorted(found["optimizers"], key=lambda row: -best * row["test"]["mean"])
    names = [row["optimizer"] for row in rows]
    left = 0.2 + LETTER * max(map(len, names), default=0)
    said = [WORDS.get(row["verdict"], row["verdict"]) for row in rows]
    right = 0.22 + LETTER * max(map(len, said), default=0)
    height = ROW * max(2, len(rows))
    title = f"{workload}: each optimizer at its best"
    width = max(left + 2 * PANEL + BETWEEN + right, panels.title_width(title))
    figure = panels.titled_figure(title, width, TOP + height + BOTTOM)
    axes = [
        panels.place(figure, left + k * (PANEL + BETWEEN), BOTTOM, PANEL, height) for k in (0, 1)
    ]
    for one in axes:
        _framed(one, len(rows))
    if not rows:
        axes[0].text(0, 0.5, NONE, transform=axes[0].transAxes)
        return figure
    axes[0].set_yticks(range(len(rows)), names)
    _values(axes[0], rows, judged)
    _differences(axes[1], rows, found["margin"], judged)
    for place, (row, words) in enumerate(zip(rows, said, strict=True)):
        color = MUTED if row["verdict"] in ("reference", "equal", "undecided") else INK
        axes[1].annotate(
            words,
            (1, place),
            (5, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center_baseline",
            fontsize=8,
            color=color,
        )
    return figure


def _framed(axes: Axes, rows: int) -> None:
    axes.set_ylim(max(2, rows) - 0.5, -0.5)
    axes.set_yticks([])
    axes.tick_params(length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.grid(True, axis="x")
    axes.set_axisbelow(True)


def _values(axes: Axes, rows: Sequence[Row], judged: Metric) -> None:
    """The test metric of each optimizer."""
    for place, row in enumerate(rows):
        test = row["test"]
        _interval(axes, place, test, ("new_low", "new_high"), MUTED, 0.9)
        _interval(axes, place, test, ("low", "high"), POINT, 4.0)
        axes.plot(test["mean"], place, "|", color=INK, markersize=8, markeredgewidth=1.4)
    scaled = 100 if judged.unit == "fraction" else 1
    sign = "%" if judged.unit == "fraction" else ""
    _marks(axes, lambda value: f"{number(scaled * value, 4)}{sign}")
    axes.set_xlabel(f"test {judged.name}", labelpad=2, fontsize=8)


def _differences(axes: Axes, rows: Sequence[Row], margin: float, judged: Metric) -> None:
    """What each differs from the reference by, and the band that makes no difference."""
    axes.axvspan(-margin, margin, color=GRID, alpha=0.75, linewidth=0)
    axes.axvline(0, color=MUTED, linewidth=0.9)
    for place, row in enumerate(rows):
        apart = row["difference"]
        if apart is None:
            axes.plot(0, place, "s", color=INK, markersize=4.4, markerfacecolor=PAPER)
            continue
        _interval(axes, place, apart, ("low", "high"), POINT, 1.8)
        axes.plot(apart["mean"], place, "o", color=INK, markersize=3.6)
    scaled = 100 if judged.unit == "fraction" else 1
    _marks(axes, lambda value: _signed(scaled * value))
    unit = "points" if judged.unit == "fraction" else judged.unit
    axes.set_xlabel("difference" + (f", {unit}" if unit else ""), labelpad=2, fontsize=8)


def _interval(
    axes: Axes, place: int, found: Mapping[str, Any], ends: tuple[str, str], color: str, wide: float
) -> None:
    """A line from bound to bound, if they are known."""
    low, high = (found[end] for end in ends)
    if low is not None and high is not None:
        axes.plot([low, high], [place, place], color=color, linewidth=wide, solid_capstyle="butt")


def _marks(axes: Axes, words: Any) -> None:
    """A few marks below, in words."""
    axes.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: words(value)))
    axes.tick_params(axis="x", labelsize=8)
    axes.margins(x=0.06)


def _signed(value: float) -> str:
    """A difference with its sign."""
    text = number(abs(round(value, 10)))
    return text if not round(value, 10) else f"{'−' if value < 0 else '+'}{text}"
