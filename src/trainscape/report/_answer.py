"""The first paragraph: which cell is best, how sure that is, and what it cost to ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainscape.analysis import Row, best, edge, metric, records, ties
from trainscape.figures.values import deviation, duration, number, score

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from trainscape.analysis import Searched


@dataclass(frozen=True)
class Answer:
    """What is said of one workload.

    Args:
        workload: its name.
        best: the best cell by validation; empty where there is none.
        score: its test metric; empty likewise.
        sentences: how sure that is, and what else a reader must know first.
    """

    workload: str
    best: str
    score: str
    sentences: list[str]


def answers(
    study: Mapping[str, Any],
    cells: Sequence[Row],
    trials: pd.DataFrame,
    searched: Searched | None = None,
    notes: Mapping[str, Sequence[str]] | None = None,
) -> list[Answer]:
    """One answer per workload, in the study's order.

    Args:
        study: the study as plain data; its ``budget``, ``last_batch`` and ``order`` are read.
        cells: summary rows.
        trials: the study's trials.
        searched: what was trained of the grid, if not all.
        notes: by workload, what to know of its grid.
    """
    found = []
    for workload in dict.fromkeys(row["workload"] for row in cells):
        rows = [row for row in cells if row["workload"] == workload]
        runs = trials[trials["workload"] == workload]
        chosen = best(rows)
        common = [
            _search(workload, rows, searched),
            _failures(rows),
            _budget(study, records(runs)) + _epochs(study),
            *(notes or {}).get(workload, []),
            _backends(runs),
        ]
        sentences = [*([] if chosen is None else _certainty(chosen, rows, runs)), *common]
        found.append(
            Answer(workload, _cell_name(chosen), _test_score(chosen), [s for s in sentences if s])
        )
    return found


def _search(workload: str, rows: Sequence[Row], searched: Searched | None) -> str:
    """How much of the grid was trained, and what therefore can't be claimed."""
    if searched is None:
        return ""
    every = sum(cell["workload"] == workload for cell in searched.grid)
    rounds = len(searched.rounds[workload])
    how = f"in {rounds} round{'s' * (rounds != 1)}, seed {searched.seed}"
    return (
        f"Of the grid's {every} cells {len(rows)} were trained, as {searched.method} proposed them "
        f"({how}): a better one may be among the others, and what an axis does over the whole "
        "grid cannot be said."
    )


def _cell_name(chosen: Row | None) -> str:
    if chosen is None:
        return ""
    return (
        f"{chosen['optimizer']}, batch size {chosen['batch_size']}, lr {number(chosen['lr'])}, "
        f"{chosen['schedule']}"
    )


def _test_score(chosen: Row | None) -> str:
    """Mean ± standard deviation of the test metric."""
    if chosen is None:
        return ""
    judged, spread = metric(chosen["workload"]), chosen["test_metric_std"]
    mean = score(chosen["test_metric_mean"], judged)
    unit = "%" if judged.unit == "fraction" else f" {judged.unit}".rstrip()
    if spread is None:
        return f"{judged.name} {mean}{unit}"
    return f"{judged.name} {mean} ± {deviation(spread, judged)}{unit}"


def _deviation(chosen: Row) -> str:
    """What the ± is."""
    if chosen["test_metric_std"] is None:
        return "That is one seed, so its spread is unknown."
    return f"The ± is the standard deviation over {chosen['seeds']} seeds."


def _certainty(chosen: Row, rows: Sequence[Row], trials: pd.DataFrame) -> list[str]:
    """How sure it is that this cell is the best, and whether a better one may lie beyond."""
    others, tied = len(rows) - 1, ties(chosen, rows, trials)
    if tied is None:
        others_worse = "With one seed, it cannot be said which cells are really worse."
    elif tied:
        others_worse = (
            f"{len(tied)} of the {others} other cells cannot be told apart from it by validation"
            f"{_first_at_target(chosen, tied)}."
        )
    else:
        others_worse = f"Each of the {others} other cells is worse by validation." if others else ""
    ends = [
        f"The best {word} is the {end} tried with {chosen['optimizer']}: a better one may lie "
        "beyond."
        for word, axis in (("lr", "lr"), ("batch size", "batch_size"))
        if (end := edge(chosen, rows, axis))
    ]
    return [_deviation(chosen), others_worse, *ends]


def _first_at_target(chosen: Row, tied: Sequence[Row]) -> str:
    """Of equally good cells the one that reaches the target first, and so costs least."""
    for key, in_words in (("time_to_target_s", duration), ("steps_to_target", _steps)):
        known = [row for row in (chosen, *tied) if row.get(key) is not None]
        if known:
            first = min(known, key=lambda row: row[key])
            if first is chosen:
                return "; none of them reaches the target sooner"
            cost = in_words(first[key])
            if chosen.get(key) is not None:
                cost += f" instead of {in_words(chosen[key])}"
            return f"; of these, {_cell_name(first)} reaches the target first, in {cost}"
    return ""


def _steps(count: float) -> str:
    return f"{number(count)} steps"


def _failures(rows: Sequence[Row]) -> str:
    """How many trials diverged, and how many cells ran out of memory."""
    trials, diverged = sum(row["seeds"] for row in rows), sum(row["diverged"] for row in rows)
    cells = sum(row["status"] == "diverged" for row in rows)
    oom = sum(row["status"] == "oom" for row in rows)
    sentence = f"None of the {trials} trials diverged to NaN."
    if diverged:
        where = f"in {cells} of {len(rows)} cells"
        sentence = f"{diverged} of {trials} trials diverged to NaN, {where}."
    return sentence + (f" {oom} cells ran out of memory." if oom else "")


def _budget(study: Mapping[str, Any], trials: Sequence[Row]) -> str:
    """How long every trial trains, and what that means for small and large batches."""
    (unit, amount), *_ = study["budget"].items()
    words = f"{amount} {unit.removesuffix('s') if amount == 1 else unit}"
    sizes = {row["batch_size"]: row["steps"] for row in trials if row["steps"] is not None}
    if not sizes:
        return f"Every trial has a budget of {words}."
    small, large = min(sizes), max(sizes)
    given = f"Every trial trains for {words}"
    if small == large:
        return f"{given}." if unit == "steps" else f"{given}, {sizes[small]} updates."
    if unit == "steps":
        return f"{given}, so that larger batches see more examples."
    return (
        f"{given}; equal epochs mean fewer updates at larger batches: {sizes[small]} at batch "
        f"size {small}, {sizes[large]} at {large}."
    )


def _epochs(study: Mapping[str, Any]) -> str:
    """What an epoch is, where it is not every example in an order drawn anew."""
    dropped, fixed = study.get("last_batch") == "drop", study.get("order") == "fixed"
    return (" An epoch leaves out the examples that fill no whole batch." if dropped else "") + (
        " Every epoch takes the examples in the dataset's order." if fixed else ""
    )


def _backends(trials: pd.DataFrame) -> str:
    counts = trials["backend"].value_counts(sort=False).sort_index()
    names = [str(name) for name in counts.index]
    if len(names) == 1:
        return f"Trained on the backend {names[0]}."
    parts = ", ".join(
        f"{count} trials on {name}" for name, count in zip(names, counts, strict=True)
    )
    return f"The backends are mixed ({parts}): last digits may differ between them."
