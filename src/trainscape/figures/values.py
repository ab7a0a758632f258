"""Values in words: metrics, and what a heatmap's cell shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from trainscape.analysis import UNTRAINED
from trainscape.numerals import duration as duration
from trainscape.numerals import in_unit
from trainscape.numerals import number as number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from trainscape.analysis import Row
    from trainscape.workloads import Metric

State = Literal["value", "diverged", "oom", "none", "untrained"]


@dataclass(frozen=True)
class Shown:
    """The content of one heatmap cell.

    Args:
        value: what the colour stands for; None for no colour.
        text: the first line.
        note: a smaller second line.
        state: why there is no value.
    """

    value: float | None
    text: str
    note: str = ""
    state: State = "value"


def ticks(values: Sequence[float]) -> list[str]:
    """Short labels for the values of an axis, with enough digits to tell them apart."""
    for digits in range(3, 17):
        labels = [number(value, digits) for value in values]
        if len(set(labels)) == len(set(values)):
            return labels
    return [repr(value) for value in values]


def score(value: float, metric: Metric, *, unit: bool = False) -> str:
    """A metric's value: a fraction in percent with one decimal, else three digits."""
    return in_unit(value, metric.unit, named=unit)


def signed(value: float, unit: str, digits: int = 3) -> str:
    """A difference of a metric with its sign; of fractions in points with one decimal.

    >>> signed(-0.0123, "fraction"), signed(2.32e7, "m"), signed(1e-5, "fraction")
    ('−1.2', '+23.2M', '0.0')
    """
    size = abs(value)
    text = in_unit(size, unit) if unit == "fraction" else number(size, digits)
    # zero has no sign, nor has what is written as zero
    return f"{'−' if value < 0 else '+'}{text}" if text.strip("0.") else text


def points(margin: float, unit: str) -> str:
    """How large a difference of metrics is, in words; of fractions in points.

    >>> points(0.005, "fraction"), points(0.01, "fraction"), points(0.005, "")
    ('0.5 points', '1 point', '0.005')
    """
    if unit == "fraction":
        text = number(100 * margin)
        return f"{text} {'point' if text == '1' else 'points'}"
    return f"{number(margin)} {unit}".rstrip()


def deviation(value: float, metric: Metric) -> str:
    """A metric's standard deviation; of a loss two digits, since it is itself uncertain."""
    return score(value, metric) if metric.unit == "fraction" else number(value, 2)


def shown(kind: str, row: Row, metric: Metric) -> Shown:
    """What the cell ``row`` shows in a heatmap of ``kind``.

    Args:
        kind: the heatmap's metric, as in :mod:`trainscape.figures.names`.
        row: a summary row; for times, with the columns of the timings.
        metric: the workload's.
    """
    if row["status"] == UNTRAINED:
        return Shown(None, "", state="untrained")
    if row["status"] == "oom":
        return Shown(None, "oom", state="oom")
    if kind == "diverged-share":
        return Shown(row["diverged"] / row["seeds"], _of_seeds(row["diverged"], row))
    found = KINDS[kind](row, metric)
    if row["status"] == "diverged":
        note = found.text if found.state == "value" else ""
        return Shown(None, f"div {_of_seeds(row['diverged'], row)}", note, "diverged")
    return found


def _of_seeds(count: int, row: Row) -> str:
    return f"{count}/{row['seeds']}"


def _test_metric(row: Row, metric: Metric) -> Shown:
    mean, spread = row["test_metric_mean"], row["test_metric_std"]
    if mean is None:
        return Shown(None, "no value", state="none")
    note = "" if spread is None else f"±{deviation(spread, metric)}"
    return Shown(mean, score(mean, metric), note)


def _train_loss(row: Row, _: Metric) -> Shown:
    mean, spread = row["train_loss_mean"], row["train_loss_std"]
    if mean is None:
        return Shown(None, "no value", state="none")
    return Shown(mean, number(mean), "" if spread is None else f"±{number(spread, 2)}")


def _steps_to_target(row: Row, _: Metric) -> Shown:
    count = row["steps_to_target"]
    if count is None:
        return Shown(None, "not reached", _seeds_that_reached(row), "none")
    return Shown(count, number(count), _seeds_that_reached(row))


def _seeds_that_reached(row: Row) -> str:
    """How many seeds reached the target, if it is some but not all."""
    return _of_seeds(row["reached"], row) if 0 < row["reached"] < row["seeds"] else ""


def _time_to_target(row: Row, metric: Metric) -> Shown:
    if row["step_time_s"] is None:
        return Shown(None, "not measured", state="none")
    if row["time_to_target_s"] is None:
        return _steps_to_target(row, metric)
    seconds = row["time_to_target_s"]
    return Shown(seconds, duration(seconds), _seeds_that_reached(row))


KINDS: dict[str, Callable[[Row, Metric], Shown]] = {
    "test-metric": _test_metric,
    "train-loss": _train_loss,
    "steps-to-target": _steps_to_target,
    "time-to-target": _time_to_target,
}


def values(cells: Iterable[Shown]) -> list[float]:
    """The values of the cells that have one."""
    return [cell.value for cell in cells if cell.value is not None]
