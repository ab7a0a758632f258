"""How large a batch pays: steps to the target over batch sizes, a panel an optimizer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from matplotlib.lines import Line2D
from matplotlib.markers import CARETLEFTBASE, CARETRIGHTBASE

from trainscape.figures.answers import small
from trainscape.figures.style import INK, MUTED, PAPER
from trainscape.figures.values import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from trainscape.analysis import Row

POINT, CRITICAL, NOISE = "#4a7fb5", "#c2543c", "#9467bd"
ROOM = 1.5  # factor of steps above and below what is drawn
LABELS = ["best lr", "S_min(1 + B_crit/B)", "B_crit, 95%", "perfect scaling", "noise scale"]
POINTS = 60  # of a curve


def batch_scaling(
    title: str, fits: Sequence[Row], steps: Sequence[Row], noise: Sequence[Row]
) -> Figure:
    """Steps to the target at the best lr, the fitted curve, and the critical batch on it.

    An optimizer is shown with the schedule that tells most: one without a warning, then one with a
    fit. The critical batch is a diamond, its interval a bar, with an arrow where the study does not
    bound it. The dashed line falls in proportion to the batch. A tick at the bottom is the gradient
    noise scale, where it was measured.

    Args:
        title: stands above.
        fits: of :func:`trainscape.analysis.critical`, of one workload.
        steps: of :func:`trainscape.analysis.best_steps`, of the same.
        noise: of :func:`trainscape.analysis.noise_scales`, of the same.
    """
    chosen = [row for row in shown(fits) if _of(steps, row)]
    measured = [row for row in noise if row["noise_scale"] is not None]
    labels = (LABELS if measured else LABELS[:-1]) if chosen else []
    figure, every = small.each(title, [row["optimizer"] for row in chosen], labels)
    if not chosen:
        small.empty(every[0], "no batch size reaches\nthe target")
        return figure
    tall = max([1.0, *(_span(_of(steps, row)) for row in chosen)]) * ROOM**2
    for axes, row in zip(every, chosen, strict=False):
        own = _of(steps, row)
        small.heading(axes, f"{row['optimizer']}, {row['schedule']}", words(row))
        _panel(axes, row, own, tall)
        _noise(axes, [one for one in measured if one["optimizer"] == row["optimizer"]])
    small.name(every, "batch size B", "steps to target")
    small.legend(figure, _handles()[: len(labels)], labels)
    return figure


def shown(fits: Sequence[Row]) -> list[Row]:
    """For each optimizer the row that tells most."""
    found: dict[str, Row] = {}
    for row in fits:
        rank = row["critical"] is None, row["warning"] is not None
        other = found.setdefault(row["optimizer"], row)
        if rank < (other["critical"] is None, other["warning"] is not None):
            found[row["optimizer"]] = row
    return list(found.values())


def words(row: Row) -> str:
    """B_crit with its interval; without a fit, what is known of it."""
    low, high = row["low"], row["high"]
    if low and high is not None:
        bounds = f"{_whole(low)} to {_whole(high)}"
    elif low:
        bounds = f"≥ {_whole(low)}"
    else:
        bounds = "no bounds" if high is None else f"≤ {_whole(high)}"
    if row["critical"] is None:
        return f"B_crit {bounds}" if low or high is not None else "B_crit: not known"
    return f"B_crit = {_whole(row['critical'])} ({bounds})"


def _whole(size: float) -> str:
    """A batch size; two digits where it is small."""
    return number(round(size)) if size >= 10 else number(size, 2)


def _of(steps: Sequence[Row], fit: Row) -> list[Row]:
    names = ("optimizer", "schedule")
    return [
        row
        for row in steps
        if all(row[name] == fit[name] for name in names) and row["steps_at_best"] is not None
    ]


def _span(steps: Sequence[Row]) -> float:
    """The most steps over the fewest."""
    values = [row["steps_at_best"] for row in steps]
    return float(max(values) / min(values))


def _panel(axes: Axes, fit: Row, steps: Sequence[Row], tall: float) -> None:
    sizes = [row["batch_size"] for row in steps]
    values = [row["steps_at_best"] for row in steps]
    small.sizes(axes, sizes)
    middle = math.sqrt(min(values) * max(values))
    low, high = middle / math.sqrt(tall), middle * math.sqrt(tall)
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    small.log_marks(axes, "y")
    left, right = axes.get_xlim()
    first = values[0] * sizes[0]
    axes.plot([left, right], [first / left, first / right], "--", color=MUTED, linewidth=0.9)
    if fit["critical"] is not None:
        _curve(axes, fit)
    for marker, side in (("o", None), ("^", "highest"), ("v", "lowest")):
        own = [(row["batch_size"], row["steps_at_best"]) for row in steps if row["side"] == side]
        if own:
            fill = PAPER if side else POINT
            axes.plot(
                *zip(*own, strict=True), marker, color=POINT, markersize=4, markerfacecolor=fill
            )


def _curve(axes: Axes, fit: Row) -> None:
    """The fitted curve, and B_crit with its interval at twice the fewest steps."""
    left, right = axes.get_xlim()
    batch, least = fit["critical"], fit["least_steps"]
    across = [left * (right / left) ** (k / POINTS) for k in range(POINTS + 1)]
    axes.plot(across, [least * (1 + batch / size) for size in across], color=INK, linewidth=1.3)
    height = min(max(2 * least, axes.get_ylim()[0] * 1.12), axes.get_ylim()[1] / 1.12)
    low = max(fit["low"] or left, left)
    high = min(right if fit["high"] is None else fit["high"], right)
    if low < high:
        axes.plot([low, high], [height] * 2, color=CRITICAL, linewidth=1.6, alpha=0.75)
    for beyond, end, marker in (
        ((fit["low"] or 0) < left, left, CARETLEFTBASE),
        (fit["high"] is None or fit["high"] > right, right, CARETRIGHTBASE),
    ):
        if beyond:
            axes.plot(end, height, marker=marker, color=CRITICAL, markersize=4.5, clip_on=False)
    if left <= batch <= right:
        axes.plot(batch, height, "D", color=CRITICAL, markersize=4)


def _noise(axes: Axes, noise: Sequence[Row]) -> None:
    """A tick at the noise scale of each cell in which it was measured."""
    left, right = axes.get_xlim()
    for scale in (row["noise_scale"] for row in noise):
        if left <= scale <= right:
            axes.plot(
                [scale] * 2,
                [0, 0.08],
                color=NOISE,
                linewidth=1.4,
                transform=axes.get_xaxis_transform(),
            )


def _handles() -> list[Line2D]:
    """The marks of the legend, in the order of :data:`LABELS`."""
    return [
        Line2D([], [], color=POINT, marker="o", markersize=4, linestyle="none"),
        Line2D([], [], color=INK, linewidth=1.3),
        Line2D([], [], color=CRITICAL, marker="D", markersize=4, linewidth=1.6),
        Line2D([], [], color=MUTED, linestyle="--", linewidth=0.9),
        Line2D([], [], color=NOISE, marker="|", markersize=7, linestyle="none"),
    ]
