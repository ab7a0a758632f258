"""The table of all cells: what its columns are, how a value is written and sorted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from trainscape.analysis import Row, best, edge, grouped, metric, ties
from trainscape.figures.values import deviation, duration, number, score

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from trainscape.workloads import Metric

    Say = Callable[[Row, Metric], str]


@dataclass(frozen=True)
class Column:
    """A column.

    Args:
        key: the row's key that it is sorted by.
        title: stands at its head.
        about: explains the title.
        say: writes a row's value.
        numeric: whether it is sorted as a number.
    """

    key: str
    title: str
    about: str
    say: Say
    numeric: bool = True


@dataclass(frozen=True)
class Field:
    """A table cell: its words, and the number that it is sorted by, if it is one and known."""

    text: str
    value: str = ""
    numeric: bool = False
    status: str = ""


@dataclass(frozen=True)
class Table:
    """What the template lays out."""

    columns: list[Column]
    rows: list[list[Field]]


def _plain(key: str) -> Say:
    return lambda row, _: "–" if row[key] is None else str(row[key])


def _short(key: str) -> Say:
    return lambda row, _: "–" if row[key] is None else number(row[key])


def _scored(name: str) -> Say:
    def say(row: Row, judged: Metric) -> str:
        say = partial(score, metric=judged)
        about = partial(deviation, metric=judged)
        return _spread(row[f"{name}_mean"], row[f"{name}_std"], say, about)

    return say


def _spread(
    mean: float | None,
    std: float | None,
    say: Callable[[float], str],
    about: Callable[[float], str],
) -> str:
    if mean is None:
        return "–"
    return say(mean) + ("" if std is None else f" ± {about(std)}")


def _status(row: Row, _: Metric) -> str:
    if row["status"] == "diverged":
        return f"diverged {row['diverged']}/{row['seeds']}"
    return str(row["status"])


def _steps(row: Row, _: Metric) -> str:
    if row["steps_to_target"] is None:
        return "not reached" + (f" ({row['reached']}/{row['seeds']})" if row["reached"] else "")
    return f"{row['steps_to_target']:g} ({row['reached']}/{row['seeds']})"


def _seconds(key: str) -> Say:
    def say(row: Row, _: Metric) -> str:
        if row["step_time_s"] is None:
            return "not measured here"
        return "–" if row[key] is None else duration(row[key])

    return say


def rough(value: float) -> str:
    """A spread is itself uncertain: two digits say all there is."""
    return number(value, 2)


def _losses(row: Row, _: Metric) -> str:
    return _spread(row["train_loss_mean"], row["train_loss_std"], number, rough)


AXES = [
    Column("workload", "workload", "dataset, model, loss and metric", _plain("workload"), False),
    Column("optimizer", "optimizer", "the update rule", _plain("optimizer"), False),
    Column("batch_size", "batch", "batch size: examples a step", _plain("batch_size")),
    Column("lr", "lr", "peak learning rate", _short("lr")),
    Column("schedule", "schedule", "what multiplies the rate", _plain("schedule"), False),
]
STANDING = Column(
    "standing",
    "standing",
    "best by validation, or not told apart from it",
    _plain("standing"),
    False,
)
STATUS = Column("status", "status", "ok, diverged or out of memory", _status, False)
VAL = Column("val_metric_mean", "validation", "mean ± std over seeds", _scored("val_metric"))
TEST = Column("test_metric_mean", "test", "mean ± std over seeds", _scored("test_metric"))
LOSS = Column("train_loss_mean", "train loss", "last running mean, mean ± std", _losses)
GAP = Column(
    "generalisation_gap",
    "gap",
    "test loss − loss on training examples, same weights",
    _short("generalisation_gap"),
)
STEPS = Column("steps_to_target", "steps to target", "median (seeds that reached it)", _steps)
STEP_TIME = Column("step_time_s", "step time", "median, measured alone", _seconds("step_time_s"))
TIME = Column(
    "time_to_target_s", "time to target", "steps × step time", _seconds("time_to_target_s")
)
DIGEST = Column("digest", "digest", "first 12 digits", _plain("digest"), False)


def standing(cells: Sequence[Row], trials: pd.DataFrame) -> list[Row]:
    """The rows with where each stands: ``best`` of its workload, ``tied`` with it, or empty."""
    marks: dict[str, str] = {}
    for own in grouped(cells, ("workload",)):
        if chosen := best(own):
            marks |= {row["digest"]: "tied" for row in ties(chosen, own, trials) or []}
            marks[chosen["digest"]] = "best"
    return [{**row, "standing": marks.get(row["digest"], "")} for row in cells]


def table(cells: Sequence[Row], validated: bool, timed: bool) -> Table:
    """Every cell: the best by validation first, those without a value last, else in grid order.

    Args:
        cells: summary rows with their standing, and with their timings if ``timed``.
        validated: whether there is a validation split, and so a target.
        timed: whether the study has timings.
    """
    ranking = [STEPS] if validated else []
    seconds = [STEP_TIME, *([TIME] if validated else [])] if timed else []
    measures = [
        *([VAL] if validated else []),
        TEST,
        *([STANDING] if validated else []),
        STATUS,
        LOSS,
        GAP,
        *ranking,
        *seconds,
    ]
    alone = len({row["workload"] for row in cells}) == 1
    columns = [*AXES[alone:], *measures, DIGEST]
    return Table(columns, [fields(row, columns) for row in ranked(cells)])


def ranked(cells: Sequence[Row]) -> list[Row]:
    """Each workload's cells, best first by validation; equals stay in grid order."""
    return [row for own in grouped(cells, ("workload",)) for row in sorted(own, key=_rank)]


def _rank(row: Row) -> tuple[bool, float]:
    value = row["val_metric_mean"]
    sign = -1 if metric(row["workload"]).direction == "max" else 1
    return value is None, 0.0 if value is None else sign * value


def leaders(cells: Sequence[Row]) -> list[tuple[str, Table]]:
    """For every workload the best cell by validation of each optimizer; nothing without one."""
    columns = [*AXES[1:], VAL, TEST, STEPS]
    found = []
    for own in grouped(cells, ("workload",)):
        chosen = [row for group in grouped(own, ("optimizer",)) if (row := best(group))]
        flagged = [Column("edge", "edge", "at an end of an axis?", _edge(own), False)]
        rows = [fields({**row, "edge": None}, columns + flagged) for row in chosen]
        found.append((str(own[0]["workload"]), Table(columns + flagged, rows)))
    return found


def _edge(own: Sequence[Row]) -> Say:
    def say(row: Row, _: Metric) -> str:
        axes = {"lr": "lr", "batch size": "batch_size"}
        ends = {word: edge(row, own, axis) for word, axis in axes.items()}
        return ", ".join(f"{end} {word} tried" for word, end in ends.items() if end)

    return say


def fields(row: Row, columns: Sequence[Column]) -> list[Field]:
    """A row's cells, column by column."""
    judged = metric(row["workload"])
    made = []
    for column in columns:
        value = row[column.key] if column.numeric else None
        status = row["status"] if column is STATUS else ""
        exact = "" if value is None else repr(value)
        made.append(Field(column.say(row, judged), exact, column.numeric, status))
    return made
