"""The safest setting for somebody who tunes nothing: one rate for all batch sizes and schedules."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from trainscape.answers._choice import OWN
from trainscape.answers._intervals import rounded
from trainscape.statistics.forgiving import safe_rate, worst_cases
from trainscape.statistics.intervals import over_seeds
from trainscape.statistics.tied import tied

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from trainscape.analysis import Cells
    from trainscape.answers._laid import Laid
    from trainscape.statistics.scores import Scale

    Floats = NDArray[np.float64]

NONE: dict[str, Any] = dict.fromkeys(("lr", "worst", "worst_cell", "digest", "mean_over"))


def untuned(cells: Cells, grid: Mapping[str, Laid]) -> list[dict[str, Any]]:
    """The optimizers by their worst case over all batch sizes and schedules, the best first.

    For each optimizer its safe rate (:func:`trainscape.statistics.forgiving.safe_rate`), and
    ``worst``: the mean validation metric of the worst of its cells at that rate, ``worst_cell``.
    ``mean_over`` has the mean over all of these cells, and how many they are; it ranks equal worst
    cases. Last are optimizers that diverge somewhere at every rate. ``tied`` says that the seeds do
    not tell an optimizer's worst case from the best of them.

    The 95% interval of ``worst`` is that of :func:`over_seeds`, for new seeds at the worst case of
    this rate. Luck moves it twice. The least of several noisy means is too low on average, so the
    end towards better is as far away as luck may have lowered the worst of the cells that cannot be
    told from it. The rate is the best of several by its worst case, which is too high on average,
    so the end towards worse is as far away as luck may have lifted the best of the rates, of all
    optimizers, whose worst cases cannot be told from the best. The mean itself is not corrected.
    With one seed the interval is null. Selection was by validation, and so is this: nothing is said
    of the test metric, nor of a rate between those of the grid.

    Args:
        cells: the grid's, on the seeds that cells are selected by.
        grid: those of each optimizer.

    Returns:
        Nothing where no optimizer has a rate at which no trial diverges.
    """
    rates, found, scale = {}, {}, cells.scale()
    for name, own in grid.items():
        safe = safe_rate(own.means("val_metric"), np.array(own.rates), scale.sign)
        if safe is not None:
            rates[name] = own.rates.index(safe.lr)
            found[name] = int(own.places[safe.batch, safe.schedule, rates[name]])
    if not found:
        return []
    near, lifted = _rivals(grid, rates, scale)
    rows = [_row(cells, grid[name], rates[name], found[name], lifted[name]) for name in found]
    rows = [{**row, "tied": near[row["optimizer"]]} for row in rows]
    rows.sort(key=lambda row: (*_rank(row, scale.sign), row["optimizer"]))
    lost = [{"optimizer": name, **NONE, "tied": False} for name in grid if name not in found]
    return [*rows, *lost]


def _rank(row: Mapping[str, Any], sign: int) -> tuple[float, float]:
    return -sign * row["worst"]["mean"], -sign * row["mean_over"]["mean"]


def _row(cells: Cells, own: Laid, rate: int, worst: int, among: int) -> dict[str, Any]:
    """An optimizer at one of its rates; ``worst`` is its worst cell there."""
    values, scale = cells.values("val_metric"), cells.scale()
    there = values[own.index[own.places[..., rate].ravel()]]
    below = int(_members(there, scale, worst=True).sum())
    # all cells of these seeds tell how variances are spread, as for every other interval
    low, high = over_seeds(values, scale, among=among, below=below)
    row, place = own.rows[worst], own.index[worst]
    return {
        "optimizer": row["optimizer"],
        "lr": row["lr"],
        "worst": {
            "mean": rounded(values[place].mean()),
            "low": rounded(low[place]),
            "high": rounded(high[place]),
        },
        "worst_cell": {axis: row[axis] for axis in OWN},
        "digest": row["digest"],
        "mean_over": {"mean": rounded(there.mean()), "cells": len(there)},
    }


def _rivals(
    grid: Mapping[str, Laid], rates: Mapping[str, int], scale: Scale
) -> tuple[dict[str, bool], dict[str, int]]:
    """Whose worst case may be the best, and from how many rates each was chosen.

    Rates with a worst case that cannot be told from the best of an optimizer are those that its
    safe rate was chosen from; where it may be the best of all, so are those of the others.
    """
    every, names, own_rate = [], [], []
    for name, own in grid.items():
        values = own.values("val_metric")
        for rate, (batch, schedule) in worst_cases(values.mean(-1), scale.sign).items():
            every.append(values[batch, schedule, rate])
            names.append(name)
            own_rate.append(rate)
    worst, owner = np.array(every), np.array(names)
    member = _members(worst, scale)
    near = {
        name: bool(member[(owner == name) & (np.array(own_rate) == rate)].any())
        for name, rate in rates.items()
    }
    lifted = {name: int(_members(worst[owner == name], scale).sum()) for name in rates}
    return near, {
        name: max(count, int(member.sum())) if near[name] else count
        for name, count in lifted.items()
    }


def _members(values: Floats, scale: Scale, *, worst: bool = False) -> NDArray[np.bool_]:
    """Which cells (C, S) cannot be told from the best, or from the worst, of them."""
    turned = replace(scale, sign=-scale.sign) if worst else scale
    return tied(values, turned, np.zeros(len(values), bool)).member
