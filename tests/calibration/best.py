"""Calibration of finalists, tied set, recommended cell and their intervals, on the default grid."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from calibration.rows import Row, quantile, share
from calibration.truth import SPLITS, World, load, world
from trainscape.statistics.best import finalists
from trainscape.statistics.intervals import over_seeds
from trainscape.statistics.scores import Scale
from trainscape.statistics.tied import Choice, Places, choose, room, tied
from trainscape.statistics.versus import versus

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

TITLE = "The best cells"
NOISE = (0.05, 1.0, 2.0)
SEEDS, FRESH, FINALISTS, MARGIN = 5, 20, 20, 0.005
MANY = 100  # studies from which all levels of noise are simulated
DRAWS = 6_000  # draws behind a quantile: fewer than in a report
EDGE = 1e-4  # intervals are written with four decimals
CLOSE = 0.001  # a finalist this close to the best is as good, at the fitted noise
FAR = 0.02  # no member of the tied set may be this far behind
SCALES = {split: Scale("logit", 1, examples) for split, examples in SPLITS.items()}


def run(studies: int, generator: np.random.Generator) -> list[Row]:
    """Select on five seeds, confirm on twenty fresh ones; at three levels of noise.

    With few studies, as in the short form, at one.
    """
    rows: list[Row] = []
    for noise in NOISE if studies >= MANY else NOISE[1:2]:
        seen: dict[str, list[float]] = defaultdict(list)
        for _ in range(studies):
            _study(world(noise, generator), generator, seen)
        rows += _rows(seen, noise)
    return rows


def _study(true: World, generator: np.random.Generator, seen: dict[str, list[float]]) -> None:
    """One study: what was claimed against what is so."""
    truth = load()
    accuracy = {split: true.accuracy(split) for split in SPLITS}
    grid = true.trials(SEEDS, generator)["val"]
    none = np.zeros(len(grid), bool)
    wide = tied(grid, SCALES["val"], none)
    _tied(wide.member, accuracy["val"], "grid", seen)
    winner = int(grid.mean(1).argmax())
    low, high = over_seeds(grid, SCALES["val"])
    seen["naive"].append(float(_inside(low, accuracy["val"], high)[winner]))

    keys = [
        (s, b, r, n)
        for s, b, r, n in zip(truth.steps, truth.batch, truth.lr, truth.labels, strict=True)
    ]
    chosen = np.array(finalists(grid, SCALES["val"], truth.groups, none, FINALISTS, keys))
    best = accuracy["val"].max()
    seen["missed"].append(float(best - accuracy["val"][chosen].max()))
    fresh = true.trials(FRESH, generator, chosen)
    known = {split: accuracy[split][chosen] for split in SPLITS}
    found = tied(fresh["val"], SCALES["val"], none[: len(chosen)])
    _tied(found.member, known["val"], "fresh", seen)
    forgiving = room(wide.member, truth.lines, truth.lr)[chosen]
    places = Places(
        truth.steps[chosen],
        forgiving,
        truth.batch[chosen],
        truth.lr[chosen],
        [truth.labels[int(i)] for i in chosen],
    )
    use = choose(fresh["val"], SCALES["val"], found, places, MARGIN)
    assert use
    seen["lag"].append(float(best - known["val"][use.index]))
    _intervals(fresh, known, use, seen)
    _pairs(fresh, known, truth.groups[chosen], seen)


def _tied(
    member: NDArray[np.bool_], accuracy: Floats, kind: str, seen: dict[str, list[float]]
) -> None:
    """What a tied set is like."""
    seen[f"{kind} holds"].append(bool(member[accuracy >= accuracy.max() - 1e-9].any()))
    seen[f"{kind} size"].append(float(member.sum()))
    seen[f"{kind} worst"].append(float(accuracy.max() - accuracy[member].min()))


def _intervals(
    fresh: dict[str, Floats], known: dict[str, Floats], use: Choice, seen: dict[str, list[float]]
) -> None:
    """Whether intervals hold the true accuracy: of the recommended cell, and of all finalists."""
    for split, scale in SCALES.items():
        low, high = over_seeds(fresh[split], scale)
        inside = _inside(low, known[split], high)
        if split == "val":  # by which it was chosen
            low, high = over_seeds(fresh[split], scale, among=len(use.equal))
        seen[f"all {split}"].append(float(inside.mean()))
        seen[f"first {split}"].append(float(inside[use.first]))
        inside = _inside(low, known[split], high)
        seen[f"use {split}"].append(float(inside[use.index]))
        if split == "val":
            seen["width"].append(float(high[use.index] - low[use.index]))


def _pairs(
    fresh: dict[str, Floats],
    known: dict[str, Floats],
    groups: NDArray[np.int64],
    seen: dict[str, list[float]],
) -> None:
    """Whether all differences between the optimizers' cells hold at once; validation chose them."""
    mean = fresh["val"].mean(1)
    first = np.array([max(np.flatnonzero(groups == g), key=lambda i: mean[i]) for g in set(groups)])
    found = versus(fresh["test"][first], SCALES["test"], MARGIN, draws=DRAWS)
    apart = known["test"][first]
    true = np.array([apart[pair.first] - apart[pair.second] for pair in found])
    low, high = (np.array([getattr(pair, end) for pair in found]) for end in ("low", "high"))
    inside = _inside(low, true, high)
    seen["together"].append(bool(inside.all()))
    verdicts = np.array([pair.verdict for pair in found])
    wrong = (verdicts == "better") & (true < 0) | (verdicts == "worse") & (true > 0)
    wrong |= (verdicts == "equal") & (np.abs(true) > MARGIN)
    seen["wrong"].append(bool(wrong.any()))
    seen["decided"].append(float((verdicts != "undecided").mean()))


def _inside(low: Floats, value: Floats, high: Floats) -> NDArray[np.bool_]:
    """Whether values are within intervals as these are written."""
    return np.asarray((low - EDGE / 2 <= value) & (value <= high + EDGE / 2))


def _rows(seen: dict[str, list[float]], noise: float) -> list[Row]:
    """The claims at one level of noise."""
    # with hardly any noise most cells have equal counts in all seeds: no interval can be exact
    most = 0.97 if noise >= 1 else np.inf

    close = CLOSE * max(1.0, noise)

    def covers(name: str, key: str) -> Row:
        return share(name, seen[key], 0.93, most, noise)

    return [
        share(
            f"a finalist is within {100 * close:.1f} points of the best",
            np.array(seen["missed"]) <= close,
            0.95,
            noise=noise,
        ),
        share("tied set of the grid holds the best", seen["grid holds"], 0.95, noise=noise),
        quantile("… its median size", seen["grid size"], noise=noise),
        share("tied set of the finalists holds their best", seen["fresh holds"], 0.95, noise=noise),
        quantile("… its median size", seen["fresh size"], noise=noise),
        quantile(
            "… its worst member's lag, in 99 of 100 studies",
            seen["fresh worst"],
            0.99,
            high=FAR,
            unit="points",
            noise=noise,
        ),
        quantile("… in all studies", seen["fresh worst"], 1.0, unit="points", noise=noise),
        quantile(
            "lag of the recommended cell, in 95 of 100 studies",
            seen["lag"],
            0.95,
            high=2 * MARGIN,
            unit="points",
            noise=noise,
        ),
        covers("95% interval of the recommended cell, validation", "use val"),
        covers("95% interval of the recommended cell, test", "use test"),
        quantile("… its median width, validation", seen["width"], unit="points", noise=noise),
        covers("95% interval of any finalist, validation", "all val"),
        covers("95% interval of any finalist, test", "all test"),
        share("the same of the finalist with the best mean", seen["first val"], noise=noise),
        share("the same of the grid's best mean, five seeds", seen["naive"], noise=noise),
        covers("95% intervals of all differences between optimizers", "together"),
        share("a verdict on optimizers is wrong", seen["wrong"], high=0.05, noise=noise),
        share("verdicts that are decided", seen["decided"], noise=noise),
    ]
