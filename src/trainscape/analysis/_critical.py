"""How large a batch pays, as tables: steps to the target over batch sizes, and gradient noise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from trainscape.analysis._best import metric
from trainscape.analysis._summary import grouped
from trainscape.results.tables import AXES, Row, frame, key, lines, records
from trainscape.statistics.critical import Critical, crossing, noise_scale
from trainscape.statistics.critical import critical as fitted
from trainscape.statistics.draws import generator
from trainscape.statistics.scores import scale

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from trainscape.statistics.critical import Crossing
    from trainscape.workloads import Metric

    Floats = NDArray[np.float64]
    Path = tuple[list[int], list[float]]  # the steps of a trial's evaluations, and their values

OWNER = ("workload", "optimizer", "schedule")
TRIAL = (*AXES, "seed")
STEADY = ("constant", "wsd")  # their rate does not fall from the start to the end of the budget
EXAMPLES = 1000  # shares are put on log odds as if of so many: matters near 0 and 1 alone
NOISE_EXAMPLES = 64  # of the batch whose gradients are measured
DIGITS = 4  # significant: more would differ between machines' logarithms
FITTED = ("critical", "low", "high", "least_steps", "overhead", "pays")
COLUMNS = (*OWNER, "batch_sizes", *FITTED, "edges", "warning", "reason")
STEPS = (*OWNER, "batch_size", "steps_at_best", "side")
NOISE = (*AXES, "seeds", "noise_scale", "low", "high", "signal", "variance", "digest", "reason")
SIDES = {-1: "lowest", 1: "highest", 0: None}
DECAYS = "the rate falls towards the end of the budget, so steps to the target depend on the budget"
WHY = {
    "few": "fewer than 3 batch sizes reach the target with every seed, after a first evaluation",
    "flat": "a larger batch does not save steps here",
    "proportional": "steps fall in proportion to the batch: the critical one lies beyond",
}
NO_SIGNAL = "the gradient's mean does not stand out from its noise"


def critical(
    trials: pd.DataFrame, curves: pd.DataFrame, steady: Collection[str] = STEADY
) -> pd.DataFrame:
    """B_crit of S(B) = S_min(1 + B_crit/B) for every workload, optimizer and schedule.

    S is the step at which the validation metric comes to the target, between two evaluations by a
    line (log odds for shares, over log steps), at the best rate of each batch size.
    :mod:`trainscape.statistics.critical` says how the fit and its 95% interval follow.

    ``overhead`` is the batch that takes 20% more examples than the fewest that do, ``pays`` the
    largest batch of the study that saves at least a quarter of the steps of half of it. ``low`` is
    zero and ``high`` null where the study does not bound B_crit. Where there is no fit,
    ``critical`` is null, and ``reason`` says why. ``warning`` says where the schedule makes steps
    depend on the budget: rows without one are to be preferred.

    Args:
        trials: as :func:`trainscape.analysis.trials` makes it.
        curves: as :func:`trainscape.analysis.curves` makes it.
        steady: labels of schedules whose rate holds until the target is reached.
    """
    return _as_fitted(_fits(trials, curves), steady)


def critical_and_steps(
    trials: pd.DataFrame, curves: pd.DataFrame, steady: Collection[str] = STEADY
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """:func:`critical` and :func:`best_steps`, fitted once.

    Args:
        trials: as :func:`trainscape.analysis.trials` makes it.
        curves: as :func:`trainscape.analysis.curves` makes it.
        steady: labels of schedules whose rate holds until the target is reached.
    """
    fits = _fits(trials, curves)
    return _as_fitted(fits, steady), _points(fits)


def _as_fitted(fits: Sequence[tuple[Row, Critical]], steady: Collection[str]) -> pd.DataFrame:
    rows: list[Row] = []
    for names, fit in fits:
        rows.append(
            {
                **names,
                "batch_sizes": len(fit.sizes),
                **_numbers(fit),
                "edges": sum(side != 0 for side in fit.sides),
                "warning": None if names["schedule"] in steady else DECAYS,
                "reason": None if fit.why is None else WHY[fit.why],
            }
        )
    return frame(rows, COLUMNS)


def best_steps(trials: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """Steps to the target at the best rate of each batch size: the points of the fit.

    ``side`` is ``lowest`` or ``highest`` where that rate ends its axis, else null.

    Args:
        trials: as :func:`trainscape.analysis.trials` makes it.
        curves: as :func:`trainscape.analysis.curves` makes it.
    """
    return _points(_fits(trials, curves))


def _points(fits: Sequence[tuple[Row, Critical]]) -> pd.DataFrame:
    rows: list[Row] = [
        {**names, "batch_size": int(size), "steps_at_best": _round(steps), "side": SIDES[side]}
        for names, fit in fits
        for size, steps, side in zip(fit.sizes, fit.steps, fit.sides, strict=True)
    ]
    return frame(rows, STEPS)


def noise_scales(
    noise: pd.DataFrame, trials: pd.DataFrame, examples: int = NOISE_EXAMPLES
) -> pd.DataFrame:
    """The gradient noise scale of every cell in which it was measured.

    Args:
        noise: columns ``digest``, ``seed``, ``step``, ``each`` (mean ‖gᵢ‖²), ``mean`` (‖mean gᵢ‖²).
        trials: of the same cells, for their names; digests are matched.
        examples: of the batch whose gradients were taken.
    """
    cells = {row["digest"]: row for row in records(trials)}
    rows: list[Row] = []
    for own in grouped(records(noise), ("digest",)):
        digest = own[0]["digest"]
        if digest not in cells:
            continue
        each, mean = (_by_seed(own, name) for name in ("each", "mean"))
        names = key(cells[digest])
        found = noise_scale(each, mean, examples, generator("noise", *map(str, names)))
        numbers = {"noise_scale": found.batch, "low": found.bounds[0], "high": found.bounds[1]}
        rows.append(
            {
                **dict(zip(AXES, names, strict=True)),
                "seeds": len(each),
                **{name: _round(value) for name, value in numbers.items()},
                "signal": _round(found.signal),
                "variance": _round(found.noise),
                "digest": digest,
                "reason": NO_SIGNAL if found.batch is None else None,
            }
        )
    return frame(rows, NOISE)


def _by_seed(rows: Sequence[Row], name: str) -> Floats:
    """Values (S, T) by seed and step, NaN where there is none; seeds without any are left out."""
    steps = sorted({row["step"] for row in rows})
    values: dict[int, Floats] = {}
    for row in rows:
        if row["each"] is not None and row["mean"] is not None:
            own = values.setdefault(row["seed"], np.full(len(steps), np.nan))
            own[steps.index(row["step"])] = row[name]
    return np.array([values[seed] for seed in sorted(values)]).reshape(len(values), len(steps))


def _fits(trials: pd.DataFrame, curves: pd.DataFrame) -> list[tuple[Row, Critical]]:
    """The fit of every workload, optimizer and schedule that has a target, beside their names."""
    validation = curves[(curves["split"] == "validation") & curves["metric"].notna()]
    paths: dict[tuple[object, ...], Path] = {}
    for *trial, step, value in lines(validation, (*TRIAL, "step", "metric")):
        path = paths.setdefault(tuple(trial), ([], []))
        path[0].append(step)
        path[1].append(value)
    found = []
    for rows in grouped(records(trials), OWNER):
        if rows[0]["target"] is not None:
            names = {name: rows[0][name] for name in OWNER}
            sizes, rates, steps, gaps = _crossings(rows, paths)
            draw = generator("critical", *(str(name) for name in names.values()))
            found.append((names, fitted(steps, gaps, sizes, rates, draw)))
    return found


def _crossings(
    rows: Sequence[Row], paths: Mapping[tuple[object, ...], Path]
) -> tuple[list[int], list[float], Floats, Floats]:
    """Batch sizes, rates, and the step and the gap of each crossing, (S, B, R)."""
    seeds, rates = (sorted({row[name] for row in rows}) for name in ("seed", "lr"))
    sizes = sorted({row["batch_size"] for row in rows})
    steps = np.full((len(seeds), len(sizes), len(rates)), np.inf)
    gaps = np.full_like(steps, np.nan)
    for row in rows:
        path = paths.get(key(row, TRIAL))
        if path and row["status"] == "ok":  # one that diverges stops counting
            place = seeds.index(row["seed"]), sizes.index(row["batch_size"]), rates.index(row["lr"])
            seen = _crossing(metric(row["workload"]), path, row["target"])
            steps[place], gaps[place] = seen.step, seen.gap
    return sizes, rates, steps, gaps


def _crossing(judged: Metric, path: Path, target: float) -> Crossing:
    """When a trial's validation metric came to its target."""
    steps, values = path
    on = scale(judged.unit, judged.direction, [*values, target], EXAMPLES)
    return crossing(steps, on.up(values).tolist(), float(on.up(target)))


def _numbers(fit: Critical) -> Row:
    low, high = fit.bounds
    found = (fit.batch, low, high, fit.least, fit.overhead, fit.pays)
    return {name: _round(value) for name, value in zip(FITTED, found, strict=True)}


def _round(value: float | None) -> float | None:
    """To a few significant digits; None for what is unknown or without bound."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{DIGITS}g}")
