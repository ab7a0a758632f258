"""The table of all cells: what its columns are, how a value is written and sorted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainscape.analysis import Row, grouped, key, metric
from trainscape.analysis.functions import is_function
from trainscape.figures.values import deviation, duration, number, score

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from trainscape.workloads import Metric

    Words = Callable[[Row, Metric], str]  # writes a row's value

AXES_OF_CELL = ("optimizer", "batch_size", "lr", "schedule")


@dataclass(frozen=True)
class Column:
    """A column.

    Args:
        key: the row's value that it is sorted by.
        title: stands at its head.
        about: explains the title.
        words: writes a row's value.
        numeric: whether it is sorted as a number.
        kind: of a column of all cells, how the page's script writes and filters it: ``name`` and
            ``number`` as they are, others by their kind.
    """

    key: str
    title: str
    about: str
    words: Words
    numeric: bool = True
    kind: str = "number"


@dataclass(frozen=True)
class Field:
    """A table cell: its words, and how they look."""

    text: str
    numeric: bool = False
    status: str = ""


@dataclass(frozen=True)
class Table:
    """What the template lays out."""

    columns: list[Column]
    rows: list[list[Field]]


def as_it_is(key: str) -> Words:
    """Writes a value as it is, or a dash."""
    return lambda row, _: "–" if row[key] is None else str(row[key])


def short_number(key: str) -> Words:
    """Writes a number in few digits, or a dash."""
    return lambda row, _: "–" if row[key] is None else number(row[key])


def _metric_mean_std(name: str) -> Words:
    def words(row: Row, judged: Metric) -> str:
        mean, std = row[f"{name}_mean"], row[f"{name}_std"]
        if mean is None:
            return "–"
        return score(mean, judged) + ("" if std is None else f" ± {deviation(std, judged)}")

    return words


def _loss_mean_std(row: Row, _: Metric) -> str:
    mean, std = row["train_loss_mean"], row["train_loss_std"]
    if mean is None:
        return "–"  # a deviation is itself uncertain: two digits of it are enough
    return number(mean) + ("" if std is None else f" ± {number(std, 2)}")


def _status(row: Row, _: Metric) -> str:
    lost = [f"{word} {row[word]}/{row['seeds']}" for word in ("diverged", "failed") if row[word]]
    return ", ".join(lost) if lost else str(row["status"])


def _steps(row: Row, _: Metric) -> str:
    if row["steps_to_target"] is None:
        return "not reached" + (f" ({row['reached']}/{row['seeds']})" if row["reached"] else "")
    return f"{row['steps_to_target']:.16g} ({row['reached']}/{row['seeds']})"


def _duration(key: str) -> Words:
    def words(row: Row, _: Metric) -> str:
        if row["step_time_s"] is None:
            return "not measured here"
        return "–" if row[key] is None else duration(row[key])

    return words


AXES = [
    Column(
        "workload",
        "workload",
        "dataset, model, loss and metric",
        as_it_is("workload"),
        False,
        "name",
    ),
    Column("optimizer", "optimizer", "the update rule", as_it_is("optimizer"), False, "name"),
    Column(
        "batch_size", "batch", "batch size: examples a step", as_it_is("batch_size"), kind="size"
    ),
    Column("lr", "lr", "peak learning rate", short_number("lr")),
    Column("schedule", "schedule", "what multiplies the rate", as_it_is("schedule"), False, "name"),
]
VERDICT = Column(
    "verdict",
    "verdict",
    "the setting to take, or one that may be the best, too",
    as_it_is("verdict"),
    False,
    "verdict",
)
STATUS = Column(
    "status",
    "status",
    "ok, out of memory, or how many seeds diverged or failed, that is learned nothing",
    _status,
    False,
    "status",
)
VAL = Column(
    "val_metric_mean",
    "validation",
    "mean ± std over seeds",
    _metric_mean_std("val_metric"),
    kind="score",
)
TEST = Column(
    "test_metric_mean",
    "test",
    "mean ± std over seeds",
    _metric_mean_std("test_metric"),
    kind="score",
)
VALUE = Column(TEST.key, "value", "of the function, at the end", TEST.words, kind="score")
LOSS = Column(
    "train_loss_mean", "train loss", "last running mean, mean ± std", _loss_mean_std, kind="loss"
)
GAP = Column(
    "generalisation_gap",
    "gap",
    "test loss − loss on training examples, same weights",
    short_number("generalisation_gap"),
)
STEPS = Column(
    "steps_to_target", "steps to target", "median (seeds that reached it)", _steps, kind="steps"
)
STEP_TIME = Column(
    "step_time_s", "step time", "median, measured alone", _duration("step_time_s"), kind="seconds"
)
TIME = Column(
    "time_to_target_s",
    "time to target",
    "steps × step time",
    _duration("time_to_target_s"),
    kind="seconds",
)
DIGEST = Column("digest", "digest", "first 12 digits", as_it_is("digest"), False, "digest")


def with_verdicts(cells: Sequence[Row], found: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    """The rows, each with its ``verdict``: ``take``, ``may be best``, or empty.

    Args:
        cells: summary rows.
        found: by workload, what :mod:`trainscape.answers` found.
    """
    verdicts = {
        (workload, key(cell, AXES_OF_CELL)): word
        for workload, own in found.items()
        for word, listed in (("may be best", own["tied"]), ("take", [own["chosen"]]))
        for cell in listed
        if cell
        for cell in [cell["cell"]]
    }
    return [
        {**row, "verdict": verdicts.get((row["workload"], key(row, AXES_OF_CELL)), "")}
        for row in cells
    ]


def columns(cells: Sequence[Row], validated: bool, timed: bool) -> list[Column]:
    """The columns of the table of all cells.

    Args:
        cells: summary rows.
        validated: whether there is a validation split, and so a target.
        timed: whether the study has timings.
    """
    one_workload = len({row["workload"] for row in cells}) == 1
    exact = all(is_function(row["workload"]) for row in cells)  # nothing to test it on
    ends = VALUE if exact else TEST
    return [
        *(AXES[1:] if one_workload else AXES),
        *([VAL, ends, VERDICT] if validated else [ends]),
        STATUS,
        LOSS,
        *([] if exact else [GAP]),
        *([STEPS] if validated else []),
        *([STEP_TIME] if timed else []),
        *([TIME] if validated and timed else []),
        DIGEST,
    ]


def table(cells: Sequence[Row], validated: bool, timed: bool) -> Table:
    """Every cell: the best by validation first, those without a value last, else in grid order.

    Args:
        cells: summary rows with their verdicts, and with their timings if ``timed``.
        validated: whether there is a validation split, and so a target.
        timed: whether the study has timings.
    """
    shown = columns(cells, validated, timed)
    return Table(shown, [fields(row, shown) for row in ranked(cells)])


def ranked(cells: Sequence[Row]) -> list[Row]:
    """Each workload's cells, best first by validation; equals stay in grid order."""
    return [row for rows in grouped(cells, ("workload",)) for row in sorted(rows, key=_rank)]


def _rank(row: Row) -> tuple[bool, float]:
    value = row["val_metric_mean"]
    sign = -1 if metric(row["workload"]).direction == "max" else 1
    return value is None, 0.0 if value is None else sign * value


def fields(row: Row, columns: Sequence[Column]) -> list[Field]:
    """A row's cells, column by column."""
    judged = metric(row["workload"])
    return [
        Field(column.words(row, judged), column.numeric, _lost(row) if column is STATUS else "")
        for column in columns
    ]


def _lost(row: Row) -> str:
    """How a cell's status looks; cells that all came to something look like ``ok``."""
    return "failed" if row["status"] == "ok" and row["failed"] else str(row["status"])
