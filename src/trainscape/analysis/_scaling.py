"""How the best learning rate follows the batch size, as tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from trainscape.analysis._best import validated
from trainscape.analysis._summary import grouped
from trainscape.results.tables import Row, frame, records
from trainscape.statistics.draws import generator
from trainscape.statistics.exponent import Exponent, Term, exponent, mean
from trainscape.statistics.scores import scale

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RULES = {"inverse": -1.0, "none": 0.0, "square-root": 0.5, "linear": 1.0}
OWNER = ("workload", "optimizer", "schedule")
ALL = "all schedules"  # no label: those have no spaces
ALPHA = ("exponent", "low", "high")
FACTOR = ("factor", "factor_low", "factor_high")
BEND = ("bend", "bend_low", "bend_high")
COLUMNS = (*OWNER, "batch_sizes", *ALPHA, "edges", *FACTOR, *BEND, "reason", "warning")
TWO = "two batch sizes: α joins two points, and nothing shows that lr follows a power of the batch"
RATES = (*OWNER, "batch_size", "lr", "side")
SIDES = {-1: "lowest", 1: "highest", 0: None}
DIGITS = 4  # more would differ between machines' logarithms


def scaling(trials: pd.DataFrame) -> pd.DataFrame:
    """The exponent α of lr ∝ batch^α for every workload, optimizer and schedule.

    The best lr of a batch size is where a parabola through the best cell and its neighbours has its
    vertex, in log loss over log lr: the final validation loss or, without a validation split, the
    final training loss. :mod:`trainscape.statistics.exponent` says how α and its 95% interval
    follow. An optimizer with several schedules has a row for the mean of their exponents, too.

    A cell with a diverged seed cannot be best. A batch size without any other is left out.
    ``edges`` counts best rates at an end of the axis: the true ones may lie beyond. Where they
    leave α without a bound on one side, ``low`` or ``high`` is null. Where nothing is known,
    ``exponent`` is null, and ``reason`` says why. With two batch sizes ``warning`` says that α
    joins two points: it is what happened between these two, and no law. ``factor`` is 2^α: what
    twice the batch does to the best lr. ``bend`` is the change of α with every doubling of the
    batch: below zero where the best lr rises ever more slowly, or falls after a surge.

    Args:
        trials: as :func:`trainscape.analysis.trials` makes it.
    """
    rows: list[Row] = []
    for own in grouped(_fits(trials), OWNER[:2]):
        rows += [_row(fit, fit["fit"]) for fit in own]
        known = [fit["fit"] for fit in own if fit["fit"] is not None]
        if len(known) > 1:
            rows.append(_row({**own[0], "schedule": ALL}, _mean(known)))
    return frame(rows, COLUMNS)


def best_rates(trials: pd.DataFrame) -> pd.DataFrame:
    """The best lr of every workload, optimizer, schedule and batch size, as α rests on it.

    ``side`` is ``lowest`` or ``highest`` where it ends its axis, else null.

    Args:
        trials: as :func:`trainscape.analysis.trials` makes it.
    """
    rows = [
        {**fit, "batch_size": int(size), "lr": float(f"{lr:.{DIGITS}g}"), "side": SIDES[side]}
        for fit in _fits(trials)
        if (found := fit["fit"]) is not None
        for size, lr, side in zip(found.sizes, found.bests, found.sides, strict=True)
    ]
    return frame([{name: row[name] for name in RATES} for row in rows], RATES)


def overall(rows: Iterable[Row]) -> list[Row]:
    """Of one workload, for each optimizer the row over all schedules, or that of its only one."""
    found: dict[str, Row] = {}
    for row in rows:
        if row["schedule"] == ALL or row["optimizer"] not in found:
            found[row["optimizer"]] = row
    return list(found.values())


def rules(low: float | None, high: float | None) -> list[str]:
    """The rules of thumb whose exponent lies within an interval; None is no bound.

    >>> rules(-0.2, 0.6)
    ['none', 'square-root']
    >>> rules(0.2, None)
    ['square-root', 'linear']
    """
    least, most = -math.inf if low is None else low, math.inf if high is None else high
    return [name for name, value in RULES.items() if least <= value <= most]


def losses(rows: Sequence[Row], value: str) -> tuple[list[int], list[float], Floats]:
    """Batch sizes, rising rates, and losses (S, B, R) as logarithms; NaN for a diverged trial.

    Losses that are not all above zero stay as they are.

    Args:
        rows: trials of one workload, optimizer and schedule.
        value: the column.
    """
    seeds, rates = (sorted({row[key] for row in rows}) for key in ("seed", "lr"))
    sizes = sorted({row["batch_size"] for row in rows})
    found = np.full((len(seeds), len(sizes), len(rates)), np.nan)
    for row in rows:
        place = seeds.index(row["seed"]), sizes.index(row["batch_size"]), rates.index(row["lr"])
        if row[value] is not None:
            found[place] = row[value]
    return sizes, rates, -scale("", "min", found, None).up(found)


def _fits(trials: pd.DataFrame) -> list[Row]:
    """The fit of every workload, optimizer and schedule beside their names."""
    value = "val_loss" if validated(trials) else "train_loss"
    found: list[Row] = []
    for rows in grouped(records(trials), OWNER):
        names = {name: rows[0][name] for name in OWNER}
        sizes, rates, heights = losses(rows, value)
        draw = generator("exponent", *(str(name) for name in names.values()))
        found.append({**names, "fit": exponent(heights, sizes, rates, draw)})
    return found


def _mean(fits: Sequence[Exponent]) -> Exponent:
    """The mean over schedules; their errors are independent, as their basins differ."""
    bends = [fit.bend for fit in fits if fit.bend is not None]
    return Exponent(
        mean([fit.alpha for fit in fits]),
        mean(bends) if len(bends) == len(fits) else None,
        min((fit.sizes for fit in fits), key=len),
        [],
        [side for fit in fits for side in fit.sides],
    )


def _row(names: Row, fit: Exponent | None) -> Row:
    about = {name: names[name] for name in OWNER}
    none = dict.fromkeys((*ALPHA, *FACTOR, *BEND, "reason", "warning"))
    if fit is None:
        reason = "fewer than two batch sizes have a best rate among two or more"
        return {**about, **none, "batch_sizes": 0, "edges": 0, "reason": reason}
    alpha = _numbers(fit.alpha)
    factor = [None if value is None else round(2.0**value, DIGITS) for value in alpha]
    return {
        **about,
        **none,
        **dict(zip(ALPHA, alpha, strict=True)),
        **dict(zip(FACTOR, factor, strict=True)),
        **(dict(zip(BEND, _numbers(fit.bend), strict=True)) if fit.bend else {}),
        "batch_sizes": len(fit.sizes),
        "edges": sum(side != 0 for side in fit.sides),
        "reason": "best rates end the axis on both sides" if alpha[0] is None else None,
        "warning": TWO if alpha[0] is not None and len(fit.sizes) == 2 else None,
    }


def _numbers(term: Term) -> list[float | None]:
    """Estimate and bounds, rounded; None for what is unknown."""
    if term.value is None:
        return [None, None, None]
    found = (term.value, *term.interval)
    # + 0.0: no -0.0
    return [round(value, DIGITS) + 0.0 if math.isfinite(value) else None for value in found]
