"""Optimizer against optimizer, each at its best cell, and how forgiving each of them is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from trainscape import workloads
from trainscape.analysis import best_of_optimizers
from trainscape.answers._choice import described
from trainscape.answers._intervals import rounded
from trainscape.answers._rates import over_rates
from trainscape.statistics.forgiving import basins, expected_best, safe_rate, sensitivity
from trainscape.statistics.versus import versus
from trainscape.workloads import cross_entropy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from trainscape.analysis import Cells, Row

    Floats = NDArray[np.float64]

DRAWN = 5  # settings that somebody tries at random
NOT_KNOWN: dict[str, Any] = dict.fromkeys(
    ("width", "width_edge", "sensitivity", "five", "safe", "safe_value", "over")
)


def optimizers(
    grid: Cells,
    final: Cells,
    reference: str,
    margin: float,
    examples: Mapping[str, Floats],
    *,
    whole: bool,
) -> list[dict[str, Any]]:
    """A row for each optimizer that has a cell without failures, the reference first.

    Differences are those of the test metric, paired by seed, from the reference. Each optimizer's
    cell is its best by validation on the seeds that are compared: the test metric does not choose.

    Args:
        grid: all cells, on the seeds that the finalists were chosen by.
        final: the cells that are compared: the finalists on fresh seeds, or all.
        reference: the optimizer that the others are compared with.
        margin: what makes no difference in practice, in the metric's unit.
        examples: by digest, each test example's metric.
        whole: whether all cells of the grid were trained: else nothing is said of their shape.
    """
    places = best_of_optimizers(final)
    # by name: the order of a study's list decides no random number
    names = sorted(places, key=lambda name: (name != reference, name))
    values = final.values("test_metric")[[places[name] for name in names]]
    pairs = {
        names[pair.first]: pair for pair in versus(values, final.scale("test"), margin, reference=0)
    }
    rows = []
    for name in names:
        pair = pairs.get(name)
        rows.append(
            {
                "optimizer": name,
                **described(final, places[name], examples),
                "difference": None
                if pair is None
                else {
                    "mean": rounded(pair.difference),
                    "low": rounded(pair.low),
                    "high": rounded(pair.high),
                },
                "verdict": "reference" if pair is None else pair.verdict,
                "forgiving": _forgiving(grid, final.rows[places[name]], margin, whole=whole),
            }
        )
    return rows


def _forgiving(grid: Cells, best: Row, margin: float, *, whole: bool) -> dict[str, Any]:
    """What happens beside an optimizer's best cell."""
    own = [i for i, row in enumerate(grid.rows) if row["optimizer"] == best["optimizer"]]
    cells = grid.among(own)
    trials = [row for rows in cells.trials for row in rows]
    lost = sum(row["status"] != "ok" or row["failed"] == 1 for row in trials) / len(trials)
    if not whole:
        return {**NOT_KNOWN, "lost": rounded(lost)}
    sign, lr, sizes = cells.scale().sign, _axis(cells, "lr"), _axis(cells, "batch_size")
    means, losses = (_laid(cells, name) for name in ("val_metric", "val_loss"))
    row = sizes.index(best["batch_size"])
    basin = basins(means, np.array(lr), margin, sign)[row]
    capped = np.where(np.isnan(losses[row]), np.inf, losses[row]).min(0)
    slope = sensitivity(
        np.where(np.isfinite(capped), capped, np.nan), np.array(lr), _at_start(best["workload"])
    )
    safe = safe_rate(means, np.array(lr), sign)
    return {
        "width": None if basin is None else rounded(basin.decades),
        "width_edge": None if basin is None else basin.open_low or basin.open_high,
        "sensitivity": None if slope is None else rounded(slope.value),
        "five": rounded(_best_of(means, sign, best["workload"])) if len(own) >= DRAWN else None,
        "safe": None if safe is None else safe.lr,
        "safe_value": None if safe is None else rounded(safe.worst),
        "lost": rounded(lost),
        "over": over_rates(cells, best["batch_size"], basin),
    }


def _axis(cells: Cells, name: str) -> list[Any]:
    return sorted({row[name] for row in cells.rows})


def _laid(cells: Cells, name: str) -> Floats:
    """Mean of a column by batch size, schedule and rate, (B, H, R); NaN for a diverged cell."""
    axes = [_axis(cells, axis) for axis in ("batch_size", "schedule", "lr")]
    found = np.full([len(axis) for axis in axes], np.nan)
    for row, mean in zip(cells.rows, cells.values(name).mean(1), strict=True):
        place = tuple(
            axis.index(row[of])
            for axis, of in zip(axes, ("batch_size", "schedule", "lr"), strict=True)
        )
        found[place] = mean
    return found


def _best_of(means: Floats, sign: int, workload: str) -> float:
    chance = workloads.registry.get(workload).chance
    return expected_best(means, DRAWN, sign, math.nan if chance is None else chance)


def _at_start(workload: str) -> float | None:
    """The loss of a constant prediction, where it is known: of cross-entropy −log(chance)."""
    entry = workloads.registry.get(workload)
    known = entry.loss is cross_entropy and entry.chance
    return -math.log(entry.chance) if known and entry.chance else None
