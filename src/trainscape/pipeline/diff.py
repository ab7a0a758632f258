"""``trainscape diff``: what changed between two versions of a study's results."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from trainscape import study
from trainscape.analysis.changes import METRIC, Comparison, Diff, StepTime, by_workload
from trainscape.analysis.changes import name as called
from trainscape.analysis.comparing import compare
from trainscape.cells import plugins
from trainscape.datasets import registry as datasets
from trainscape.errors import UserError, cut, printable, shown, unknown
from trainscape.numeric import MOST, finite
from trainscape.report._facts import facts
from trainscape.workloads import registry as workloads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trainscape.analysis.changes import Trials
    from trainscape.pipeline.revisions import Version
    from trainscape.workloads import Workload

MARGIN = 0.005  # in the metric's unit, where a study says nothing
REPORT = "report.html"
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
    changed, unknown = _changed(before, after)
    timed = times(before, after, wanted)
    busy = [line for side in (before, after) if (line := _busy(side))] if timed[0] else []
    return Diff(before.title, after.title, changed, found, lone, *timed, unknown, busy)


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
        read.append(by_workload(_rows(text, source), source))
    return read[0], read[1]


def _rows(text: str, source: str) -> list[dict[str, str]]:
    """The lines of a table.

    Raises:
        UserError: it is none.
    """
    try:
        return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    except csv.Error as error:
        raise UserError(f"{source}: is no table: {error}") from None


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
    if isinstance(margin, bool) or not (isinstance(margin, int | float) and 0 <= margin <= MOST):
        raise UserError(f"margin: {shown(margin)} is no number from 0 on")
    if judged.metric.unit == "fraction":
        for side, trials in (("before", one), ("after", other)):
            _check_shares(f"{name} {side}, table {table}", trials)
    examples = datasets.get(judged.dataset).test
    return compare(one, other, judged.metric, examples, float(margin), table)


def _check_shares(where: str, trials: Trials) -> None:
    """Refuse a metric that is no share, though the workload's is one."""
    for cell, rows in trials.cells.items():
        for seed, row in rows.items():
            if not 0 <= float(row[METRIC] or 0) <= 1:
                raise UserError(
                    f"{where}: {METRIC} {shown(row[METRIC])} of {called(cell)}, seed {seed}, is no "
                    "share from 0 to 1"
                )


def _workload(name: str, stated: dict[str, Any]) -> Workload:
    """What judges a workload; a plugin's is imported where its study names the file."""
    if name not in workloads.names():
        paths = stated.get("plugins")
        plugins.load(map(str, paths if isinstance(paths, list) else []))
    try:
        return workloads.get(name)
    except UserError:
        raise UserError(
            f"workload {name!r}: unknown here, and so is whether more of its metric is better; "
            "its plugin must stand in the study's plugins"
        ) from None


def _changed(before: Version, after: Version) -> tuple[list[str], str]:
    """The parameters that differ; or else why they are not compared.

    Results that lie without their parameter file may have a report beside them, which states it.
    """
    if before.params and after.params:
        changed = params(_whole(before.params), _whole(after.params))
        return list(map(printable, changed)), ""
    one, other = (
        dict(facts(_whole(side.params))) if side.params else recorded(side.text(REPORT) or "")
        for side in (before, after)
    )
    for side, stated in ((before, one), (after, other)):
        if not stated:
            where = f"neither a parameter file nor a {REPORT} that states it"
            return [], f"{side.title} has {where}"
    return list(map(printable, params(one, other))), ""


def recorded(report: str) -> dict[str, str]:
    """A study's values by dotted name, as its report states them; none if it states none.

    >>> recorded("<h3>study</h3><dl><dt>name</dt><dd>a &amp; b</dd></dl>")
    {'name': 'a & b'}
    """
    block = re.search(r"<h3>study</h3>\s*<dl>(.*?)</dl>", report, re.DOTALL)
    pairs = re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", block[1] if block else "")
    return {html.unescape(name): html.unescape(value) for name, value in pairs}


def _whole(stated: dict[str, Any]) -> dict[str, Any]:
    """Parameters with the defaults that a file leaves out, if this version knows its keys."""
    try:
        return study.parse(stated, "params").model_dump(mode="json", exclude_none=True)
    except UserError:
        return stated


def params(before: Any, after: Any, key: str = "") -> Iterator[str]:
    r"""The keys that differ, each with what it was and what it is; of lists what came and went.

    >>> list(params({"seeds": 5, "grid": {"lr": [1, 2]}}, {"seeds": 9, "grid": {"lr": [2, 3]}}))
    ['seeds: 5 → 9', 'grid.lr: without 1; with 3']
    >>> one, other = ({"grid": {"optimizer": [{"name": "sgd", "beta": b}]}} for b in (0.9, 0.5))
    >>> list(params(one, other))
    ['grid.optimizer.sgd.beta: 0.9 → 0.5']
    >>> list(params({}, {"two\nlines": 1}))
    ['two\\nlines: (not set) → 1']
    """
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys((*before, *after)):
            inner = f"{key}.{_short(name)}" if key else _short(name)
            yield from params(before.get(name, ABSENT), after.get(name, ABSENT), inner)
    elif isinstance(before, list) and isinstance(after, list):
        kept = [name for name in _parts(before) if name in _parts(after)]
        for name in kept:  # a part of another value is neither gone nor new
            yield from params(_parts(before)[name], _parts(after)[name], f"{key}.{_short(name)}")
        before, after = (
            [item for item in side if not (isinstance(item, dict) and _called(item) in kept)]
            for side in (before, after)
        )
        if before == after and kept:
            return
        gone, come = _lacking(before, after), _lacking(after, before)
        parts = [
            f"{word} {', '.join(map(_short, items))}"
            for word, items in (("without", gone), ("with", come))
            if items
        ]
        yield f"{key}: {'; '.join(parts) or 'in another order'}"
    else:
        yield f"{key}: {_short(before)} → {_short(after)}"


def _lacking(items: list[Any], others: list[Any]) -> list[Any]:
    """The items that are not among the others."""
    plain = {other for other in others if not isinstance(other, dict | list)}
    nested = [other for other in others if isinstance(other, dict | list)]
    return [
        item for item in items if item not in (nested if isinstance(item, dict | list) else plain)
    ]


def _called(part: dict[str, Any]) -> str:
    """What an optimizer or a schedule with values is called; nothing if it is no such part."""
    return str(part.get("label") or part.get("name") or part.get("torch") or "")


def _parts(items: list[Any]) -> dict[str, dict[str, Any]]:
    """The parts among some values of an axis, by what they are called."""
    return {_called(item): item for item in items if isinstance(item, dict) and _called(item)}


def _short(value: Any) -> str:
    """A value as YAML would have it, on one line."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except TypeError:  # a date, which YAML has and JSON has not
        text = str(value)
    return cut(printable(text).replace('"', ""), LENGTH)


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
    found: str | None = _measured(side).get("fingerprint")
    return found


def _measured(side: Version) -> dict[str, Any]:
    """How a version's times were measured."""
    try:
        held = json.loads(side.text("timings.json") or "{}")
    except (ValueError, RecursionError):
        raise UserError(f"{side.title}: {side.folder}/timings.json is no JSON") from None
    return held if isinstance(held, dict) else {}


def _busy(side: Version) -> str:
    """Why a version's times are not to be trusted; empty if they are."""
    held = _measured(side)
    load = held.get("load")
    if isinstance(load, dict) and load.get("too_high"):
        return f"The machine was busy while {side.title} was measured: its times are too long."
    if held.get("quiet") is False:
        noisy, many = held.get("noisy"), held.get("measurements")
        return f"The machine was not quiet for {side.title}: {noisy} of {many} times are noisy."
    return ""


def _step_times(side: Version) -> dict[tuple[str, str, str], tuple[float, float]]:
    """Median and interquartile range, by workload, optimizer and batch size."""
    source = f"{side.title}: {side.folder}/timings.csv"
    found = {}
    for number, row in enumerate(_rows(side.text("timings.csv") or "", source), 2):
        if row.get("step_time_s") and row.get("iqr_s"):
            try:
                name = (row["workload"], row["optimizer"], f"batch {row['batch_size']}")
                times = float(row["step_time_s"]), float(row["iqr_s"])
            except (ValueError, KeyError):
                raise UserError(f"{source}: line {number} is no step's time") from None
            if None in name or not all(map(finite, times)):
                raise UserError(f"{source}: line {number} is no step's time")
            found[name] = times
    return found
