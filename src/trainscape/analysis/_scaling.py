"""How the best learning rate follows the batch size: an exponent with an interval.

Rules of thumb say lr ∝ batch^α: linear, α = 1 (Goyal et al., Accurate, large minibatch SGD, 2017),
or by the square root, α = 1/2 (Krizhevsky, One weird trick, 2014), with α = 0 for no relation and
α = −1 for an inverse one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trainscape.analysis._best import metric, validated
from trainscape.analysis._summary import grouped
from trainscape.results.tables import Row, frame, records

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RULES = {"inverse": -1.0, "none": 0.0, "square-root": 0.5, "linear": 1.0}
OWNER = ("workload", "optimizer", "schedule")
ALL = "all schedules"  # no label: those have no spaces
COLUMNS = (*OWNER, "batch_sizes", "exponent", "low", "high", "edges")
RESAMPLES = 2000
INTERVAL = (2.5, 97.5)  # percentiles
DIGITS = 4  # more would differ between machines' logarithms


@dataclass(frozen=True)
class Fit:
    """α of some cells: the estimate, its resamples (RESAMPLES,), and what it rests on."""

    exponent: float
    resamples: Floats
    batch_sizes: int
    edges: int


def scaling(trials: pd.DataFrame) -> pd.DataFrame:
    """The exponent α of lr ∝ batch^α for every workload, optimizer and schedule.

    The best lr of a batch size is that of the best mean over seeds: of the validation metric or,
    without a validation split, of the final training loss. α is the slope of log(best lr) over
    log(batch size) by least squares. Its 95% interval is a bootstrap over seeds, in which every
    best lr is moved at random within half a step of its axis: a grid tells the best rate no finer.
    An optimizer with several schedules has a row for the mean of their exponents, too.

    A cell with a diverged seed cannot be best. A batch size without any other is left out; with
    fewer than two left, α is null. ``edges`` counts best rates at an end of the axis: the true ones
    may lie beyond, and so may α.

    Args:
        trials: as :func:`trainscape.analysis.trials` makes it.
    """
    value = "val_metric" if validated(trials) else "train_loss"
    rows: list[Row] = []
    for own in grouped(records(trials), OWNER[:2]):
        fits = [(group[0], _fit(group, value)) for group in grouped(own, OWNER[2:])]
        rows += [_row(first, first["schedule"], fit) for first, fit in fits]
        known = [fit for _, fit in fits if fit is not None]
        if len(known) > 1:
            rows.append(_row(own[0], ALL, _mean(known)))
    return frame(rows, COLUMNS)


def rules(low: float, high: float) -> list[str]:
    """The rules of thumb whose exponent lies within an interval.

    >>> rules(-0.2, 0.6)
    ['none', 'square-root']
    """
    return [name for name, exponent in RULES.items() if low <= exponent <= high]


def _row(first: Row, schedule: str, fit: Fit | None) -> Row:
    about = {"workload": first["workload"], "optimizer": first["optimizer"], "schedule": schedule}
    if fit is None:
        return {**about, "batch_sizes": 0, "exponent": None, "low": None, "high": None, "edges": 0}
    low, high = np.percentile(fit.resamples, INTERVAL)
    found = {"exponent": fit.exponent, "low": low, "high": high}
    rounded = {name: round(float(value), DIGITS) + 0.0 for name, value in found.items()}  # no -0.0
    return {**about, **rounded, "batch_sizes": fit.batch_sizes, "edges": fit.edges}


def _mean(fits: Sequence[Fit]) -> Fit:
    """The mean exponent; resamples belong together, since the same seeds were drawn for each."""
    return Fit(
        float(np.mean([fit.exponent for fit in fits])),
        np.mean([fit.resamples for fit in fits], axis=0),
        min(fit.batch_sizes for fit in fits),
        sum(fit.edges for fit in fits),
    )


def _fit(rows: list[Row], value: str) -> Fit | None:
    sizes, rates, losses = _losses(rows, value)
    if len(sizes) < 2 or len(rates) < 2:
        return None
    x, y = np.log(sizes), np.log(rates)
    best = losses.mean(0).argmin(-1)
    edges = int(np.isin(best, (0, len(y) - 1)).sum())
    chosen = _stream("seeds").integers(len(losses), size=(RESAMPLES, len(losses)))
    bests = np.stack([losses[seeds].mean(0).argmin(-1) for seeds in chosen])
    half = np.diff(y).mean() / 2
    moved = _stream("rates", rows[0]["schedule"]).uniform(-half, half, bests.shape)
    return Fit(float(_slopes(x, y[best])), _slopes(x, y[bests] + moved), len(sizes), edges)


def _stream(*names: str) -> np.random.Generator:
    """Random numbers by name: the same in every run, those of different names independent."""
    return np.random.Generator(np.random.PCG64(list("/".join(names).encode())))


def _losses(rows: list[Row], value: str) -> tuple[list[int], list[float], Floats]:
    """Batch sizes B, rates R, and what is to be least, (S, B, R), infinite for a diverged cell."""
    least = value == "train_loss" or metric(rows[0]["workload"]).direction == "min"
    seeds, rates = (sorted({row[key] for row in rows}) for key in ("seed", "lr"))
    sizes = sorted({row["batch_size"] for row in rows})
    losses = np.full((len(seeds), len(sizes), len(rates)), np.inf)
    for row in rows:
        place = seeds.index(row["seed"]), sizes.index(row["batch_size"]), rates.index(row["lr"])
        if row[value] is not None:
            losses[place] = row[value] if least else -row[value]
    losses[:, ~np.isfinite(losses).all(0)] = np.inf
    known = np.isfinite(losses[0]).any(-1)
    kept = [size for size, usable in zip(sizes, known, strict=True) if usable]
    return kept, rates, losses[:, known]


def _slopes(x: Floats, y: Floats) -> Floats:
    """Least-squares slopes of y (…, B) over x (B,)."""
    apart = x - x.mean()
    slopes: Floats = y @ apart / (apart @ apart)
    return slopes
