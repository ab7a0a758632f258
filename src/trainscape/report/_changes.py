"""What changed between two versions, in words: for a terminal and for a pull request."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from trainscape.analysis.changes import VERDICTS, name
from trainscape.columns import aligned
from trainscape.figures.values import points
from trainscape.numerals import counted, duration, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from trainscape.analysis.changes import Change, Comparison, Diff, Said, Shift, StepTime

SHOWN = 20  # cells listed, the largest change first
TIMES = 5  # step times listed
TABLES = {"trials": "the grid's cells", "confirm": "confirmed cells, fresh seeds"}
DECIDES = "the interval at the level that decides the verdict"
ALLOWED = "verdicts allow for how many are looked at"
AXES = {"optimizer": "optimizer", "batch_size": "batch size", "lr": "lr", "schedule": "schedule"}
MINUS = "−"
HOLD: tuple[Said, ...] = ("undecided", "new", "gone")  # verdicts that no heading warns of

Line = list[str]  # the fields of a row


def moved(value: float, unit: str, *, named: bool = True) -> str:
    """A change of a metric: of a fraction in points.

    >>> moved(-0.0123, "fraction"), moved(0.5, "m²")
    ('−1.23 points', '+0.5 m²')
    """
    text = f"{100 * value:+.2f}" if unit == "fraction" else f"{'+' * (value >= 0)}{number(value)}"
    words = "points" if unit == "fraction" else unit
    text = text.replace("-", MINUS) if text.strip("+-0.") else "0"
    return f"{text} {words}".rstrip() if named else text


def size(value: float, unit: str) -> str:
    """How large a change is, in few digits and without a sign.

    >>> size(-0.4088, "fraction"), size(0.005, "fraction"), size(0.5, "m²")
    ('40.9 points', '0.5 points', '0.5 m²')
    """
    return points(abs(value), unit)


def interval(found: Change | Shift, unit: str) -> str:
    """The interval of a change; nothing where it is not known."""
    if found.low is None or found.high is None:
        return ""
    low, high = (moved(end, unit, named=False) for end in (found.low, found.high))
    return f"{low} to {high}"


def confidence(level: float) -> str:
    """An interval's level in as few digits as tell it from certainty.

    >>> confidence(0.9), confidence(0.99), confidence(1 - 0.01 / 22)
    ('90%', '99%', '99.95%')
    """
    rest = round(100 * (1 - level), 9)
    return f"{100 - rest:.{max(0, -math.floor(math.log10(rest)))}f}%"


def _decided(found: Shift, unit: str) -> str:
    """The interval of a mean shift, with the level that decides its verdict."""
    text = interval(found, unit)
    return text and f"{text} ({confidence(found.level)})"


def title(found: Comparison) -> str:
    """What is compared."""
    return f"{found.workload}, test {found.metric}: {TABLES[found.table]}"


def finding(made: Diff) -> str:
    """What is most worth knowing, as a heading: of several comparisons that of the gravest."""
    trials = sum(found.identity.same_bytes for found in made.comparisons)
    if all(settled(found) for found in made.comparisons) and trials == sum(
        found.identity.trials for found in made.comparisons
    ):
        return f"No result changed: all {counted(trials, 'trial')} are the same bytes"
    found = min(made.comparisons, key=_gravity)
    text = heading(found)
    if len(made.comparisons) == 1:
        return text
    return f"{found.workload}, {TABLES[found.table]}: {text[0].lower()}{text[1:]}"


def _gravity(found: Comparison) -> int:
    """What is worse comes first, then what is better, what is left, and what is all the same."""
    if found.any("worse"):
        return 0
    return 1 if found.any("better") else 2 + settled(found)


def heading(found: Comparison) -> str:
    """What came of one comparison, in a line."""
    seen = found.identity
    if not seen.cells:
        return f"No cell is in both versions: {_told(found)}"
    if settled(found):
        what = "the same bytes" if found.counts["same bytes"] == len(found.cells) else "equal"
        return f"No result changed: all {counted(seen.trials, 'trial')} are {what}"
    if said := [text for verdict in ("worse", "better") if (text := _moved(found, verdict))]:
        return "; ".join(said)
    if pools := [shift for shift in found.shifts if shift.verdict in ("worse", "better")]:
        pool = pools[0]
        of = f"{AXES[pool.axis]} {pool.value}" if pool.axis else "the mean of all cells"
        by = size(pool.change, found.unit)
        return f"No single cell changed for certain, but {of} is {pool.verdict}, by {by}"
    if found.counts["undecided"] == seen.cells:
        return f"Nothing can be told: {_told(found)}"
    return f"No difference that noise does not explain: {_told(found)}"


def _told(found: Comparison) -> str:
    """How many cells have each verdict that no heading warns of."""
    alike = found.counts["same bytes"] + found.counts["same"]
    known = [("the same", alike), *((verdict, found.counts[verdict]) for verdict in HOLD)]
    parts = [f"{count:,} {verdict}" for verdict, count in known if count]
    first, *rest = parts
    count, word = first.split(" ", 1)
    are = "cell is" if count == "1" else "cells are"
    return ", ".join([f"{count} {are} {word}", *rest])


def _moved(found: Comparison, verdict: Said) -> str:
    """How many cells are better or worse, by how much at most, and what they have in common."""
    own = [change for change in found.cells if change.verdict == verdict]
    if not own:
        return ""
    most = max(abs(change.change or 0.0) for change in own)
    by = f"by {'up to ' * (len(own) > 1)}{size(most, found.unit)}"
    are = "are" if len(own) > 1 else "is"
    common = _common(found, own) if len(own) > 1 else ""
    return f"{counted(len(own), 'cell')} {are} {verdict}, {by}{common and f', {common}'}"


def _common(found: Comparison, own: Sequence[Change]) -> str:
    """The values of axes that all of some cells have, and not all cells; with one at least."""
    shared = []
    for place, title in enumerate(AXES.values(), 1):
        values = {change.cell[place] for change in own}
        if len(values) == 1 and len({change.cell[place] for change in found.cells}) > 1:
            value = values.pop()
            named = f"{value:g}" if isinstance(value, float) else str(value)
            shared.append(named if title in ("optimizer", "schedule") else f"{title} {named}")
    return f"all with {', '.join(shared)}" if shared else ""


def facts(made: Diff) -> str:
    """The versions, what they share and what parameters changed, in a line."""
    parts = [f"{made.before} → {made.after}"]
    for found in made.comparisons[-1:]:  # the grid's
        one, other = found.seeds
        parts.append(f"{counted(found.identity.cells, 'cell')} in both")
        if found.identity.cells:
            pairs = f"paired by {counted(len(one), 'seed')}"
            parts.append(pairs if found.paired else f"{len(one)} against {len(other)} seeds")
            parts.append(f"within {size(found.margin, found.unit)} is the same")
    if made.unknown:
        parts.append("parameters not compared")
    elif len(made.params) == 1:
        parts.append(made.params[0])
    else:
        parts.append(f"{len(made.params) or 'no'} parameter{'s' * (len(made.params) > 1)} changed")
    return " · ".join(parts)


def identity(found: Comparison) -> str:
    """What is equal byte for byte, or else why it is not."""
    seen = found.identity
    trials, cells = counted(seen.trials, "trial"), counted(seen.cells, "cell")
    if not seen.cells:
        return "No cell is in both."
    if seen.trials and seen.same_bytes == seen.trials and not seen.other_digests:
        return f"Same bytes: all {trials} of {cells}."
    change = seen.trials - seen.same_numbers
    if seen.trials and not change:
        return f"The same numbers in all {trials} of {cells}; {_why(found)}."
    if not seen.trials:
        return f"{cells[0].upper()}{cells[1:]} in both, with no seed in common; {_why(found)}."
    most = (
        ""
        if seen.largest is None
        else (
            f", the {found.metric} by at most {moved(seen.largest, found.unit).lstrip('+')} "
            f"({seen.where})"
        )
    )
    start = f"{_why(found)[0].upper()}{_why(found)[1:]}"
    return f"{start}: {change:,} of {trials} have other numbers{most}."


def _why(found: Comparison) -> str:
    """Whether digests and backends are the same."""
    seen = found.identity
    one, other = (" and ".join(names) or "unknown" for names in seen.backends)
    backend = "the same backend" if one == other else f"another backend ({one} → {other})"
    if not seen.other_digests:
        machine = " on another machine" if one == other else ""
        return f"same digests, {backend}{machine}"
    few = f"{seen.other_digests:,} of {counted(seen.cells, 'cell')}"
    which = "other digests" if seen.other_digests == seen.cells else f"other digests in {few}"
    return f"{which}, {backend}"


def method(found: Comparison) -> str:
    """How cells were compared."""
    one, other = found.seeds
    within = moved(found.margin, found.unit).lstrip("+")
    if not found.identity.cells:
        return ""
    how = f"paired by {counted(len(one), 'seed')}"
    if not found.paired:
        how = f"by {len(one)} seeds against {len(other)} others, unpaired"
    few = "; with fewer than two seeds nothing can be told" if min(len(one), len(other)) < 2 else ""
    return f"Compared {how}; within {within} is the same{few}."


def counts(found: Comparison) -> str:
    """How many cells have each verdict."""
    return " · ".join(f"{verdict} {found.counts[verdict]}" for verdict in VERDICTS)


def listed(found: Comparison, *verdicts: Said) -> tuple[list[Change], int]:
    """Cells with one of the verdicts, the largest change first, and how many are not listed."""
    own = [change for change in found.cells if change.verdict in verdicts]
    own.sort(key=lambda change: -abs(change.change or 0.0))
    return own[:SHOWN], max(0, len(own) - SHOWN)


def shift_lines(found: Comparison) -> list[Line]:
    """The mean shifts: of all cells, then of the axes' values; none where no number changed."""
    if all(change.p is None for change in found.cells):
        return []
    return [
        [
            f"{AXES[shift.axis]} {shift.value}" if shift.axis else "all cells",
            str(shift.cells),
            moved(shift.change, found.unit, named=False),
            _decided(shift, found.unit),
            shift.verdict,
        ]
        for shift in found.shifts
    ]


def cell_lines(found: Comparison, changes: Iterable[Change]) -> list[Line]:
    """Cells with their change and its interval."""
    return [
        [
            name(change.cell),
            moved(change.change or 0.0, found.unit, named=False),
            interval(change, found.unit),
            change.verdict,
        ]
        for change in changes
    ]


def units(found: Comparison) -> str:
    """What changes are counted in, as the head of a column."""
    return "points" if found.unit == "fraction" else found.unit or found.metric


def time_words(made: Diff) -> str:
    """Whether steps take longer, in a sentence; whether the machine was quiet, in another."""
    if not made.times:
        return f"Times: {made.untimed}."
    busy = "".join(f" {line}" for line in made.busy)
    slow, fast = _slower(made.times), _faster(made.times)
    rest = len(made.times) - len(slow) - len(fast)
    return (
        f"Step times, on equal hardware: {len(slow)} slower, {len(fast)} faster, {rest} within the "
        f"interquartile ranges of both.{busy}"
    )


def time_lines(made: Diff) -> list[Line]:
    """The step times that changed most."""
    told = [time for time in made.times if time.moved]
    told.sort(key=lambda time: -abs(math.log(time.after[0] / time.before[0])))
    return [
        [time.name, *(f"{duration(m)} (IQR {duration(i)})" for m, i in (time.before, time.after))]
        for time in told[:TIMES]
    ]


def _slower(times: Sequence[StepTime]) -> list[StepTime]:
    return [time for time in times if time.moved and time.after > time.before]


def _faster(times: Sequence[StepTime]) -> list[StepTime]:
    return [time for time in times if time.moved and time.after < time.before]


def text(made: Diff) -> str:
    """For a terminal."""
    lines = [f"before  {made.before}", f"after   {made.after}"]
    lines += [f"params  {line}" for line in made.params]
    lines += [f"params  not compared: {made.unknown}"] * bool(made.unknown)
    for workload, where in made.lone.items():
        lines.append(f"{workload} is in {where} alone")
    for found in made.comparisons:
        lines += ["", title(found), identity(found)]
        if settled(found):
            continue
        lines += [method(found), counts(found)]
        if rows := shift_lines(found):
            lines += [
                "",
                f"mean shift over cells, in {units(found)}, with {DECIDES}; {ALLOWED}",
            ]
            lines += _indented(rows)
        for verdict in ("worse", "better"):
            cells, more = listed(found, verdict)
            if cells:
                lines += ["", f"{verdict}, in {units(found)}"]
                lines += [
                    *_indented(cell_lines(found, cells)),
                    *[f"  and {more} more"] * bool(more),
                ]
    lines += ["", time_words(made), *_indented(time_lines(made))]
    return "\n".join(lines)


def settled(found: Comparison) -> bool:
    """Whether the sentence on identity has said all: every cell is there, with the same numbers."""
    return all(
        change.verdict in ("same bytes", "same") and change.p is None for change in found.cells
    )


def _indented(rows: Sequence[Line]) -> list[str]:
    """Rows under each other, in columns."""
    return [f"  {line}" for line in aligned(rows, left=None)]


def markdown(made: Diff) -> str:
    """For a pull request: the verdicts first, lists folded away."""
    return "\n".join(_markdown(made)) + "\n"


def _markdown(made: Diff) -> Iterator[str]:
    yield f"### What changed: {_escaped(made.before)} → {_escaped(made.after)}\n"
    yield from (f"- `{line}`" for line in made.params)
    yield from [f"- parameters are not compared: {_escaped(made.unknown)}"] * bool(made.unknown)
    yield from (f"- {workload} is in {where} alone" for workload, where in made.lone.items())
    for found in made.comparisons:
        yield f"\n**{_escaped(title(found))}**\n\n{_escaped(identity(found))}"
        if settled(found):
            continue
        yield f"{method(found)}\n"
        yield from _table(list(VERDICTS), [[str(found.counts[verdict]) for verdict in VERDICTS]])
        cells, more = listed(found, "worse", "better")
        if cells:
            yield ""
            head = ["cell", units(found), "95% interval", "verdict"]
            yield from _table(head, cell_lines(found, cells))
            yield from [f"\nand {more} more"] * bool(more)
        if rows := shift_lines(found):
            yield "\n<details><summary>Mean shift of all cells, and along each axis</summary>\n"
            yield f"With {DECIDES}; {ALLOWED}.\n"
            head = ["cells of", "count", units(found), "interval (level)", "verdict"]
            yield from _table(head, rows)
            yield "\n</details>"
    yield f"\n{time_words(made)}"
    if times := time_lines(made):
        yield ""
        yield from _table(["step", "before", "after"], times)


def _table(head: Line, rows: Iterable[Line]) -> Iterator[str]:
    for row in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(map(_escaped, row))} |"


def _escaped(field: str) -> str:
    """Text that markdown takes as it is."""
    return "".join(f"\\{letter}" if letter in "|*_<`" else letter for letter in field)
