"""Learning-rate range tests in words: what they suggest, and how far the grid's best is off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape.analysis import NEAR, Row, agreement
from trainscape.figures.values import number
from trainscape.report._table import Column, Table, as_it_is, fields, short_number

if TYPE_CHECKING:
    from collections.abc import Sequence


TITLE = "Learning-rate range test"


def lead(tests: Sequence[Row]) -> str:
    """How to read the figures, and how close the suggestions are to the grid's best rates.

    Args:
        tests: the range tests of one workload.
    """
    how = (
        "The rate rises at every step. A dot marks the suggestion: where the smoothed training "
        "loss, the mean over the seeds, falls most steeply on logarithmic axes."
    )
    return f"{how} {_agreement(tests)}" if _has_best_rates(tests) else how


def _agreement(tests: Sequence[Row]) -> str:
    found = agreement(tests)
    best = (
        "A triangle on the axis marks the best rate of the grid by validation, over all schedules "
        "of that optimizer and batch size."
    )
    if found["median_factor"] is None:
        return f"{best} No test suggests a rate."
    count = "1 test" if found["compared"] == 1 else f"{found['compared']} tests"
    return (
        f"{best} Over {count}, the suggestion is off by a factor of "
        f"{number(found['median_factor'])} in the median, and {100 * found['near']:.0f}% are "
        f"within a factor of {number(NEAR)}."
    )


def caption(tests: Sequence[Row]) -> str:
    """The suggestions for one optimizer."""
    suggestions = [
        f"{number(row['suggestion'])} at batch size {row['batch_size']}"
        for row in tests
        if row["suggestion"] is not None
    ]
    return f"{tests[0]['optimizer']}: " + (", ".join(suggestions) or "no suggestion") + "."


def alt(tests: Sequence[Row]) -> str:
    """For readers who can't see the figure: its axes, its lines and the suggestions."""
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
    columns = [
        Column("optimizer", "optimizer", "the update rule", as_it_is("optimizer"), False),
        Column("batch_size", "batch", "examples a step", as_it_is("batch_size")),
        Column(
            "suggestion",
            "suggestion",
            "where the loss falls most steeply",
            short_number("suggestion"),
        ),
    ]
    if _has_best_rates(tests):
        columns += [
            Column(
                "best_lr",
                "grid's best",
                "best lr by validation, over all schedules",
                short_number("best_lr"),
            ),
            Column("schedule", "its schedule", "that lr's schedule", as_it_is("schedule"), False),
            Column("factor", "suggestion ÷ best", "1 is perfect", short_number("factor")),
        ]
    if any(_remarks(row) for row in tests):
        columns.append(
            Column("status", "remarks", "what else happened", lambda row, _: _remarks(row), False)
        )
    return Table(columns, [fields(row, columns) for row in tests])


def _has_best_rates(tests: Sequence[Row]) -> bool:
    """Whether the grid has best rates to compare with: there is a validation split."""
    return any(row["best_lr"] is not None for row in tests)


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
