"""The answers beyond the first paragraph: optimizers, batches, what matters, what to run next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import yaml

from trainscape.analysis import ALL, metric, rules
from trainscape.figures.values import number, score
from trainscape.numerals import counted
from trainscape.report._answer import points, span
from trainscape.report._table import Column, Table, as_it_is, fields
from trainscape.report._table import short_number as short

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from trainscape.analysis import Row
    from trainscape.report._sections import Image
    from trainscape.workloads import Metric

VERDICTS = {
    "reference": "reference",
    "better": "better",
    "worse": "worse",
    "equal": "equal within the margin",
    "undecided": "undecided",
}


REGIONS = {
    "grid": "All cells of the grid",
    "best lr": "Each combination at its best lr",
    "search": "The cells that the search trained",
}
LEAST = 0.001  # of the variance: smaller shares of a whole grid are not listed


@dataclass(frozen=True)
class Claim:
    """A section of answers.

    Args:
        workload: whose.
        kind: a word for links.
        title: its heading.
        lead: what it says, in sentences.
        table: the numbers, if any.
        blocks: words, and text to paste.
        images: its pictures.
    """

    workload: str
    kind: str
    title: str
    lead: str
    table: Table | None = None
    blocks: Sequence[tuple[str, str]] = ()
    images: Sequence[Image] = ()


def claims(
    found: Mapping[str, Mapping[str, Any]],
    images: Mapping[tuple[str, str], Sequence[Image]] | None = None,
) -> list[Claim]:
    """What was found, workload by workload; nothing for questions that a study does not ask.

    Args:
        found: by workload, as :mod:`trainscape.answers` makes it.
        images: the pictures, by workload and kind of claim.
    """
    makers: Sequence[Callable[[str, Mapping[str, Any]], Claim | None]] = (
        _optimizers,
        _scaling,
        _batches,
        _importance,
        _next,
    )
    made = [make(workload, own) for workload, own in found.items() for make in makers]
    known = images or {}
    return [
        replace(claim, images=known.get((claim.workload, claim.kind), ()))
        for claim in made
        if claim is not None
    ]


def _optimizers(workload: str, own: Mapping[str, Any]) -> Claim | None:
    """Each optimizer at its best, beside that of the chosen setting."""
    rows: list[Row] = [{**row, "workload": workload} for row in own["optimizers"]]
    if len(rows) < 2:
        return None
    judged = metric(workload)
    margin = points(own["margin"], judged.unit)
    rests = (
        f"Each optimizer at its best setting, on {own['seeds']} fresh seeds."
        if own["confirmed"]
        else "Each optimizer at its best setting, on the seeds that it was selected by."
    )
    words = (
        f"{rests} Differences are paired by seed, in test {judged.name}, with 95% intervals that "
        f"hold for all of them at once; up to {margin} counts as equal."
        + _summed_up(rows)
        + " How forgiving an optimizer is: the width of learning rates within the margin of its "
        "best, what it loses over a decade of rates on either side, the best of five random "
        "settings, its safest rate over all batch sizes and schedules, and its share of settings "
        "that failed."
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
    return (
        f"{_signed(found['mean'], judged)} ({_signed(found['low'], judged)} to "
        f"{_signed(found['high'], judged)})"
    )


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


def _signed(value: float, judged: Metric) -> str:
    text = score(abs(value), judged)
    return text if not float(f"{text}".replace("k", "e3")) else ("−" if value < 0 else "+") + text


def _next(workload: str, own: Mapping[str, Any]) -> Claim | None:
    """What to run next."""
    if not own["next"]:
        return None
    blocks = [
        (
            f"{_sentence(one['why'])} Adds {counted(one['cells'], 'cell')}, "
            f"{counted(one['trials'], 'trial')}, {number(one['steps'])} steps: "
            f"{100 * one['share']:.2g}% of the grid's.",
            yaml.safe_dump(one["change"], sort_keys=False, default_flow_style=None, width=90),
        )
        for one in own["next"]
    ]
    words = (
        "Changes of params.yaml that would settle what is open; what is there stays. "
        "trainscape estimate says how long they take."
    )
    return Claim(workload, "next", "What to run next", words, blocks=blocks)


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def _scaling(workload: str, own: Mapping[str, Any]) -> Claim | None:
    """How the best learning rate follows the batch size."""
    rows: list[Row] = [{**row, "workload": workload} for row in own["scaling"]]
    if not any(row["exponent"] is not None for row in rows):
        return None
    whole = _one_each(rows)
    said = [
        f"{row['optimizer']}: lr × {number(row['factor'])}"
        f"{_bounds(row['factor_low'], row['factor_high'])}"
        for row in whole
        if row["exponent"] is not None
    ]
    words = (
        f"Twice the batch, by the best rates of each batch size: {'; '.join(said)}. The best lr "
        "follows batch^α; a best rate lies at the vertex of a parabola through the best cell and "
        "its two neighbours. Intervals are 95%, by a bootstrap over seeds in which each vertex is "
        "moved by as much as it may be off. Rules of thumb: α = 1 (linear), ½ (square root), 0 "
        "(none), −1 (inverse)."
    )
    columns = [
        Column("optimizer", "optimizer", "the update rule", as_it_is("optimizer"), False),
        Column("schedule", "schedule", "what multiplies the rate", as_it_is("schedule"), False),
        Column("exponent", "α", "of lr ∝ batch^α, 95% interval", _alpha),
        Column("factor", "batch × 2", "lr × this, 95% interval", _factor),
        Column("rules", "rules not refuted", "exponents within the interval", _rules, False),
        Column("bend", "bend", "change of α with each doubling, 95% interval", _bend),
        Column("edges", "at an end", "best rates at an end of the axis", as_it_is("edges")),
    ]
    table = Table(columns, [fields(row, columns) for row in rows])
    return Claim(workload, "lr-scaling", "Learning rate and batch size", words, table)


def _one_each(rows: Sequence[Row]) -> list[Row]:
    """For each optimizer the row over all schedules, or that of its only one."""
    found: dict[str, Row] = {}
    for row in rows:
        if row["schedule"] == ALL or row["optimizer"] not in found:
            found[row["optimizer"]] = row
    return list(found.values())


def _bounds(low: float | None, high: float | None) -> str:
    """A 95% interval in brackets, also where a side has no bound."""
    if low is None and high is None:
        return ""
    if low is None or high is None:
        return (
            f" (at most {number(high)})"
            if low is None and high is not None
            else (f" (at least {number(low or 0.0)})")
        )
    return f" ({number(low)} to {number(high)})"


def _alpha(row: Row, _: Metric) -> str:
    if row["exponent"] is None:
        return row["reason"] or "–"
    return number(row["exponent"], 2) + _bounds(row["low"], row["high"])


def _factor(row: Row, _: Metric) -> str:
    if row["factor"] is None:
        return "–"
    return number(row["factor"]) + _bounds(row["factor_low"], row["factor_high"])


def _rules(row: Row, _: Metric) -> str:
    if row["exponent"] is None:
        return "–"
    return ", ".join(rules(row["low"], row["high"])) or "all are"


def _bend(row: Row, _: Metric) -> str:
    if row["bend"] is None:
        return "–"
    return number(row["bend"], 2) + _bounds(row["bend_low"], row["bend_high"])


def _batches(workload: str, own: Mapping[str, Any]) -> Claim | None:
    """How large a batch pays."""
    rows: list[Row] = [{**row, "workload": workload} for row in own["critical"]]
    if not any(row["critical"] is not None for row in rows):
        return None
    noise = _noise_scales(own["noise"])
    rows = [{**row, "noise": noise.get(row["optimizer"])} for row in rows]
    steady = [row for row in rows if row["critical"] is not None and row["warning"] is None]
    said = "; ".join(
        f"{row['optimizer']} ({row['schedule']}): {number(row['critical'])}"
        f"{_bounds(row['low'] or None, row['high'])}"
        for row in steady
    )
    words = (
        "Steps to the target at the best rate of each batch size follow S = S_min(1 + B_crit/B): "
        "below B_crit twice the batch saves nearly half the steps, above it nearly none. "
        + (f"B_crit by schedules whose rate holds, 95% intervals: {said}. " if said else "")
        + "Rows with a falling schedule depend on the budget. "
        + _about_noise(own, noise)
    )
    columns = [
        Column("optimizer", "optimizer", "the update rule", as_it_is("optimizer"), False),
        Column("schedule", "schedule", "what multiplies the rate", as_it_is("schedule"), False),
        Column("critical", "B_crit", "batch size, 95% interval", _critical),
        Column("least_steps", "S_min", "steps with a batch without end", short("least_steps")),
        Column("overhead", "20% more", "batch that takes a fifth more examples", short("overhead")),
        Column("pays", "pays up to", "largest that saves a quarter of steps", short("pays")),
        Column("noise", "noise scale", "of gradients at its best cell", _noise),
        Column("budget", "rate", "whether it falls within the budget", _holds, False),
    ]
    table = Table(columns, [fields(row, columns) for row in rows])
    return Claim(workload, "batch-scaling", "How large a batch pays", words, table)


def _noise_scales(rows: Sequence[Row]) -> dict[str, Row]:
    """For each optimizer the noise scale of its first finalist that has one."""
    found: dict[str, Row] = {}
    for row in rows:
        if row["noise_scale"] is not None:
            found.setdefault(row["optimizer"], row)
    return found


def _about_noise(own: Mapping[str, Any], noise: Mapping[str, Row]) -> str:
    """What the gradient noise scale is, or why there is none."""
    if not own["confirmed"]:
        return "The gradient noise scale is measured where finalists are confirmed."
    if not noise:
        return (
            "No gradient noise scale: batch normalisation, or a loss that is no mean over examples, "
            "has none, or the gradient's mean does not stand out from its noise."
        )
    return (
        "The gradient noise scale, tr Σ/|G|² over the run of an optimizer's confirmed cell, stands "
        "for B_crit under strong assumptions only."
    )


def _critical(row: Row, _: Metric) -> str:
    if row["critical"] is None:
        return row["reason"] or "–"
    return number(row["critical"]) + _bounds(row["low"] or None, row["high"])


def _noise(row: Row, _: Metric) -> str:
    found = row["noise"]
    if found is None:
        return "–"
    return number(found["noise_scale"]) + _bounds(found["low"], found["high"])


def _holds(row: Row, _: Metric) -> str:
    return "holds" if row["warning"] is None else "falls"


def _importance(workload: str, own: Mapping[str, Any]) -> Claim | None:
    """Which axes make cells differ."""
    rows: list[Row] = [
        {**row, "workload": workload} for row in own["importance"] if row["share"] is not None
    ]
    if not rows:
        return None
    said = []
    for region, words in REGIONS.items():
        parts = [row for row in rows if row["region"] == region]
        top = sorted(parts, key=lambda row: -row["share"])[:3]
        if top:
            named = ", ".join(f"{row['component']} {100 * row['share']:.0f}%" for row in top)
            said.append(f"{words}: {named}.")
    lead = (
        "Shares of the variance between cells, on a scale where noise is even and with seed noise "
        "taken off. " + " ".join(said)
    )
    notes = list(dict.fromkeys(row["note"] for row in own["importance"] if row["note"]))
    columns = [
        Column("region", "between", "which cells", _region, False),
        Column(
            "component", "what", "an axis, or two beyond each alone", as_it_is("component"), False
        ),
        Column("share", "share", "of the variance, 95% interval", _share),
    ]
    shown = [row for row in rows if row["share"] >= LEAST or row["region"] != "grid"]
    table = Table(columns, [fields(row, columns) for row in shown])
    words = lead + "".join(f" {note[0].upper()}{note[1:]}." for note in notes)
    return Claim(workload, "importance", "What matters", words, table)


def _region(row: Row, _: Metric) -> str:
    return REGIONS[row["region"]].lower()


def _share(row: Row, _: Metric) -> str:
    text = f"{100 * row['share']:.1f}%"
    if row["low"] is None:
        return text
    return f"{text} ({100 * row['low']:.1f} to {100 * row['high']:.1f})"
