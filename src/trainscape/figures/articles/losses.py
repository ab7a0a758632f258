"""Training losses: the final one against the batch size, and one run step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainscape.analysis import Row, grouped
from trainscape.figures import panels
from trainscape.figures.articles.limits import limits
from trainscape.figures.values import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def loss_by_batch(title: str, trials: Sequence[Row], among: Sequence[Row]) -> Figure:
    """Final training loss against batch size, both axes logarithmic, one line per lr.

    The line is the mean over seeds, the band spans them. A cell with a diverged seed has no point.
    The axes are the same for all optimizers and schedules.

    Args:
        title: stands above.
        trials: those of one workload, optimizer and schedule.
        among: those of all of the workload's optimizers and schedules.
    """
    rates = sorted({row["lr"] for row in trials}, reverse=True)
    names = [f"lr {number(rate)}" for rate in rates]
    figure, (axes,) = panels.make(title, size=(3.6, 2.7), right=panels.legend_width(names))
    sizes = sorted({row["batch_size"] for row in trials})
    for rank, rate in enumerate(rates):
        finals = {
            size: [r["train_loss"] for r in trials if (r["batch_size"], r["lr"]) == (size, rate)]
            for size in sizes
        }
        _line_with_band(axes, finals, names[rank], panels.line_look(rank, len(rates)))
    axes.set_ylim(*limits((row["train_loss"] for row in among), log=True))
    panels.log_axis(axes, "y")
    panels.log_sizes(axes, sizes)
    axes.set_xlim(*limits((row["batch_size"] for row in among), log=True))
    panels.name_axes(axes, "batch size", "final training loss")
    panels.legend(axes)
    return figure


def _line_with_band(
    axes: Axes, values: dict[int, list[float | None]], label: str, look: dict[str, Any]
) -> None:
    """The mean of the values at each x, in a band from the least to the most.

    An x with a missing value is left out.
    """
    known = {x: [v for v in ys if v is not None] for x, ys in values.items() if None not in ys}
    means = [sum(ys) / len(ys) for ys in known.values()]
    axes.plot(list(known), means, label=label, marker="o", markersize=3.5, **look)
    low, high = [min(ys) for ys in known.values()], [max(ys) for ys in known.values()]
    axes.fill_between(list(known), low, high, color=look["color"], alpha=0.18, linewidth=0)


def trace(title: str, traces: Sequence[Row], among: Sequence[Row]) -> Figure:
    """Training loss of single steps, logarithmic, one line per optimizer, one panel per batch size.

    The line is the first seed's run, the band spans the seeds. All panels, of all schedules, have
    the same axes: a large batch takes fewer steps in as many epochs, and its line ends early.

    Args:
        title: stands above.
        traces: those of one workload and schedule.
        among: those of all of the workload's schedules.
    """
    runs = grouped(traces, ("batch_size", "optimizer", "lr"))
    sizes = sorted({row["batch_size"] for row in traces})
    names = list(dict.fromkeys(_run_label(run[0], runs) for run in runs))
    right = panels.legend_width(names)
    figure, made = panels.make(title, len(sizes), (4.6, 2.5), columns=2, right=right)
    for axes, size in zip(made, sizes, strict=True):
        for run in runs:
            if run[0]["batch_size"] == size:
                name = _run_label(run[0], runs)
                _draw_run(axes, run, name, panels.line_look(names.index(name), len(names)))
        axes.set_xlim(*limits(row["step"] for row in among))
        axes.set_ylim(*limits((row["train_loss"] for row in among), log=True))
        panels.log_axis(axes, "y")
        panels.name_axes(axes, "step", "training loss of the batch")
        panels.heading(axes, f"batch size {size}" if len(sizes) > 1 else "")
    panels.legend(made[min(len(made), 2) - 1])
    return figure


def _run_label(row: Row, runs: Sequence[Sequence[Row]]) -> str:
    """The optimizer, and its lr where there is more than one."""
    several = len({run[0]["lr"] for run in runs}) > 1
    return f"{row['optimizer']}, lr {number(row['lr'])}" if several else str(row["optimizer"])


def _draw_run(axes: Axes, run: Sequence[Row], label: str, look: dict[str, Any]) -> None:
    first = [row for row in run if row["seed"] == run[0]["seed"]]
    steps = grouped(run, ("step",))
    low = [min(row["train_loss"] for row in step) for step in steps]
    high = [max(row["train_loss"] for row in step) for step in steps]
    look = {**look, "linestyle": "-", "linewidth": 0.9}  # dashes hide what a noisy line does
    axes.fill_between(
        [step[0]["step"] for step in steps], low, high, color=look["color"], alpha=0.2, linewidth=0
    )
    axes.plot([r["step"] for r in first], [r["train_loss"] for r in first], label=label, **look)
