"""Optimizers compared, each at its best setting, in words and as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainscape.analysis import metric
from trainscape.figures.values import number, points, score, signed
from trainscape.report._answer import span
from trainscape.report._claim import Claim
from trainscape.report._table import Column, Table, as_it_is, fields

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trainscape.analysis import Row
    from trainscape.workloads import Metric


VERDICTS = {
    "reference": "reference",
    "better": "better",
    "worse": "worse",
    "equal": "equal",
    "undecided": "undecided",
}


def optimizers(workload: str, own: Mapping[str, Any]) -> Claim | None:
    """Each optimizer at its best, beside that of the chosen setting."""
    rows: list[Row] = [{**row, "workload": workload} for row in own["optimizers"]]
    if len(rows) < 2:
        return None
    judged = metric(workload)
    margin = points(own["margin"], judged.unit)
    rests = (
        f"Each optimizer at its best setting by validation, on {own['seeds']} fresh seeds."
        if own["confirmed"]
        else "Each optimizer at its best setting by validation, on the seeds that selected it."
    )
    words = (
        f"{rests} Differences are paired by seed, in test {judged.name}"
        + (" (positive is better)" if judged.direction == "min" else "")
        + (", with 95% intervals that hold for all of them at once" if own["seeds"] > 1 else "")
        + f"; up to {margin} counts as equal."
        + _summed_up(rows)
        + " How forgiving an optimizer is: the width of learning rates within the margin of its "
        "best, what it loses over a decade of rates on either side, the best of five random "
        "settings, its safest rate over all batch sizes and schedules, and its share of "
        "trials that failed or diverged."
    )
    return Claim(workload, "optimizers", "Optimizers compared", words, Table(*_laid(rows, judged)))


def _summed_up(rows: Sequence[Row]) -> str:
    """The verdicts in a sentence."""
    reference = next(row["optimizer"] for row in rows if row["verdict"] == "reference")
    parts = []
    for verdict, word in (
        ("better", "better"),
        ("equal", "equal"),
        ("undecided", "not told apart"),
        ("worse", "worse"),
    ):
        names = [row["optimizer"] for row in rows if row["verdict"] == verdict]
        if names:
            parts.append(f"{', '.join(names)}: {word}")
    return f" Beside {reference}, {'; '.join(parts)}." if parts else ""


def _laid(rows: Sequence[Row], judged: Metric) -> tuple[list[Column], list[list[Any]]]:
    columns = [
        Column("optimizer", "optimizer", "the update rule", as_it_is("optimizer"), False),
        Column("setting", "at its best", "batch size, lr, schedule", _setting, False),
        Column("mean", f"test {judged.name}", "mean, 95% interval over new seeds", _value),
        Column("apart", "difference", "to the reference, 95% for all at once", _difference),
        Column("verdict", "verdict", "beyond the interval and the margin", _verdict, False),
        Column("width", "lr width", "decades of lr within the margin of its best", _width),
        Column("sensitivity", "lr sensitivity", "mean loss given up within a decade", _plain),
        Column("five", "best of 5", "expected best validation of 5 random settings", _five),
        Column("safe", "safest lr", "the best worst case over batches and schedules", _safe),
        Column("lost", "failed", "share of its trials that failed or diverged", _lost),
    ]
    flat = [
        {
            **row,
            "mean": row["test"]["mean"],
            "apart": row["difference"] and row["difference"]["mean"],
            **row["forgiving"],
        }
        for row in rows
    ]
    return columns, [fields(row, columns) for row in flat]


def _setting(row: Row, _: Metric) -> str:
    cell = row["cell"]
    return f"batch {cell['batch_size']}, lr {number(cell['lr'])}, {cell['schedule']}"


def _value(row: Row, judged: Metric) -> str:
    test = row["test"]
    if test["low"] is None:
        return score(test["mean"], judged)
    return f"{score(test['mean'], judged)} ({span(test, judged)})"


def _difference(row: Row, judged: Metric) -> str:
    found = row["difference"]
    if found is None or found["low"] is None:
        return "–"
    mean, low, high = (signed(found[name], judged.unit) for name in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})"


def _verdict(row: Row, _: Metric) -> str:
    return VERDICTS[row["verdict"]]


def _width(row: Row, _: Metric) -> str:
    if row["width"] is None:
        return "–"
    return ("≥ " if row["width_edge"] else "") + number(row["width"], 2)


def _plain(row: Row, _: Metric) -> str:
    return "–" if row["sensitivity"] is None else number(row["sensitivity"], 2)


def _five(row: Row, judged: Metric) -> str:
    return "–" if row["five"] is None else score(row["five"], judged)


def _safe(row: Row, judged: Metric) -> str:
    if row["safe"] is None:
        return "–"
    return f"{number(row['safe'])} ({score(row['safe_value'], judged)})"


def _lost(row: Row, _: Metric) -> str:
    return f"{100 * row['lost']:.0f}%"
