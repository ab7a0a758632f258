"""Calibration of the diff of two versions: what is called noise, and what is found of a change.

Both versions of a study are drawn from one truth. A change is a shift of cells' means on the scale
of log odds, in standard deviations: for all cells that of one trial; for a tenth of them that of
the difference of two trials under one seed, by which pairs are judged, and that of one trial.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from calibration.rows import Row, share
from calibration.truth import SPLITS, World, load, world
from trainscape.statistics import changes
from trainscape.statistics.scores import Scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

TITLE = "Two versions"
NOISE = (0.05, 1.0, 2.0)
MANY = 100  # studies from which all levels of noise are simulated
SEEDS, MARGIN = 5, 0.005
SMALL, LARGE, TENTH = 0.5, 3.0, 0.1
SCALE = Scale("logit", 1, SPLITS["test"])
WAYS = {True: "the same seeds", False: "other seeds"}
SAID = ("better", "worse")


def run(studies: int, generator: np.random.Generator) -> list[Row]:
    """Two versions of the default grid, of five seeds each, at three levels of noise.

    With few studies, as in the short form, at one.
    """
    rows: list[Row] = []
    for noise in NOISE if studies >= MANY else NOISE[1:2]:
        seen: dict[str, list[float]] = defaultdict(list)
        for _ in range(studies):
            true = world(noise, generator)
            for paired, way in WAYS.items():
                _study(true, paired, f"{way}: ", generator, seen)
        rows += _rows(seen, noise)
    return rows


def _study(
    true: World,
    paired: bool,
    way: str,
    generator: np.random.Generator,
    seen: dict[str, list[float]],
) -> None:
    """A version, a rerun of it, one with all cells a little better, one with a few much better."""
    count = len(true.sd["test"])
    effects = true.seed_sd["test"] * generator.standard_normal((2, SEEDS))
    own = effects[0] if paired else effects[1]
    before = _drawn(true, np.zeros(count), effects[0], generator)
    again = _drawn(true, np.zeros(count), own, generator)
    found = changes.cells(before, again, SCALE, MARGIN, paired=paired)
    pools = changes.pools(before, again, SCALE, MARGIN, _axes(), paired=paired)
    said = [verdict in SAID for verdict in (*found.verdict, *pools.verdict)]
    seen[f"{way}noise"].append(float(any(said)))
    every = [np.ones(count, bool)]
    pool = changes.pooled(SCALE.up(before), SCALE.up(again), every, paired=paired)
    low, high = pool.interval(changes.CONFIDENCE)
    seen[f"{way}mean"].append(float(low[0] <= 0 <= high[0]))
    seen[f"{way}cells"].append(float(((found.low <= 0) & (found.high >= 0)).mean()))
    # a margin of nothing, or what is found would be called the same where noise is small
    little = _drawn(true, SMALL * true.sd["test"], own, generator)
    shifted = changes.pools(before, little, SCALE, 0.0, [], paired=paired)
    seen[f"{way}little"].append(float(shifted.verdict[0] == "better"))
    few = generator.random(count) < TENTH
    for what, size in (("much", LARGE * np.sqrt(2)), ("less", LARGE)):
        after = _drawn(true, size * true.sd["test"] * few, own, generator)
        moved = changes.cells(before, after, SCALE, 0.0, paired=paired)
        better, worse = (np.array([v == kind for v in moved.verdict]) for kind in SAID)
        seen[f"{way}{what}"].append(float(better[few].mean()))
        wrong = (better | worse) & ~few
        seen[f"{way}{what}, false"].append(float(wrong.sum() / max(1, (better | worse).sum())))


def _drawn(true: World, shift: Floats, effects: Floats, generator: np.random.Generator) -> Floats:
    """Test accuracies (C, S) of cells shifted by so much, under seeds with these effects."""
    noise = generator.standard_normal((len(shift), len(effects)))
    score = (true.mean["test"] + shift)[:, None] + true.sd["test"][:, None] * noise + effects
    return np.asarray(np.round(expit(score) * SPLITS["test"]) / SPLITS["test"])


def _axes() -> list[NDArray[np.bool_]]:
    """The cells of each value of each axis."""
    truth = load()
    axes = [np.asarray(axis) for axis in (truth.optimizer, truth.batch, truth.lr, truth.schedule)]
    return [axis == value for axis in axes for value in np.unique(axis)]


def _rows(seen: dict[str, list[float]], noise: float) -> list[Row]:
    """The claims; with next to no noise a shift is less than one example, and nothing is asked."""
    rows = []
    power = 0.8 if noise >= 1 else -np.inf
    for way in WAYS.values():
        rows += [
            share(f"{way}: noise called better or worse", seen[f"{way}: noise"], 0, 0.05, noise),
            share(
                f"{way}: interval of the mean holds no shift",
                seen[f"{way}: mean"],
                0.93,
                0.97,
                noise,
            ),
            share(
                f"{way}: intervals of cells hold no shift", seen[f"{way}: cells"], 0.93, 1.0, noise
            ),
            share(
                f"{way}: ½ sd in all cells, mean better", seen[f"{way}: little"], power, noise=noise
            ),
            share(f"{way}: 3 sd in a tenth, cell better", seen[f"{way}: much"], power, noise=noise),
            share(
                f"{way}: 3 sd of one trial in a tenth, cell better",
                seen[f"{way}: less"],
                noise=noise,
            ),
            share(
                f"{way}: of what is called, cells not shifted",
                seen[f"{way}: much, false"],
                0,
                0.05,
                noise,
            ),
        ]
    return rows
