"""Calibration of what is said to those who tune little: the safest rate, the widest range."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from calibration.rows import Row, quantile, share
from calibration.truth import SPLITS, Truth, load, world
from trainscape.analysis import AXES, Cells
from trainscape.answers._forgiving import most_forgiving
from trainscape.answers._laid import Laid, laid
from trainscape.answers._untuned import untuned
from trainscape.statistics.forgiving import basins, worst_cases

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

TITLE = "Little tuning"
NOISE = (0.3, 1.0, 2.0)
SEEDS, MARGIN = 5, 0.005
MANY = 100  # studies from which all levels of noise are simulated
FEWER = 5  # a study lays out a whole grid: so many times fewer of them are simulated


def run(studies: int, generator: np.random.Generator) -> list[Row]:
    """Grids of which all is known: is the worst case inside, is the widest range the widest?"""
    rows: list[Row] = []
    several = studies >= MANY
    for noise in NOISE if several else NOISE[1:2]:
        seen: dict[str, list[float]] = defaultdict(list)
        for _ in range(studies // FEWER if several else studies):
            _study(noise, generator, seen)
        rows += _rows(seen, noise)
    return rows


def _study(noise: float, generator: np.random.Generator, seen: dict[str, list[float]]) -> None:
    """What is claimed of a grid on five seeds, against the accuracy of its cells over all seeds."""
    drawn = world(noise, generator)
    true = laid(_cells(drawn.accuracy("val")[:, None]))
    cells = _cells(drawn.trials(SEEDS, generator)["val"])
    grid = laid(cells)
    _safest(untuned(cells, grid), true, seen)
    _widest(grid, true, seen)


def _safest(
    found: Sequence[Mapping[str, Any]], true: Mapping[str, Laid], seen: dict[str, list[float]]
) -> None:
    cases = {name: _worst(own) for name, own in true.items()}
    safest = found[0]
    case = cases[safest["optimizer"]][true[safest["optimizer"]].rates.index(safest["lr"])]
    worst = safest["worst"]
    seen["inside"].append(float(worst["low"] <= case <= worst["high"]))
    seen["above"].append(worst["mean"] - case)
    best = max(cases, key=lambda name: max(cases[name].values()))
    near = {row["optimizer"] for row in found if row["tied"]}
    seen["tied"].append(float(best in near))


def _worst(own: Laid) -> dict[int, float]:
    """The worst accuracy over batch sizes and schedules of each rate, by its place."""
    means = own.means("val_metric")
    return {rate: float(means[at][rate]) for rate, at in worst_cases(means).items()}


def _widest(
    grid: Mapping[str, Laid], true: Mapping[str, Laid], seen: dict[str, list[float]]
) -> None:
    rows = [_best(name, own) for name, own in grid.items()]
    found = most_forgiving(grid, rows, MARGIN)
    if found is None:
        return
    sizes = {row["optimizer"]: row["cell"]["batch_size"] for row in rows}
    widths = {name: _width(true[name], size) for name, size in sizes.items()}
    right = float(widths[found["optimizer"]] >= max(widths.values()) - 1e-9)
    seen["widest"].append(right)
    seen["clear"].append(float(found["clear"]))
    if found["clear"]:
        seen["clearly"].append(right)


def _best(name: str, own: Laid) -> dict[str, Any]:
    """An optimizer's best cell by validation, as the claims have it."""
    place = int(own.cells.values("val_metric").mean(1).argmax())
    return {
        "optimizer": name,
        "cell": own.rows[place],
        "verdict": "equal",
        "forgiving": {"sensitivity": None},
    }


def _width(own: Laid, size: int) -> float:
    """Decades of rates within the margin at a batch size."""
    at = own.sizes.index(size)
    found = basins(own.means("val_metric")[at : at + 1], np.array(own.rates), MARGIN)[0]
    return found.decades if found else 0.0


def _cells(accuracy: Floats) -> Cells:
    """The default grid with these accuracies, (C, S)."""
    named = _named(load())
    trials = [
        [
            {**row, "seed": seed, "status": "ok", "failed": 0, "val_metric": float(value)}
            for seed, value in enumerate(values)
        ]
        for row, values in zip(named, accuracy, strict=True)
    ]
    return Cells(trials, SPLITS["val"], SPLITS["test"])


def _named(truth: Truth) -> list[dict[str, Any]]:
    """What each cell is."""
    columns = ("digits-mlp", *(list(a) for a in (truth.optimizer, truth.batch, truth.lr)))
    workload, optimizers, sizes, rates = columns
    rows = zip(optimizers, sizes, rates, truth.schedule, truth.steps, strict=True)
    return [
        {
            **dict(zip(AXES, (workload, str(o), int(b), float(r), str(s)), strict=True)),
            "steps": int(steps),
            "digest": f"{place:012d}",
        }
        for place, (o, b, r, s, steps) in enumerate(rows)
    ]


def _rows(seen: dict[str, list[float]], noise: float) -> list[Row]:
    clearly = seen["clearly"]
    return [
        share("interval of the safest rate's worst case", seen["inside"], 0.93, noise=noise),
        quantile("… median of mean − truth", seen["above"], unit="points", noise=noise),
        share("the truly safest optimizer is among the tied", seen["tied"], 0.95, noise=noise),
        share("the widest range is truly the widest", seen["widest"], noise=noise),
        share("the widest range is called clear", seen["clear"], noise=noise),
        *([share("… and truly is the widest", clearly, noise=noise)] if clearly else []),
    ]
