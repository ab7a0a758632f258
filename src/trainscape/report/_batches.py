"""How the learning rate follows the batch size, and how large a batch pays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainscape.analysis import overall, rules
from trainscape.figures.values import number
from trainscape.numerals import hundredths
from trainscape.report._claim import Claim, bounds
from trainscape.report._table import Column, Table, as_it_is, fields
from trainscape.report._table import short_number as short

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trainscape.analysis import Row
    from trainscape.workloads import Metric


RULES = {"inverse": "−1", "none": "0", "square-root": "½", "linear": "1"}


def scaling(workload: str, own: Mapping[str, Any]) -> Claim | None:
    """How the best learning rate follows the batch size."""
    rows: list[Row] = [{**row, "workload": workload} for row in own["scaling"]]
    if not any(row["exponent"] is not None for row in rows):
        return None
    whole = overall(rows)
    said = [
        f"{row['optimizer']}: lr × {hundredths(row['factor'])}"
        f"{bounds(row['factor_low'], row['factor_high'], hundredths) or ' (no bounds)'}"
        for row in whole
        if row["exponent"] is not None
    ]
    words = (
        f"Twice the batch, by the best rates of each batch size: {'; '.join(said)}. The best lr "
        "follows batch^α; a best rate lies at the vertex of a parabola through the least loss and "
        "its two neighbours. Intervals are 95%, by a bootstrap over seeds in which each vertex is "
        "moved by as much as it may be off. Rules of thumb: α = 1 (linear), ½ (square root), 0 "
        "(none), −1 (inverse). scaling.csv has every schedule apart."
    )
    columns = [
        Column("optimizer", "optimizer", "the update rule", as_it_is("optimizer"), False),
        Column("schedule", "schedule", "what multiplies the rate", as_it_is("schedule"), False),
        Column("exponent", "α", "of lr ∝ batch^α, 95% interval", _alpha),
        Column("factor", "batch × 2", "lr × this, 95% interval", _factor),
        Column("rules", "rules within", "rules of thumb that the interval holds", _rules, False),
        Column("bend", "bend", "change of α with each doubling, 95% interval", _bend),
        Column("edges", "at an end", "best rates at an end of the axis", as_it_is("edges")),
    ]
    table = Table(columns, [fields(row, columns) for row in whole])
    return Claim(workload, "lr-scaling", "Learning rate and batch size", words, table)


def _alpha(row: Row, _: Metric) -> str:
    if row["exponent"] is None:
        return row["reason"] or "–"
    return hundredths(row["exponent"]) + bounds(row["low"], row["high"], hundredths)


def _factor(row: Row, _: Metric) -> str:
    if row["factor"] is None:
        return "–"
    return hundredths(row["factor"]) + bounds(row["factor_low"], row["factor_high"], hundredths)


def _rules(row: Row, _: Metric) -> str:
    if row["exponent"] is None:
        return "–"
    return ", ".join(RULES[name] for name in rules(row["low"], row["high"])) or "–"


def _bend(row: Row, _: Metric) -> str:
    if row["bend"] is None:
        return "–"
    return hundredths(row["bend"]) + bounds(row["bend_low"], row["bend_high"], hundredths)


def batches(workload: str, own: Mapping[str, Any]) -> Claim | None:
    """How large a batch pays."""
    rows: list[Row] = [{**row, "workload": workload} for row in own["critical"]]
    if not any(row["critical"] is not None for row in rows):
        return None
    noise = _noise_scales(own)
    rows = [{**row, "noise": noise.get(row["optimizer"])} for row in rows]
    steady = [row for row in rows if row["critical"] is not None and row["warning"] is None]
    said = "; ".join(
        f"{row['optimizer']} ({row['schedule']}): {number(row['critical'])}"
        f"{bounds(row['low'] or None, row['high'])}"
        for row in steady
    )
    words = (
        "Steps to the target at the best rate of each batch size follow S = S_min(1 + B_crit/B): "
        "far below B_crit twice the batch saves half the steps, at B_crit a quarter, far above it "
        "none. "
        + (f"B_crit by schedules whose rate holds, 95% intervals: {said}. " if said else "")
        + "Where a rate falls within the budget, steps depend on the budget; critical.csv has all. "
        + _about_noise(own, noise)
    )
    columns = [
        Column("optimizer", "optimizer", "the update rule", as_it_is("optimizer"), False),
        Column("schedule", "schedule", "what multiplies the rate", as_it_is("schedule"), False),
        Column("critical", "B_crit", "batch size, 95% interval", _critical),
        Column("least_steps", "S_min", "steps with a batch without end", short("least_steps")),
        Column("overhead", "20% more", "batch that takes a fifth more examples", short("overhead")),
        Column("pays", "pays up to", "largest that saves a quarter of steps", short("pays")),
        Column("noise", "noise scale", "of gradients, at its best setting", _noise),
        Column("budget", "rate", "whether it falls within the budget", _holds, False),
    ]
    shown = [row for row in rows if row["warning"] is None] or rows
    table = Table(columns, [fields(row, columns) for row in shown])
    return Claim(workload, "batch-scaling", "How large a batch pays", words, table)


def _noise_scales(own: Mapping[str, Any]) -> dict[str, Row]:
    """For each optimizer the noise scale of its best confirmed cell, where it has one."""
    rows = {row["digest"]: row for row in own["noise"] if row["noise_scale"] is not None}
    best = {row["optimizer"]: row["digest"] for row in own["optimizers"]}
    return {name: rows[digest] for name, digest in best.items() if digest in rows}


def _about_noise(own: Mapping[str, Any], noise: Mapping[str, Row]) -> str:
    """What the gradient noise scale is, or why there is none."""
    if not own["confirmed"]:
        return "The gradient noise scale is measured where finalists are confirmed."
    if not noise:
        return (
            "There is no gradient noise scale: batch normalisation, and losses that are no mean "
            "over examples, have none; or the gradient's mean does not stand out from its noise."
        )
    return (
        "The gradient noise scale, tr Σ/|G|² over the run of an optimizer's confirmed cell, stands "
        "for B_crit under strong assumptions only."
    )


def _critical(row: Row, _: Metric) -> str:
    if row["critical"] is None:
        return row["reason"] or "–"
    return number(row["critical"]) + bounds(row["low"] or None, row["high"])


def _noise(row: Row, _: Metric) -> str:
    found = row["noise"]
    if found is None:
        return "–"
    return number(found["noise_scale"]) + bounds(found["low"], found["high"])


def _holds(row: Row, _: Metric) -> str:
    return "holds" if row["warning"] is None else "falls"
