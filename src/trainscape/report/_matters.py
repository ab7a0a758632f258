"""Which axes matter, and what to run next."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import yaml

from trainscape.figures.values import number
from trainscape.numerals import counted
from trainscape.report._claim import Claim
from trainscape.report._table import Column, Table, as_it_is, fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trainscape.analysis import Row
    from trainscape.workloads import Metric


REGIONS = {
    "grid": "All cells of the grid",
    "best lr": "Each combination at its best lr",
    "search": "The cells that the search trained",
}
LEAST = 0.001  # of the variance: smaller shares of a whole grid are not listed


def importance(workload: str, own: Mapping[str, Any]) -> Claim | None:
    """Which axes make cells differ."""
    known = [row for row in own["importance"] if row["share"] is not None]
    sizes = Counter(row["region"] for row in known)
    rows: list[Row] = [  # of a single axis all is known beforehand
        {**row, "workload": workload} for row in known if sizes[row["region"]] > 1
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
        "Shares of the variance between cells, on a scale where noise is even"
        + (" and with seed noise taken off. " if own["grid"]["seeds"] > 1 else ". ")
        + " ".join(said)
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


def next_runs(workload: str, own: Mapping[str, Any]) -> Claim | None:
    """What to run next."""
    if not own["next"]:
        return None
    blocks = [
        (
            f"{_sentence(one['why'])} {_added(one)}, "
            f"{counted(one['trials'], 'trial')}, {number(one['steps'])} steps: "
            f"{number(100 * one['share'], 2)}% of the grid's.",
            yaml.safe_dump(one["change"], sort_keys=False, default_flow_style=None, width=90),
        )
        for one in own["next"]
    ]
    words = (
        "Changes of params.yaml that would settle what is open; what is there stays. Finalists "
        "that are chosen anew come on top. trainscape estimate says how long they take."
    )
    return Claim(workload, "next", "What to run next", words, blocks=blocks)


def _added(one: Mapping[str, Any]) -> str:
    cells = counted(one["cells"], "cell")
    return f"Trains {cells} on more seeds" if "confirm" in one["change"] else f"Adds {cells}"


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."
