"""What matters, as a table: which axes of a study make cells differ."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from trainscape.analysis._best import metric, validated
from trainscape.analysis._summary import grouped
from trainscape.results.tables import Row, frame, records
from trainscape.statistics.draws import generator
from trainscape.statistics.importance import HIGHER, Share
from trainscape.statistics.importance import importance as shares
from trainscape.statistics.scores import scale

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

NAMES = {"optimizer": "optimizer", "batch_size": "batch size", "lr": "lr", "schedule": "schedule"}
GRID, BEST_LR, SEARCH = "grid", "best lr", "search"
COLUMNS = ("workload", "region", "component", "share", "low", "high", "noise", "imputed", "note")
EXAMPLES = 1000  # shares are put on log odds as if of so many, where that is not known
DIGITS = 4
TOP = 0.1  # PED-ANOVA: what makes a cell one of the best tenth …
LEAST = 5  # … or of the best five, if those are more
FEWEST = 2 * LEAST  # cells without which nothing is told apart

BY_RANK = "optimizers have different rates: lr counts by rank within its optimizer's list"
UNLIKE = "optimizers have different numbers of rates: no shares of lr, see best lr"
SAME = "the cells do not differ"
LOCAL = "PED-ANOVA: what makes a trained cell one of the best"
FEW = "fewer than 10 cells were trained"


def importance(
    trials: pd.DataFrame, examples: Mapping[str, int] | None = None, *, whole: bool = True
) -> pd.DataFrame:
    """The shares of axes, and of pairs of axes, in how cells differ, for every workload.

    The score is the validation metric or, without a validation split, the final training loss, on a
    scale where noise is even. ``region`` says between which cells: ``grid`` all, where cells that
    fail weigh most, and ``best lr`` those with the best rate of each combination.
    :mod:`trainscape.statistics.importance` says how shares and their 95% intervals follow. A
    component is an axis, or two as ``optimizer × lr`` for what they do together beyond each alone.
    ``noise`` is the part of the variance that was seed noise and is taken off, ``imputed`` counts
    cells without a value, which count as the worst cell.

    Where optimizers have rates of their own, lr counts by rank; where they have different numbers
    of them, there is no ``grid``. Where a search trained a part of the grid, ``region`` is
    ``search``, and shares are those of PED-ANOVA (Watanabe et al., 2304.10255), which knows axes
    alone and has no intervals. ``note`` says what is to be known of it, or why there is no share.

    Args:
        trials: as :func:`trainscape.analysis.trials` makes it.
        examples: how many the validation metric was taken over, by workload.
        whole: whether all cells of the grid were trained.
    """
    value = "val_metric" if validated(trials) else "train_loss"
    found: list[Row] = []
    for rows in grouped(records(trials), ("workload",)):
        known = EXAMPLES if examples is None else examples.get(rows[0]["workload"], EXAMPLES)
        scores = _scores(rows, value, known)
        found += [
            {"workload": rows[0]["workload"], **row} for row in _rows(rows, scores, whole=whole)
        ]
    return frame(found, COLUMNS)


def _scores(rows: Sequence[Row], value: str, examples: int) -> Floats:
    """A score for every trial, more being better; NaN where there is none."""
    raw = np.array([np.nan if row[value] is None else row[value] for row in rows])
    if value == "train_loss":
        return scale("", "min", raw, None).up(raw)
    judged = metric(rows[0]["workload"])
    return scale(judged.unit, judged.direction, raw, examples).up(raw)


def _rows(rows: Sequence[Row], scores: Floats, *, whole: bool) -> list[Row]:
    """All rows of a workload."""
    rates = {own[0]["optimizer"]: _values(own, "lr") for own in grouped(rows, ("optimizer",))}
    counts = [len(own) for own in rates.values()]
    points = {axis: _values(rows, axis) for axis in NAMES if axis != "lr"}
    places = [
        tuple(
            (rates[row["optimizer"]] if axis == "lr" else points[axis]).index(row[axis])
            for axis in NAMES
        )
        for row in rows
    ]
    others = len(points["batch_size"]) * len(points["schedule"])
    if not whole or len(set(places)) < others * sum(counts):
        return _search(places, scores)
    shape = [max(counts) if axis == "lr" else len(points[axis]) for axis in NAMES]
    values = _grid(rows, scores, places, shape)
    lost = {place for place, score in zip(places, scores, strict=True) if not math.isfinite(score)}
    note = BY_RANK if len(set(map(tuple, rates.values()))) > 1 else None
    grid = [_none(GRID, UNLIKE)]
    if len(set(counts)) == 1:
        grid = _fanova(values, None, GRID, len(lost), note)
    return [*grid, *_fanova(values, "lr", BEST_LR, len(lost), None)]


def _values(rows: Sequence[Row], axis: str) -> list[Any]:
    """The values of an axis, rising or by name: the order of a study's list draws no number."""
    return sorted({row[axis] for row in rows})


def _grid(
    rows: Sequence[Row],
    scores: Floats,
    places: Sequence[tuple[int, ...]],
    shape: Sequence[int],
) -> Floats:
    """Scores (A₁, A₂, A₃, A₄, S), NaN where there is none."""
    seeds = sorted({row["seed"] for row in rows})
    values = np.full((*shape, len(seeds)), np.nan)
    for row, score, place in zip(rows, scores, places, strict=True):
        values[(*place, seeds.index(row["seed"]))] = score
    return values


def _fanova(
    values: Floats, over: str | None, region: str, lost: int, note: str | None
) -> list[Row]:
    """Rows of the exact analysis."""
    found = shares(values, list(NAMES), generator("importance", region), over)
    if found is None:
        return [_none(region, SAME)]
    about = {
        "region": region,
        "noise": None if found.noise is None else round(found.noise, DIGITS),
        "imputed": lost,
        "note": note,
    }
    return [{**about, **_numbers(share)} for share in found.shares]


def _numbers(share: Share) -> Row:
    named = share.axes if share.axes == HIGHER else tuple(NAMES[axis] for axis in share.axes)
    low, high = (None if math.isnan(end) else round(end, DIGITS) for end in share.bounds)
    return {
        "component": " × ".join(named),
        "share": round(share.share, DIGITS),
        "low": low,
        "high": high,
    }


def _search(places: Sequence[tuple[int, ...]], scores: Floats) -> list[Row]:
    """Rows of PED-ANOVA over the trained cells."""
    cells: dict[tuple[int, ...], list[float]] = {}
    for place, score in zip(places, scores, strict=True):
        cells.setdefault(place, []).append(float(score))
    means = {place: float(np.mean(own)) for place, own in cells.items()}
    known = [mean for mean in means.values() if math.isfinite(mean)]
    if len(known) < FEWEST:
        return [_none(SEARCH, FEW)]
    about = dict.fromkeys(("low", "high", "noise"))
    imputed = len(means) - len(known)
    values = {k: v if math.isfinite(v) else min(known) for k, v in means.items()}
    return [
        {"region": SEARCH, "component": NAMES[axis], "share": round(part, DIGITS), **about}
        | {"imputed": imputed, "note": LOCAL}
        for axis, part in _ped_anova(values).items()
    ]


def _ped_anova(cells: Mapping[tuple[int, ...], float]) -> dict[str, float]:
    """Optuna's shares of the axes; names count as categories, numbers by rank."""
    import optuna
    from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize")
    kinds: dict[str, BaseDistribution] = {}
    for number, axis in enumerate(NAMES):
        count = 1 + max(place[number] for place in cells)
        names = axis in ("optimizer", "schedule")
        if count > 1:
            kinds[axis] = (
                CategoricalDistribution(range(count)) if names else IntDistribution(0, count - 1)
            )
    for place, value in cells.items():
        params = {axis: at for axis, at in zip(NAMES, place, strict=True) if axis in kinds}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=kinds, value=value))
    judge = optuna.importance.PedAnovaImportanceEvaluator(
        target_quantile=max(TOP, LEAST / len(cells))
    )
    found = optuna.importance.get_param_importances(study, evaluator=judge)
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _none(region: str, why: str) -> Row:
    return {**dict.fromkeys(COLUMNS[2:]), "region": region, "imputed": 0, "note": why}
