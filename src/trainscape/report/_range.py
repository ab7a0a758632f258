"""Learning-rate range tests in words: what they suggest, and how far the grid's best is off."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from trainscape.analysis import NEAR, Row, agreement
from trainscape.figures.values import number
from trainscape.report._table import Column, Field, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trainscape.workloads import Metric

    Told = tuple[str, str, str, Callable[[Row], str]]  # key, title, about, what it says

TITLE = "Learning-rate range test"


def lead(tests: Sequence[Row]) -> str:
    """How to read the figures, and how well the suggestions agree with the grid.

    Args:
        tests: the range tests of one workload.
    """
    how = (
        "The rate rises at every step. A dot marks the suggestion: where the smoothed training "
        "loss, the mean over the seeds, falls most steeply on logarithmic axes."
    )
    return f"{how} {_compared(tests)}" if _ranked(tests) else how


def _compared(tests: Sequence[Row]) -> str:
    found = agreement(tests)
    best = (
        "A triangle on the axis marks the best rate of the grid by validation, over all schedules "
        "of that optimizer and batch size."
    )
    if found["median_factor"] is None:
        return f"{best} No test suggests a rate."
    return (
        f"{best} Over {_tests(found['compared'])}, the suggestion is off by a factor of "
        f"{number(found['median_factor'])} in the median, and {100 * found['near']:.0f}% are "
        f"within a factor of {number(NEAR)}."
    )


def _tests(count: int) -> str:
    return "1 test" if count == 1 else f"{count} tests"


def caption(tests: Sequence[Row]) -> str:
    """What the figure of one optimizer shows: its suggestions."""
    said = [
        f"{number(row['suggestion'])} at batch size {row['batch_size']}"
        for row in tests
        if row["suggestion"] is not None
    ]
    return f"{tests[0]['optimizer']}: " + (", ".join(said) if said else "no suggestion") + "."


def alt(tests: Sequence[Row]) -> str:
    """What a reader who can't see the figure needs."""
    sizes = ", ".join(str(row["batch_size"]) for row in tests)
    return (
        f"Smoothed training loss of {tests[0]['optimizer']} against a rising learning rate, one "
        f"line per batch size ({sizes}). Suggestions: {caption(tests)}"
    )


def table(tests: Sequence[Row]) -> Table:
    """A row per test; without the grid's best where nothing is ranked.

    Args:
        tests: the range tests of one workload.
    """
    ranked = [
        ("best_lr", "grid's best", "best lr by validation, over all schedules", _rate("best_lr")),
        ("schedule", "its schedule", "that lr's schedule", lambda row: row["schedule"] or "–"),
        ("factor", "suggestion ÷ best", "1 is perfect", _rate("factor")),
    ]
    told: list[Told] = [
        ("optimizer", "optimizer", "the update rule", lambda row: str(row["optimizer"])),
        ("batch_size", "batch", "examples a step", lambda row: str(row["batch_size"])),
        ("suggestion", "suggestion", "where the loss falls most steeply", _rate("suggestion")),
        *(ranked if _ranked(tests) else []),
        *(
            [("status", "remarks", "what else happened", _remarks)]
            if any(map(_remarks, tests))
            else []
        ),
    ]
    columns = [
        Column(key, title, about, partial(_said, say), key not in WORDS)
        for key, title, about, say in told
    ]
    rows = [[Field(say(row), numeric=key not in WORDS) for key, _, _, say in told] for row in tests]
    return Table(columns, rows)


def _said(say: Callable[[Row], str], row: Row, _: Metric) -> str:
    return say(row)


WORDS = ("optimizer", "schedule", "status")  # columns that are no numbers


def _ranked(tests: Sequence[Row]) -> bool:
    return any(row["best_lr"] is not None for row in tests)


def _rate(key: str) -> Callable[[Row], str]:
    return lambda row: "–" if row[key] is None else number(row[key])


def _remarks(row: Row) -> str:
    """What a reader should know before trusting the suggestion."""
    if row["status"] == "oom":
        return "out of memory"
    remarks = [f"{row['diverged']} of {row['seeds']} seeds diverged"] if row["diverged"] else []
    if row["suggestion"] is None:
        remarks.append("the loss did not fall")
    elif not row["diverged"] and row["minimum_lr"] == row["end_lr"]:
        remarks.append("still falling at the highest rate")
    return ", ".join(remarks)
