"""The words of the pictures of what was found, made from their data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainscape.analysis import ALL, metric
from trainscape.figures.answers.told import LEAST, over_rates, shown
from trainscape.figures.values import number, points, score

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Found = Mapping[str, Any]
    Words = tuple[str, str]

MOST = 12  # shares that are said instead of the picture


def _optimizers(workload: str, found: Found) -> Words:
    """Words instead of the picture, and below it."""
    judged, own = metric(workload), found["optimizers"]
    said = "; ".join(
        f"{row['optimizer']} {score(row['test']['mean'], judged, unit=True)}, "
        f"{'the reference' if row['verdict'] == 'reference' else row['verdict']}"
        for row in own
    )
    margin = points(found["margin"], judged.unit)
    below = (
        f"Left, test {judged.name}: thick 95% intervals over new seeds, thin ones over new test "
        "examples, too. Right, the difference from the reference with the interval that holds for "
        f"all at once; within the band, {margin} to either side, it makes no difference."
    )
    return f"Intervals of each optimizer on {workload}, the reference first: {said}.", below


def _safe_rate(workload: str, found: Found) -> Words:
    margin = points(found["margin"], metric(workload).unit)
    said = [
        f"{name} from {number(width['low'])} to {number(width['high'])}"
        for name, own in over_rates(found).items()
        if (width := own["width"]) is not None
    ]
    below = (
        "Each optimizer at its best batch size, each rate with its best schedule; bands span the "
        f"seeds. Bars: rates within {margin} of the best, which the circle marks. An arrow: the "
        "grid ends before the bar does."
    )
    return f"Learning rates that do as well as the best on {workload}: {'; '.join(said)}.", below


def _lr_scaling(workload: str, found: Found) -> Words:
    said = [
        f"{row['optimizer']} {number(row['exponent'], 2)}"
        for row in found["scaling"]
        if row["exponent"] is not None and row["schedule"] in (ALL, _lone(found, row["optimizer"]))
    ]
    below = (
        "The best learning rate of each batch size and schedule. Slopes can be compared between "
        "panels. An open triangle ends the axis: the true best rate may lie beyond."
    )
    return f"Best learning rate against batch size on {workload}; α: {', '.join(said)}.", below


def _batch_scaling(workload: str, found: Found) -> Words:
    said = [
        f"{row['optimizer']} {number(row['critical'])}"
        for row in shown(found["critical"])
        if row["critical"] is not None
    ]
    below = (
        "Steps to the target at the best learning rate of each batch size B, and the fitted curve. "
        "The diamond is the critical batch B_crit, the bar its 95% interval, which ends in an "
        "arrow where it goes on. A triangle: the best rate ends its axis."
    )
    known = f"critical batch: {', '.join(said)}" if said else "no critical batch is known"
    return f"Steps to the target against batch size on {workload}; {known}.", below


def _importance(workload: str, found: Found) -> Words:
    known = [row for row in found["importance"] if row["share"] is not None]
    said = [f"{row['component']} {100 * row['share']:.0f}% ({row['region']})" for row in known]
    least = f"{100 * LEAST:g}%"
    below = (
        f"Shares of how settings differ, with 95% intervals; below {least} they are left out. "
        "“optimizer × lr” is what the two do together, beyond each alone."
    )
    return f"Shares on {workload}: {', '.join(said[:MOST])}.", below


def _lone(found: Found, optimizer: str) -> str | None:
    """An optimizer's schedule, if it has one alone."""
    names = [row["schedule"] for row in found["scaling"] if row["optimizer"] == optimizer]
    return names[0] if len(names) == 1 else None


WORDS: dict[str, Callable[[str, Found], Words]] = {
    "optimizers": _optimizers,
    "safe-rate": _safe_rate,
    "lr-scaling": _lr_scaling,
    "batch-scaling": _batch_scaling,
    "importance": _importance,
}
