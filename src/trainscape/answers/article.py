"""Whether our results bear out what an article says: as data, not in words.

A study names the claim and what decides it (``article`` in :mod:`trainscape.study.model`); each
way of deciding is a function of tables below. Not part of :func:`trainscape.answers.answer`: an
article's claim is for its page alone, and to reword it makes no answer again.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from trainscape.analysis import AXES, Row, best, grouped, key, overall, rules
from trainscape.statistics.best import DIGITS
from trainscape.statistics.intervals import student

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from trainscape.workloads import Metric

    Ends = tuple[float | None, ...]
    Decide = Callable[["Told"], list["Case"]]

Verdict = Literal["holds", "does not hold", "undecided"]
Overall = Literal["holds", "does not hold", "undecided", "holds in part"]

LEVEL = 0.95  # probability that all intervals of one verdict hold
SIDES = ("optimizer", "schedule", "batch_size")  # axes whose values can be set against each other
NO_RELATION = (-0.5, 0.25)  # exponents nearer to 0 than to any other rule of thumb


@dataclass(frozen=True)
class Told:
    """What a claim is held against, of one workload.

    Args:
        article: the study's ``article``; ``decided_by``, ``of``, ``than`` and ``ends`` are read.
        trials: rows as of :func:`trainscape.analysis.trials`.
        scaling: rows as of :func:`trainscape.analysis.scaling`.
        paths: rows as of :func:`trainscape.analysis.paths`.
        judged: the workload's metric.
        exact: whether every seed gives the same, as where a function is minimised from one start.
    """

    article: Mapping[str, Any]
    trials: Sequence[Row]
    scaling: Sequence[Row]
    paths: Sequence[Row]
    judged: Metric
    exact: bool


@dataclass(frozen=True)
class Case:
    """One comparison that the claim makes.

    Args:
        verdict: what it says of the claim.
        place: what it is of: ``of``, the side that the claim is about, its axis, others that vary.
        value: what decides: an exponent, a difference, a slope, a value at the end.
        low: low end of its 95% interval; None for no bound, or where nothing is known.
        high: high end.
        pair: the two values behind it, if there are two.
        seeds: how many it rests on.
    """

    verdict: Verdict
    place: Mapping[str, Any] = field(default_factory=dict)
    value: float | None = None
    low: float | None = None
    high: float | None = None
    pair: Ends = (None, None)
    seeds: int = 0


def cases(told: Told) -> list[Case]:
    """Every comparison that the claim makes, each with its verdict."""
    return DECIDE[told.article["decided_by"]](told)


def verdict(found: Sequence[Case]) -> Overall:
    """What all comparisons say together.

    >>> verdict([Case("holds"), Case("undecided")]), verdict([Case("does not hold")])
    ('holds in part', 'does not hold')
    """
    said = {case.verdict for case in found}
    if len(said) == 1:
        return said.pop()
    return "holds in part" if "holds" in said else "undecided"


def _side(label: object, rows: Sequence[Row]) -> str:
    """The axis that has this value: one has, or the study was refused."""
    return next(axis for axis in SIDES if any(str(row[axis]) == str(label) for row in rows))


# How the best rate follows the batch size: by the interval of α in best lr ∝ batch^α.


def _exponents(decide: Callable[[float | None, float | None], Verdict]) -> Decide:
    """A case for each optimizer, over all of its schedules."""

    def found(told: Told) -> list[Case]:
        return [
            Case(
                decide(row["low"], row["high"]),
                {"of": row["optimizer"]},
                *(row[name] for name in ("exponent", "low", "high")),
            )
            for row in overall(told.scaling)
        ]

    return found


def _depends(low: float | None, high: float | None) -> Verdict:
    """The best rate depends on the batch size: 0 lies outside."""
    if (low is not None and low > 0) or (high is not None and high < 0):
        return "holds"
    if low is None or high is None:
        return "undecided"
    return "does not hold" if NO_RELATION[0] < low and high < NO_RELATION[1] else "undecided"


def _not_inverse(low: float | None, high: float | None) -> Verdict:
    """Rate and batch size are not inverse: −1 lies outside."""
    within = rules(low, high)
    if "inverse" not in within:
        return "holds"
    return "does not hold" if within == ["inverse"] else "undecided"


def _rule(name: str) -> Callable[[float | None, float | None], Verdict]:
    """One rule of thumb holds: its exponent lies within, and no other's does."""

    def decide(low: float | None, high: float | None) -> Verdict:
        within = rules(low, high)
        if name not in within:
            return "does not hold"
        return "holds" if within == [name] else "undecided"

    return decide


# Values set against each other.


def _lower_loss(told: Told) -> list[Case]:
    """``of`` ends at a lower loss than ``than``, at whatever else is equal.

    Differences are paired by seed, with Student's t intervals that hold together (Bonferroni).
    """
    than = told.article["than"]
    axis = _side(than, told.trials)
    others = [name for name in AXES if name != axis]
    varied = [name for name in others if len({row[name] for row in told.trials}) > 1]
    value = "test_metric" if told.exact else "train_loss"
    pairs = [
        ({"axis": axis, "of": label} | {n: group[0][n] for n in varied}, first, second)
        for label in told.article["of"]
        for group in grouped(told.trials, others)
        for first, second in [[_by_seed(group, axis, side, value) for side in (label, than)]]
        if first and second  # each may have rates of its own
    ]
    return [_lower(*pair, together=len(pairs), exact=told.exact) for pair in pairs]


def _by_seed(rows: Sequence[Row], axis: str, label: object, value: str) -> dict[int, float | None]:
    """A value of each seed of one cell, in order; None where a trial did not come to its end."""
    own = sorted(rows, key=lambda row: row["seed"])
    return {row["seed"]: row[value] for row in own if str(row[axis]) == str(label)}


def _lower(
    place: Mapping[str, Any],
    first: Mapping[int, float | None],
    second: Mapping[int, float | None],
    *,
    together: int,
    exact: bool,
) -> Case:
    """Whether the first of two cells ends lower than the second."""
    whole = [list(side.values()) for side in (first, second)]
    if any(None in side for side in whole):
        lost = [set(side) == {None} for side in whole]
        sure = [side for side in whole if None not in side]
        word: Verdict = "does not hold" if lost[0] else "holds"
        return Case(word if sure and any(lost) else "undecided", place, seeds=len(first))
    pair = tuple(statistics.fmean(value for value in side if value is not None) for side in whole)
    apart = [b - a for a, b in zip(*whole, strict=True) if a is not None and b is not None]
    if exact:
        return Case("holds" if apart[0] > 0 else "does not hold", place, apart[0], pair=pair)
    low, high = _ends(apart, together)
    middle = statistics.fmean(apart)
    return Case(_above(low, high), place, middle, low, high, pair, len(apart))


def _ends(values: Sequence[float], together: int = 1) -> tuple[float | None, float | None]:
    """The interval of a mean, one of several that hold together; none of one value."""
    return (None, None) if len(values) < 2 else student(values, LEVEL, together)


def _above(low: float | None, high: float | None) -> Verdict:
    """What an interval says of a value that is claimed to be above 0."""
    if low is not None and low > 0:
        return "holds"
    return "does not hold" if high is not None and high <= 0 else "undecided"


def _small_batches(told: Told) -> list[Case]:
    """The test metric gets worse as the batch grows, each batch size at its best rate.

    The value is the change of the metric with every doubling, by least squares for each seed; a
    batch size's best rate is that of the best mean validation metric, or the lowest training loss.
    """
    sign = 1 if told.judged.direction == "max" else -1
    return [
        _slope({"of": own[0]["optimizer"]}, bests, sign)
        for own in grouped(told.trials, ("optimizer",))
        for bests in [[_best(cells) for cells in grouped(own, ("batch_size",))]]
    ]


def _best(rows: Sequence[Row]) -> list[Row]:
    """The trials of the best of the cells that came to their end; none if none did.

    Of equal ones it is the lowest rate, then the first by name.
    """
    cells = {
        key(own[0]): sorted(own, key=lambda row: row["seed"])
        for own in grouped(rows, AXES)
        if all(row["status"] == "ok" for row in own)
    }
    means = [
        {**own[0], "val_metric_mean": _mean(own, "val_metric"), "loss": _mean(own, "train_loss")}
        for own in cells.values()
    ]
    # without validation nothing is selected: then the training loss says which rate suits
    chosen = best(means) or min(
        means, key=lambda row: (row["loss"], row["lr"], row["schedule"]), default=None
    )
    return [] if chosen is None else cells[key(chosen)]


def _mean(rows: Sequence[Row], name: str) -> float | None:
    """A mean over seeds, rounded: its last bits choose no cell; None where a seed has no value."""
    values = [row[name] for row in rows]
    return None if None in values else round(statistics.fmean(values), DIGITS)


def _slope(place: Mapping[str, Any], bests: Sequence[Sequence[Row]], sign: int) -> Case:
    """How a metric changes with every doubling of the batch; above 0 is better."""
    known = sorted((cell for cell in bests if cell), key=lambda cell: cell[0]["batch_size"])
    if len(known) < 2:
        return Case("undecided", place)
    doublings = [math.log2(cell[0]["batch_size"]) for cell in known]
    by_seed = zip(*([row["test_metric"] for row in cell] for cell in known), strict=True)
    slopes = [statistics.linear_regression(doublings, values).slope for values in by_seed]
    low, high = _ends(slopes)
    worse = (None, None) if low is None or high is None else sorted((-sign * low, -sign * high))
    pair = tuple(statistics.fmean(row["test_metric"] for row in known[at]) for at in (0, -1))
    sizes = {
        f"{end}{of}": known[at][0][name]
        for end, at in (("from", 0), ("to", -1))
        for of, name in (("", "batch_size"), ("_steps", "steps"))
    }
    middle = statistics.fmean(slopes)
    return Case(_above(*worse), {**place, **sizes}, middle, low, high, pair, len(slopes))


def _ends_at(told: Told) -> list[Case]:
    """A descent ends where the article prints, to the digits that it prints."""
    axis = _side(told.article["of"][0], told.trials)
    (label,) = told.article["of"]
    own = [row for row in told.paths if str(row[axis]) == str(label)]
    last = max(own, key=lambda row: row["step"]) if own else {}
    return [
        Case(
            "holds" if _printed(last.get(name), value) else "does not hold",
            {"of": label, "value": name},
            last.get(name),
            pair=(last.get(name), value),
        )
        for name, value in told.article["ends"].items()
    ]


def _printed(ours: float | None, theirs: float) -> bool:
    """Whether a number is another one to all the digits of that."""
    digits = len(f"{theirs!r}".partition("e")[0].replace(".", "").lstrip("-0"))
    return ours is not None and float(f"{ours:.{digits}g}") == theirs


DECIDE: dict[str, Decide] = {
    "rate-depends-on-batch": _exponents(_depends),
    "rate-not-inverse": _exponents(_not_inverse),
    "rate-linear": _exponents(_rule("linear")),
    "rate-square-root": _exponents(_rule("square-root")),
    "lower-loss": _lower_loss,
    "small-batch-generalises": _small_batches,
    "ends-at": _ends_at,
}
