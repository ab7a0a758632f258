"""What a figure shows, in words made from its data: the caption, and the text instead of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape.analysis import Row, best, metric, trained
from trainscape.figures.values import duration, number, score, shown, values

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trainscape.figures.names import Figure
    from trainscape.workloads import Metric

QUANTITIES = {
    "steps-to-target": "steps to the target",
    "time-to-target": "time to the target",
    "diverged-share": "share of diverged seeds",
}


def caption(figure: Figure, cells: Sequence[Row]) -> str:
    """One or two sentences to stand below the figure.

    Args:
        figure: which figure.
        cells: all summary rows; for times joined with their timings.
    """
    own = _own(figure, cells)
    if not own:
        return f"{figure.optimizer}, {figure.schedule}: no cell was trained."
    if figure.kind == "curves":
        return (
            f"{figure.optimizer}: validation {metric(figure.workload).name} against epochs, each "
            "schedule at its best learning rate for the batch size; the band spans the seeds."
        )
    if figure.kind == "throughput":
        return f"{figure.workload}: {_range(figure, own)}; below, the time of one step."
    found = f"{_range(figure, own)}.{_lost(own)}{_soonest(figure, own)}{_best(figure, own)}"
    return f"{figure.optimizer}, {figure.schedule}: {found}"


def alt(figure: Figure, cells: Sequence[Row]) -> str:
    """What a reader who can't see the figure needs: axes, range, what is lost, the best cell.

    Args:
        figure: which figure.
        cells: all summary rows; for times joined with their timings.
    """
    own = _own(figure, cells)
    if not own:
        return f"{figure.optimizer} with {figure.schedule or 'any schedule'}: no cell was trained."
    sizes = _span("batch size", sorted({row["batch_size"] for row in own}), str)
    if figure.kind == "curves":
        return (
            f"Learning curves of {figure.optimizer} on {figure.workload}: validation "
            f"{metric(figure.workload).name} against epochs for {sizes}.{_best(figure, own)}"
        )
    if figure.kind == "throughput":
        optimizers = ", ".join(dict.fromkeys(row["optimizer"] for row in own))
        return f"Heatmap for {figure.workload} of {optimizers} by {sizes}: {_range(figure, own)}."
    lrs = _span("learning rate", sorted({row["lr"] for row in own}), number)
    return (
        f"Heatmap for {figure.optimizer} with the schedule {figure.schedule} on {figure.workload}, "
        f"{sizes} by {lrs}: {_range(figure, own)}.{_lost(own)}{_best(figure, own)}"
    )


def _own(figure: Figure, cells: Sequence[Row]) -> list[Row]:
    optimizer, schedule = figure.optimizer, figure.schedule
    own = [
        row
        for row in cells
        if row["workload"] == figure.workload
        and row["optimizer"] == (optimizer or row["optimizer"])
        and row["schedule"] == (schedule or row["schedule"])
    ]
    return trained(own)


def _span(name: str, points: Sequence[float], say: Callable[[float], str]) -> str:
    if len(points) == 1:
        return f"{name} {say(points[0])}"
    return f"{len(points)} {name}s from {say(points[0])} to {say(points[-1])}"


def _range(figure: Figure, own: Sequence[Row]) -> str:
    """From the least to the most of what the colours say."""
    judged = metric(figure.workload)
    if figure.kind == "throughput":
        name, found = "samples a second", [row["samples_per_s"] for row in own]
        found = [value for value in found if value is not None]
    else:
        name = QUANTITIES.get(figure.kind, f"test {judged.name}")
        found = values(shown(figure.kind, row, judged) for row in own)
    if not found:
        return f"{name}: no cell has a value"
    say = _say(figure.kind, judged)
    low, high = say(min(found)), say(max(found))
    return f"{name} {low}" if low == high else f"{name} from {low} to {high}"


def _say(kind: str, judged: Metric) -> Callable[[float], str]:
    table: dict[str, Callable[[float], str]] = {
        "test-metric": lambda value: score(value, judged, unit=True),
        "time-to-target": duration,
        "diverged-share": lambda value: f"{100 * value:.0f}%",
    }
    return table.get(kind, number)


def _lost(own: Sequence[Row]) -> str:
    """How many cells could not be trained to their end, if any."""
    said = ""
    for status, verb in (("diverged", "diverged"), ("oom", "ran out of memory")):
        count = sum(row["status"] == status for row in own)
        said += f" {count} of {len(own)} cells {verb}." if count else ""
    return said


def _soonest(figure: Figure, own: Sequence[Row]) -> str:
    """Where the target was reached with the least, which is seldom where accuracy is best."""
    if figure.kind not in ("steps-to-target", "time-to-target"):
        return ""
    judged = metric(figure.workload)
    known = [
        (cell.value, i)
        for i, row in enumerate(own)
        if (cell := shown(figure.kind, row, judged)).value is not None
    ]
    if not known:
        return ""
    least, i = min(known)
    said = _say(figure.kind, judged)(least)
    row = own[i]
    return f" Soonest: batch size {row['batch_size']}, lr {number(row['lr'])} ({said})."


def _best(figure: Figure, own: Sequence[Row]) -> str:
    chosen = best(own)
    if chosen is None or figure.kind == "diverged-share":
        return ""
    judged = metric(chosen["workload"])
    kind = figure.kind if figure.kind in QUANTITIES else "test-metric"
    cell = shown(kind, chosen, judged)
    name = QUANTITIES.get(kind, f"test {judged.name}")
    value = cell.text if cell.value is None else f"{name} {_say(kind, judged)(cell.value)}"
    schedules = {row["schedule"] for row in own}
    schedule = f", {chosen['schedule']}" if len(schedules) > 1 else ""
    return (
        f" Best by validation: batch size {chosen['batch_size']}, lr {number(chosen['lr'])}"
        f"{schedule} ({value})."
    )
