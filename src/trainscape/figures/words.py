"""What a figure shows, in words made from its data: the caption and the alternative text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape.analysis import Row, best, metric, trained
from trainscape.analysis.functions import outcome
from trainscape.figures.values import duration, number, score, shown, values

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trainscape.figures.names import Figure
    from trainscape.workloads import Metric

QUANTITIES = {
    "steps-to-target": "steps to the target",
    "time-to-target": "time to the target",
    "diverged-share": "share of diverged seeds",
    "train-loss": "training loss",
}


def caption(figure: Figure, cells: Sequence[Row]) -> str:
    """A few sentences that stand below the figure.

    Args:
        figure: which figure.
        cells: the summary rows that it shows; for times, with the columns of the timings.
    """
    rows = trained(cells)
    if not rows:
        return f"{figure.optimizer}, {figure.schedule}: no cell was trained."
    if figure.kind == "curves":
        return (
            f"{figure.optimizer}: validation {metric(figure.workload).name} against epochs, each "
            "schedule at its best learning rate for the batch size; the band spans the seeds."
        )
    if figure.kind == "loss-curves":
        return (
            f"{figure.optimizer}, {figure.schedule}: training loss against epochs, a line for each "
            f"learning rate; the band spans the seeds.{_failures(rows)}"
        )
    if figure.kind == "throughput":
        return f"{figure.workload}: {_value_range(figure, rows)}; below, the time of one step."
    first = f"{figure.optimizer}, {figure.schedule}: {_value_range(figure, rows)}."
    return first + _failures(rows) + _soonest(figure, rows) + _best(figure, rows)


def alt(figure: Figure, cells: Sequence[Row]) -> str:
    """For readers who can't see the figure: its axes, its values, which cells failed, the best.

    Args:
        figure: which figure.
        cells: the summary rows that it shows; for times, with the columns of the timings.
    """
    rows = trained(cells)
    if not rows:
        return f"{figure.optimizer} with {figure.schedule or 'any schedule'}: no cell was trained."
    sizes = _axis("batch size", sorted({row["batch_size"] for row in rows}), str)
    if figure.kind == "curves":
        return (
            f"Learning curves of {figure.optimizer} on {figure.workload}: validation "
            f"{metric(figure.workload).name} against epochs for {sizes}.{_best(figure, rows)}"
        )
    if figure.kind == "loss-curves":
        rates = _axis("learning rate", sorted({row["lr"] for row in rows}), number)
        return (
            f"Learning curves of {figure.optimizer} with the schedule {figure.schedule} on "
            f"{figure.workload}: training loss against epochs for {sizes} and {rates}."
        )
    if figure.kind == "throughput":
        optimizers = ", ".join(dict.fromkeys(row["optimizer"] for row in rows))
        found = _value_range(figure, rows)
        return f"Heatmap for {figure.workload} of {optimizers} by {sizes}: {found}."
    lrs = _axis("learning rate", sorted({row["lr"] for row in rows}), number)
    return (
        f"Heatmap for {figure.optimizer} with the schedule {figure.schedule} on {figure.workload}, "
        f"{sizes} by {lrs}: {_value_range(figure, rows)}.{_failures(rows)}{_best(figure, rows)}"
    )


def _axis(name: str, points: Sequence[float], in_words: Callable[[float], str]) -> str:
    if len(points) == 1:
        return f"{name} {in_words(points[0])}"
    return f"{len(points)} {name}s from {in_words(points[0])} to {in_words(points[-1])}"


def _value_range(figure: Figure, rows: Sequence[Row]) -> str:
    """The least and the most of what the colours stand for."""
    judged = metric(figure.workload)
    if figure.kind == "throughput":
        name, found = "samples a second", [row["samples_per_s"] for row in rows]
        found = [value for value in found if value is not None]
    else:
        name = QUANTITIES.get(figure.kind, outcome(figure.workload))
        found = values(shown(figure.kind, row, judged) for row in rows)
    if not found:
        return f"{name}: no cell has a value"
    in_words = _in_words(figure.kind, judged)
    low, high = in_words(min(found)), in_words(max(found))
    return f"{name} {low}" if low == high else f"{name} from {low} to {high}"


def _in_words(kind: str, judged: Metric) -> Callable[[float], str]:
    """What writes a value of this kind of figure."""
    table: dict[str, Callable[[float], str]] = {
        "test-metric": lambda value: score(value, judged, unit=True),
        "time-to-target": duration,
        "diverged-share": lambda value: f"{100 * value:.0f}%",
    }
    return table.get(kind, number)


def _failures(rows: Sequence[Row]) -> str:
    """How many cells could not be trained to their end, if any."""
    sentences = ""
    for status, verb in (("diverged", "diverged"), ("oom", "ran out of memory")):
        count = sum(row["status"] == status for row in rows)
        sentences += f" {count} of {len(rows)} cells {verb}." if count else ""
    return sentences


def _soonest(figure: Figure, rows: Sequence[Row]) -> str:
    """Which cell reached the target first; it is seldom the one that is best by validation."""
    if figure.kind not in ("steps-to-target", "time-to-target"):
        return ""
    judged = metric(figure.workload)
    known = [
        (cell.value, row)
        for row in rows
        if (cell := shown(figure.kind, row, judged)).value is not None
    ]
    if not known:
        return ""
    least, first = min(known, key=lambda pair: pair[0])
    value = _in_words(figure.kind, judged)(least)
    return f" Soonest: batch size {first['batch_size']}, lr {number(first['lr'])} ({value})."


def _best(figure: Figure, rows: Sequence[Row]) -> str:
    """Which cell is best by validation, and its value in the figure."""
    chosen = best(rows)
    if chosen is None or figure.kind == "diverged-share":
        return ""
    judged = metric(chosen["workload"])
    kind = figure.kind if figure.kind in QUANTITIES else "test-metric"
    cell = shown(kind, chosen, judged)
    name = QUANTITIES.get(kind, outcome(chosen["workload"]))
    value = cell.text if cell.value is None else f"{name} {_in_words(kind, judged)(cell.value)}"
    schedules = {row["schedule"] for row in rows}
    schedule = f", {chosen['schedule']}" if len(schedules) > 1 else ""
    return (
        f" Best by validation: batch size {chosen['batch_size']}, lr {number(chosen['lr'])}"
        f"{schedule} ({value})."
    )
