"""The first screen: the finding as a heading, what it rests on in a line, and cards to act on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trainscape.analysis import metric
from trainscape.analysis.functions import is_function
from trainscape.figures.values import duration, number, points, score
from trainscape.numerals import counted
from trainscape.report._answer import cell_name, span
from trainscape.report._times import doubts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trainscape.report._page import Page
    from trainscape.workloads import Metric


LEVEL = 0.95  # of intervals, where nothing else is said


@dataclass(frozen=True)
class Card:
    """One thing to act on.

    Args:
        title: the question that it answers.
        value: the number, large.
        interval: its uncertainty, beside it.
        setting: what to set.
        detail: how to read it.
        copied: what is copied, as JSON: a cell, or an optimizer and a rate; empty for nothing.
    """

    title: str
    value: str
    interval: str
    setting: str
    detail: str
    copied: str = ""


@dataclass(frozen=True)
class First:
    """The first screen of one workload."""

    workload: str
    heading: str
    facts: str
    cards: list[Card]


def first(page: Page) -> list[First]:
    """The first screen of every workload, in the study's order."""
    return [
        First(name, _heading(name, own), _facts(name, own, page), _cards(name, own, page))
        for name, own in page.found.items()
    ]


def _heading(workload: str, own: Mapping[str, Any]) -> str:
    """The finding in words."""
    chosen, judged = own["chosen"], metric(workload)
    if not own["validated"]:
        if is_function(workload):
            return f"Nothing is selected on {workload}: a function has no data to hold out"
        return f"Nothing is selected on {workload}: there is no validation split"
    if chosen is None:
        return f"No setting came to its end with every seed on {workload}"
    value = score(chosen["test"]["mean"], judged, unit=True)
    cell, tied = chosen["cell"], len(own["tied"])
    if own["seeds"] < 2:
        found = f"{_setting(cell)} did best on {workload} ({value}), with one seed"
    elif tied == 1:
        found = f"{_setting(cell)} is the best setting on {workload} ({value})"
    else:
        which = "the cheapest" if chosen["equal"] > 1 else "the likeliest"
        found = (
            f"{_many(tied)} settings cannot be told from the best on {workload}; "
            f"{which} reaches {value}"
        )
    return found + _forgiving(own)


def _many(count: int) -> str:
    words = ("Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")
    return words[count - 2] if count - 2 < len(words) else str(count)


def _setting(cell: Mapping[str, Any]) -> str:
    return f"{cell['optimizer']} at {number(cell['lr'])}, batch {cell['batch_size']}"


def _forgiving(own: Mapping[str, Any]) -> str:
    """Which optimizer asks for the least tuning, if one stands out."""
    found = own.get("most_forgiving")
    if not found or not found["clear"]:
        return ""
    rates = f"{number(found['low'], 2)} to {number(found['high'], 2)}"
    return f"; {found['optimizer']} is the most forgiving: {rates} at batch {found['batch_size']}"


def _facts(workload: str, own: Mapping[str, Any], page: Page) -> str:
    """Data, trials, budget, seeds and uncertainty in one line."""
    (unit, amount), *_ = page.study["budget"].items()
    trials = int((page.trials["workload"] == workload).sum())
    grid = own["grid"]
    parts = [
        f"{counted(grid['cells'], 'cell')} × {counted(grid['seeds'], 'seed')}",
        f"{trials:,} trials",
        f"{amount} {unit.removesuffix('s') if amount == 1 else unit} each",
    ]
    if own["confirmed"]:
        parts.append(f"{own['cells']} finalists again on {own['seeds']} fresh seeds")
    if own["validated"] and own["seeds"] > 1:
        parts.append("95% intervals")
    failed = own["failures"]["failed"]
    if failed:
        parts.append(f"{failed:,} trials no better than chance")
    diverged = own["failures"]["diverged"]
    parts.append(f"{diverged:,} trials diverged" if diverged else "none diverged")
    return " · ".join(parts)


def _cards(workload: str, own: Mapping[str, Any], page: Page) -> list[Card]:
    judged = metric(workload)
    soonest = (page.times.get("fastest") or {}).get(workload)
    cards = (
        _accurate(own, judged),
        _untuned(own, judged),
        fastest(soonest, page.times),
    )
    return [card for card in cards if card is not None]


def _accurate(own: Mapping[str, Any], judged: Metric) -> Card | None:
    """The setting to take among those that may be the best."""
    chosen = own["chosen"]
    if chosen is None:
        return None
    test, tied = chosen["test"], len(own["tied"])
    best = chosen["best"]
    if chosen["equal"] > 1:
        other = (
            f", by its mean {cell_name(best['cell'])} "
            f"({score(best['test']['mean'], judged, unit=True)})"
            if best
            else ""
        )
        detail = (
            f"The cheapest of {chosen['equal']} settings within "
            f"{points(own['margin'], judged.unit)} of the best{other}."
        )
    else:
        alone = "No other setting is within the margin of it"
        detail = f"{alone}; {tied} may be the best." if tied > 1 else f"{alone}."
    new = (
        f" With new data {span({'low': test['new_low'], 'high': test['new_high']}, judged)}."
        if test["new_low"] is not None
        else ""
    )
    return Card(
        title="Setting to take",
        value=score(test["mean"], judged, unit=True),
        interval="" if test["low"] is None else span(test, judged),
        setting=cell_name(chosen["cell"]),
        detail=detail + new,
        copied=json.dumps(chosen["cell"]),
    )


def _untuned(own: Mapping[str, Any], judged: Metric) -> Card | None:
    """The rate that is safe whatever the batch size and schedule."""
    if not own.get("untuned"):
        return None
    found, *others = own["untuned"]
    worst, tied = found["worst"], [row["optimizer"] for row in others if row["tied"]]
    return Card(
        title="Safest untuned",
        value=score(worst["mean"], judged, unit=True),
        interval="" if worst["low"] is None else span(worst, judged),
        setting=f"{found['optimizer']}, lr {number(found['lr'])}",
        detail=_sentences(
            "Its worst over all batch sizes and schedules of the grid, by validation.",
            f"Not told from it: {', '.join(tied)}." if tied else "",
        ),
        copied=json.dumps({"optimizer": found["optimizer"], "lr": found["lr"]}),
    )


def fastest(found: Mapping[str, Any] | None, times: Mapping[str, Any]) -> Card | None:
    """The setting that reaches the target soonest, and what times tell of it.

    Args:
        found: as :func:`trainscape.answers.fastest` makes it.
        times: ``timings.json``.
    """
    if not found:
        return None
    seconds, count, doubt = found["seconds"], found["count"], doubts(times)
    unknown = seconds["low"] is None
    few = "An interval needs more seeds than there are." if unknown else ""
    if count:
        overlap = "Their intervals of steps to the target × the time of a step overlap."
        return Card(
            title="Fastest to the target",
            value="not told apart",
            interval="",
            setting=f"{count + 1} settings, the first about {duration(seconds['median'])}",
            detail=_sentences(few or overlap, doubt),
        )
    known = seconds["low"] is not None and seconds["high"] is not None
    if found["parts"]:
        told = "no other setting's interval reaches it."
    elif found["others"]:
        told = "no other setting needs as few steps."
    else:
        told = "no other setting reaches the target."
    return Card(
        title="Fastest to the target",
        value=duration(seconds["median"]),
        interval=f"{duration(seconds['low'])} to {duration(seconds['high'])}" if known else "",
        setting=cell_name(found["cell"]),
        detail=_sentences(
            f"Steps to the target × the time of a step; {told}",
            _level(times["level"]) if known else few,
            doubt,
        ),
        copied=json.dumps(found["cell"]),
    )


def _level(level: float) -> str:
    """How often the interval holds, where few seeds make that less often than others do."""
    return f"So few seeds give a {number(100 * level, 4)}% interval." if level < LEVEL else ""


def _sentences(*parts: str) -> str:
    return " ".join(part for part in parts if part)
