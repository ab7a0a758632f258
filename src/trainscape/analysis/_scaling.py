"""How the best learning rate follows the batch size: an exponent with an interval.

Rules of thumb say lr ∝ batch^α: linear, α = 1 (Goyal et al., Accurate, large minibatch SGD, 2017),
or by the square root, α = 1/2 (Krizhevsky, One weird trick, 2014), with α = 0 for no relation and
α = −1 for an inverse one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trainscape.analysis._best import metric, validated
from trainscape.analysis._summary import grouped
from trainscape.analysis._tables import Row, frame, records

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

RULES = {"inverse": -1.0, "none": 0.0, "square-root": 0.5, "linear": 1.0}
OWNER = ("workload", "optimizer", "schedule")
COLUMNS = (*OWNER, "batch_sizes", "exponent", "low", "high", "edges")
RESAMPLES = 2000
INTERVAL = (2.5, 97.5)  # percentiles
DIGITS = 4  # more would differ between machines' logarithms


def scaling(trials: pd.DataFrame) -> pd.DataFrame:
    """The exponent α of lr ∝ batch^α for every workload, optimizer and schedule.

    The best lr of a batch size is that of the best mean over seeds: of the validation metric or,
    without a validation split, of the final training loss. α is the slope of log(best lr) over
    log(batch size) by least squares. Its 95% interval is a bootstrap over seeds, in which every
    best lr is moved at random within half a step of its axis: a grid tells the best rate no finer.

    A cell with a diverged seed cannot be best. A batch size without any other is left out; with
    fewer than two left, α is null. ``edges`` counts best rates at an end of the axis: the true ones
    may lie beyond, and so may α.

    Args:
        trials: as :func:`trainscape.analysis.trials` makes it.
    """
    value = "val_metric" if validated(trials) else "train_loss"
    return frame([_fit(rows, value) for rows in grouped(records(trials), OWNER)], COLUMNS)


def rules(low: float, high: float) -> list[str]:
    """The rules of thumb whose exponent lies within an interval.

    >>> rules(-0.2, 0.6)
    ['none', 'square-root']
    """
    return [name for name, exponent in RULES.items() if low <= exponent <= high]


def _fit(rows: list[Row], value: str) -> Row:
    sizes, rates, losses = _losses(rows, value)
    about = {key: rows[0][key] for key in OWNER} | {"batch_sizes": len(sizes)}
    if len(sizes) < 2:
        return {**about, "exponent": None, "low": None, "high": None, "edges": 0}
    x, y = np.log(sizes), np.log(rates)
    best = losses.mean(0).argmin(-1)
    low, high = np.percentile(_bootstrap(x, y, losses), INTERVAL)
    found = {"exponent": _slopes(x, y[best]), "low": low, "high": high}
    return {
        **about,
        **{name: round(float(exponent), DIGITS) for name, exponent in found.items()},
        "edges": int(np.isin(best, (0, len(y) - 1)).sum()),
    }


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


def _bootstrap(x: Floats, y: Floats, losses: Floats) -> Floats:
    """The slopes of resampled seeds, the best rates moved within half a step of their axis."""
    draw = np.random.Generator(np.random.PCG64(0))  # fixed: the same trials give the same interval
    chosen = draw.integers(len(losses), size=(RESAMPLES, len(losses)))
    best = np.stack([losses[seeds].mean(0).argmin(-1) for seeds in chosen])
    half = np.diff(y).mean() / 2 if len(y) > 1 else 0.0
    return _slopes(x, y[best] + draw.uniform(-half, half, best.shape))


def _slopes(x: Floats, y: Floats) -> Floats:
    """Least-squares slopes of y (…, B) over x (B,)."""
    apart = x - x.mean()
    slopes: Floats = y @ apart / (apart @ apart)
    return slopes
