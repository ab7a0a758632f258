"""The first paragraph: which setting to take, how sure that is, and what it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainscape.analysis import Row, metric, records
from trainscape.analysis.functions import is_function
from trainscape.figures.values import number, points, score
from trainscape.numerals import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from trainscape.analysis import Searched
    from trainscape.workloads import Metric


@dataclass(frozen=True)
class Answer:
    """What is said of one workload.

    Args:
        workload: its name.
        opening: the first sentence, in parts: text, and whether it stands out.
        paragraphs: in sentences, how sure that is; then what else a reader must know first.
    """

    workload: str
    opening: list[tuple[str, bool]]
    paragraphs: list[list[str]]


def answers(
    study: Mapping[str, Any],
    found: Mapping[str, Mapping[str, Any]],
    trials: pd.DataFrame,
    searched: Searched | None = None,
    notes: Mapping[str, Sequence[str]] | None = None,
) -> list[Answer]:
    """One answer per workload, in the study's order.

    Args:
        study: the study as plain data; its ``budget``, ``last_batch`` and ``order`` are read.
        found: by workload, what :mod:`trainscape.answers` found.
        trials: the study's trials.
        searched: what was trained of the grid, if not all.
        notes: by workload, what to know of its grid.
    """
    made = []
    for workload, own in found.items():
        runs = trials[trials["workload"] == workload]
        about = [
            _search(workload, own["grid"]["cells"], searched),
            _failures(own["failures"]),
            _budget(study, records(runs)) + _epochs(study),
            *(notes or {}).get(workload, []),
            _backends(runs),
        ]
        told = [[s for s in part if s] for part in (_certainty(workload, own), about)]
        made.append(Answer(workload, _opening(workload, own), [part for part in told if part]))
    return made


def cell_name(cell: Mapping[str, Any]) -> str:
    """A cell in words."""
    return (
        f"{cell['optimizer']}, batch size {cell['batch_size']}, lr {number(cell['lr'])}, "
        f"{cell['schedule']}"
    )


def span(interval: Mapping[str, Any], judged: Metric) -> str:
    """An interval in the metric's unit, such as ``97.9 to 98.5%``."""
    low, high = score(interval["low"], judged), score(interval["high"], judged, unit=True)
    return f"{low} to {high}"


def _opening(workload: str, own: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """Which setting to take, and what it comes to."""
    chosen, judged = own["chosen"], metric(workload)
    if chosen is None:
        if own["validated"]:
            return [("no cell came to its end with every seed, so none is best.", False)]
        if is_function(workload):
            return [("a function without data, so there is nothing to select by.", False)]
        words = (
            "there is no validation split, so nothing is selected or ranked. Figures and table "
            "show every cell; to choose one by its test value would make that value too good."
        )
        return [(words, False)]
    value = score(chosen["test"]["mean"], judged, unit=True)
    return [
        (_beginning(own), False),
        (cell_name(chosen["cell"]), True),
        (f"{_rule(chosen)}. Its test {judged.name} is ", False),
        (value, True),
        (_intervals(chosen["test"], judged, own), False),
    ]


def _beginning(own: Mapping[str, Any]) -> str:
    """What comes before the name of the setting."""
    tied, equal = len(own["tied"]), own["chosen"]["equal"]
    if own["seeds"] < 2:
        return "with one seed it cannot be said which settings are really worse; take "
    if tied == 1 and equal == 1:
        return "one setting is better by validation than all others: "
    near = f"within {points(own['margin'], own['metric']['unit'])} of it in the mean"
    if tied == 1:
        others = f"{counted(equal - 1, 'other')} {'is' if equal == 2 else 'are'} {near}"
        return f"one setting is better by validation than all others, and {others}; take "
    if equal == 1:
        return f"any of {tied} settings may be the best by validation, most likely "
    which = "all of them" if equal == tied else f"{equal} settings"
    return f"any of {tied} settings may be the best by validation, and {which} are {near}; take "


def _rule(chosen: Mapping[str, Any]) -> str:
    """Why this one of those that are as good: the rules that left fewer than there were."""
    steps = number(chosen["steps"]) if chosen["steps"] is not None else "–"
    words = {
        "steps": f"which trains in the fewest steps of these ({steps})",
        "room": "which lies deepest among learning rates that do as well",
        "batch": "which has the smallest batch",
        "mean": "which has the best mean",
        "lr": "which has the lowest rate",
        "label": "which comes first by name",
    }
    before, said = chosen["equal"], []
    for rule, left in chosen["left"].items():
        if left < before:
            said.append(words[rule])
        before = left
    return f", {' and '.join(said)}" if said else ""


def _intervals(test: Mapping[str, Any], judged: Metric, own: Mapping[str, Any]) -> str:
    """Both uncertainties of the test value, in words."""
    if test["low"] is None:
        return "."
    seeds = f": 95% interval {span(test, judged)} over new seeds"
    if test["new_low"] is None:
        return f"{seeds}."
    whole = span({"low": test["new_low"], "high": test["new_high"]}, judged)
    examples = own["examples"]["test"]
    return f"{seeds}, {whole} over new data, too, as the test set has {examples:,} examples."


def _certainty(workload: str, own: Mapping[str, Any]) -> list[str]:
    """What the choice rests on, and whether a better one may lie beyond."""
    chosen, grid, judged = own["chosen"], own["grid"], metric(workload)
    if chosen is None:
        return []
    trained = f"{counted(grid['cells'], 'cell')} trained on {counted(grid['seeds'], 'seed')}"
    if own["confirmed"]:
        basis = (
            f"{trained}. {own['cells']} of them, the most promising and the best of every "
            f"optimizer, trained again on {own['seeds']} fresh seeds; all that is said here of "
            f"{judged.name} rests on those alone."
        )
    elif own["seeds"] < 2:
        basis = f"{trained}: that is one seed, so its spread is unknown."
    else:
        basis = (
            f"{trained}. The best of {grid['cells']} owes something to luck on these seeds and on "
            f"this validation split (its validation {judged.name}, "
            f"{score(chosen['validation']['mean'], judged, unit=True)}, is too good by that); its "
            "test value was not selected by. Fresh seeds (confirm in params.yaml) would tell."
        )
    return [basis, _lr_range(own), *_ends(chosen)]


def _lr_range(own: Mapping[str, Any]) -> str:
    """How far the rate may be moved at this setting."""
    rates = own["lr_range"]
    if len(rates) < 2:
        return ""
    low, high = number(rates[0]), number(rates[-1])
    return (
        f"At its batch size and schedule, the grid's {own['grid']['seeds']} seeds do not tell "
        f"learning rates from {low} to {high} from the best either."
    )


def _ends(chosen: Mapping[str, Any]) -> list[str]:
    """Whether the chosen cell ends an axis."""
    words = {"lr": "lr", "batch_size": "batch size"}
    return [
        f"Its {words[axis]} is the {end} tried with {chosen['cell']['optimizer']}: a better one "
        "may lie beyond."
        for axis, end in chosen["edges"].items()
    ]


def _search(workload: str, count: int, searched: Searched | None) -> str:
    """How much of the grid was trained, and what therefore can't be claimed."""
    if searched is None:
        return ""
    every = sum(cell["workload"] == workload for cell in searched.grid)
    rounds = len(searched.rounds[workload])
    how = f"in {counted(rounds, 'round')}, seed {searched.seed}"
    return (
        f"Of the grid's {every} cells {count} were trained, as {searched.method} proposed them "
        f"({how}): a better one may be among the others, and what an axis does over the whole "
        "grid cannot be said."
    )


def _failures(found: Mapping[str, Any]) -> str:
    """How many trials learned nothing, diverged or did not fit."""
    trials, failed, diverged = found["trials"], found["failed"], found["diverged"]
    parts = []
    if failed:
        parts.append(f"{failed:,} ended no better than chance")
    parts.append(f"{diverged:,} diverged to NaN" if diverged else "none diverged to NaN")
    if found["oom"]:
        parts.append(f"{found['oom']:,} ran out of memory")
    return f"Of {trials:,} trials " + ", ".join(parts) + "."


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
