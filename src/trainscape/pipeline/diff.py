"""``trainscape diff``: what changed between two versions of a study's results."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from trainscape import study
from trainscape.analysis.changes import Comparison, Diff, StepTime, by_workload
from trainscape.analysis.comparing import compare
from trainscape.cells import plugins
from trainscape.datasets import registry as datasets
from trainscape.errors import UserError, shown, unknown
from trainscape.workloads import registry as workloads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trainscape.analysis.changes import Trials
    from trainscape.pipeline.revisions import Version
    from trainscape.workloads import Workload

MARGIN = 0.005  # in the metric's unit, where a study says nothing
TABLES = ("confirm", "trials")  # fresh seeds first
LENGTH = 60  # characters of a value that a line of changed parameters shows
ABSENT = "(not set)"


def diff(before: Version, after: Version, only: str | None = None) -> Diff:
    """Compare two versions.

    Args:
        before: the one that changes are counted from.
        after: the other.
        only: a workload; None for all.

    Raises:
        UserError: a version has no trials, they share no workload, or the one asked for is in
            neither.
    """
    texts = {"trials": (before.trials(), after.trials())}
    confirmed = before.text("confirm.csv"), after.text("confirm.csv")
    if confirmed[0] and confirmed[1]:
        texts["confirm"] = confirmed[0], confirmed[1]
    sides = {table: _sides(before, after, table, *both) for table, both in texts.items()}
    one, other = sides["trials"]
    wanted = _wanted(before, after, one, other, only)
    stated = after.params or before.params
    found = [
        _compared(workload, sides[table][0][workload], sides[table][1][workload], stated, table)
        for workload in wanted
        for table in TABLES
        if table in sides and all(workload in side for side in sides[table])
    ]
    lone = {name: before.title for name in one if name not in other}
    lone |= {name: after.title for name in other if name not in one}
    lone = {name: title for name, title in lone.items() if only in (None, name)}
    known = before.params and after.params  # a folder may have no parameter file
    changed = list(params(_whole(before.params), _whole(after.params))) if known else []
    return Diff(before.title, after.title, changed, found, lone, *times(before, after, wanted))


def as_json(made: Diff) -> str:
    """All of it, for programs."""
    whole = asdict(made)
    for comparison, found in zip(whole["comparisons"], made.comparisons, strict=True):
        comparison["counts"] = found.counts
    return json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False)


def _sides(
    before: Version, after: Version, table: str, *texts: str
) -> tuple[dict[str, Trials], dict[str, Trials]]:
    """Both versions' trials by workload."""
    read = []
    for side, text in zip((before, after), texts, strict=True):
        source = f"{side.title}: {side.folder}/{table}.csv" if side.folder else side.title
        read.append(by_workload(list(csv.DictReader(io.StringIO(text))), source))
    return read[0], read[1]


def _wanted(
    before: Version,
    after: Version,
    one: dict[str, Trials],
    other: dict[str, Trials],
    only: str | None,
) -> list[str]:
    """The workloads to compare."""
    if only is not None and only not in {*one, *other}:
        raise unknown("workload", only, {*one, *other})
    common = [name for name in other if name in one and only in (None, name)]
    if not common:
        have = "; ".join(
            f"{side.title} has {', '.join(sorted(names)) or 'no trial'}"
            for side, names in ((before, one), (after, other))
        )
        raise UserError(f"no {'workload' if only is None else only} in both: {have}")
    return common


def _compared(
    name: str, one: Trials, other: Trials, stated: dict[str, Any], table: str
) -> Comparison:
    judged = _workload(name, stated)
    margin = stated.get("margin", MARGIN)
    if isinstance(margin, bool) or not isinstance(margin, int | float) or margin < 0:
        raise UserError(f"margin: {shown(margin)} is no number from 0 on")
    examples = datasets.get(judged.dataset).test
    return compare(one, other, judged.metric, examples, float(margin), table)


def _workload(name: str, stated: dict[str, Any]) -> Workload:
    """What judges a workload; a plugin's is imported where its study names the file."""
    if name not in workloads.names():
        plugins.load([str(path) for path in stated.get("plugins") or []])
    try:
        return workloads.get(name)
    except UserError:
        raise UserError(
            f"workload {name!r}: unknown here, and so is whether more of its metric is better; "
            "its plugin must stand in the study's plugins"
        ) from None


def _whole(stated: dict[str, Any]) -> dict[str, Any]:
    """Parameters with the defaults that a file leaves out, if this version knows its keys."""
    try:
        return study.parse(stated, "params").model_dump(mode="json", exclude_none=True)
    except UserError:
        return stated


def params(before: Any, after: Any, key: str = "") -> Iterator[str]:
    """The keys that differ, each with what it was and what it is; of lists what came and went.

    >>> list(params({"seeds": 5, "grid": {"lr": [1, 2]}}, {"seeds": 9, "grid": {"lr": [2, 3]}}))
    ['seeds: 5 → 9', 'grid.lr: without 1; with 3']
    """
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys((*before, *after)):
            inner = f"{key}.{name}" if key else str(name)
            yield from params(before.get(name, ABSENT), after.get(name, ABSENT), inner)
    elif isinstance(before, list) and isinstance(after, list):
        gone = [item for item in before if item not in after]
        come = [item for item in after if item not in before]
        parts = [
            f"{word} {', '.join(map(_short, items))}"
            for word, items in (("without", gone), ("with", come))
            if items
        ]
        yield f"{key}: {'; '.join(parts) or 'in another order'}"
    else:
        yield f"{key}: {_short(before)} → {_short(after)}"


def _short(value: Any) -> str:
    """A value as YAML would have it, on one line."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = text.replace('"', "")
    return text if len(text) <= LENGTH else text[: LENGTH - 1] + "…"


def times(before: Version, after: Version, wanted: list[str]) -> tuple[list[StepTime], str]:
    """The times of steps in both versions, if on equal hardware; else why there are none."""
    prints = [_fingerprint(side) for side in (before, after)]
    if None in prints:
        return [], "step times were not measured in both"
    if prints[0] != prints[1]:
        return [], "step times were measured on different hardware, and are not compared"
    one, other = (_step_times(side) for side in (before, after))
    found = [
        StepTime(" ".join(name), one[name], other[name])
        for name in other
        if name in one and name[0] in wanted
    ]
    return found, "" if found else "no step was timed in both"


def _fingerprint(side: Version) -> str | None:
    """What hardware a version's times were measured on."""
    try:
        held = json.loads(side.text("timings.json") or "{}")
    except json.JSONDecodeError:
        raise UserError(f"{side.title}: {side.folder}/timings.json is no JSON") from None
    return held.get("fingerprint") if isinstance(held, dict) else None


def _step_times(side: Version) -> dict[tuple[str, str, str], tuple[float, float]]:
    """Median and interquartile range, by workload, optimizer and batch size."""
    rows = csv.DictReader(io.StringIO(side.text("timings.csv") or ""))
    found = {}
    for row in rows:
        if row.get("step_time_s") and row.get("iqr_s"):
            name = (row["workload"], row["optimizer"], f"batch {row['batch_size']}")
            found[name] = float(row["step_time_s"]), float(row["iqr_s"])
    return found
