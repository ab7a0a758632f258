"""Calibration of exponents, critical batches and shares of importance, at the default grid."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.interpolate import Akima1DInterpolator
from scipy.special import logit, ndtr

from calibration.rows import Row, quantile, share
from calibration.truth import SPLITS, TRIALS, World, load, world
from trainscape.statistics.critical import critical, crossing
from trainscape.statistics.exponent import exponent
from trainscape.statistics.importance import importance
from trainscape.statistics.scores import Scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Basins = dict[str, list[tuple[Floats, Floats, Floats]]]

TITLE = "Scaling and importance"
NOISE = (0.05, 1.0, 2.0)
MANY = 100  # studies from which all levels of noise are simulated
CHEAP = 4  # times as many studies for exponents: they take a hundredth of a second
SEEDS = 5
RESAMPLES = 400  # behind a share's interval: a fifth of those in a report
WIDE = 1e4  # stands for a bound that is not there
EDGE = 1e-4  # shares are written with four decimals
FILE = Path(__file__).with_name("basins.csv")
ENDED = "rmsprop constant"  # its best rate at the smallest batch lies below its axis
COLUMNS = ("optimizer", "schedule", "batch_size", "lr")
SIZES = (16, 32, 64, 128, 256)
RATES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
POINTS = 1001  # of a basin between its ends

# Learning curves: log odds of the metric over log steps, straight but for a bend, per trial.
TARGET = float(logit(0.95))
EXAMPLES, EPOCHS = 1149, 45
STEPS_SD = 0.2  # of log steps to the target, as seeds of the default study have it
ODDS_SD = 0.12  # of an evaluation's log odds


def run(studies: int, generator: np.random.Generator) -> list[Row]:
    """Each statistic on its own simulated studies; at three levels of noise.

    With few studies, as in the short form, at one.
    """
    rows: list[Row] = []
    for noise in NOISE if studies >= MANY else NOISE[1:2]:
        first, second, third = generator.spawn(3)  # none depends on how many numbers others draw
        rows += _exponents(CHEAP * studies, first, noise)
        rows += _batches(studies, second, noise)
        rows += _shares(studies, third, noise)
    return rows


def _exponents(studies: int, generator: np.random.Generator, noise: float) -> list[Row]:
    """Basins of the default study, moved so that the best rates follow a known exponent."""
    hits: list[bool] = []
    ended: list[bool] = []
    widths = []
    for middle, found in ((0.0, hits), (2.5, ended)):
        for _ in range(studies if found is hits else studies // 4):
            alpha = float(generator.uniform(0, 0.6))
            losses = _losses(alpha, middle, noise, generator)
            fit = exponent(losses, SIZES, RATES, generator)
            assert fit
            low, high = fit.alpha.interval
            found.append(low <= alpha <= high)
            if found is hits:
                widths.append(high - low)
    return [
        share("95% interval of α", hits, 0.93, 0.97, noise),
        quantile("… its median width", widths, noise=noise),
        share("the same where best rates end the axis", ended, 0.93, noise=noise),
    ]


def _losses(alpha: float, middle: float, noise: float, generator: np.random.Generator) -> Floats:
    """Log losses (S, B, R) of an optimizer and schedule drawn at random.

    The best rate of the middle batch lies so many steps of the axis above its middle, and up to one
    step more.
    """
    known = basins()
    basin = known[list(known)[generator.integers(len(known))]]
    axis = np.log(RATES)
    step = float(np.diff(axis).mean())
    start = axis[len(axis) // 2] + step * (middle + generator.uniform(0, 1))
    losses = np.empty((SEEDS, len(SIZES), len(RATES)))
    for at, (size, (fine, height, sd)) in enumerate(zip(SIZES, basin, strict=True)):
        best = start + alpha * np.log(size / SIZES[len(SIZES) // 2])
        place = axis - best + fine[height.argmin()]
        beyond = 0.3 * (np.maximum(fine[0] - place, 0) + np.maximum(place - fine[-1], 0))
        spread = noise * np.interp(place, axis, sd)
        mean = np.interp(place, fine, height) + beyond
        losses[:, at] = mean + spread * generator.standard_normal((SEEDS, len(axis)))
    return losses


@cache
def basins() -> Basins:
    """By optimizer and schedule, of each batch size: log rates, log losses there, their sd.

    Between the rates of the default study losses are interpolated by Akima's method.
    """
    with FILE.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found: Basins = {}
    axis = np.log(RATES)
    fine = np.linspace(axis[0], axis[-1], POINTS)
    for name in dict.fromkeys(f"{row['optimizer']} {row['schedule']}" for row in rows):
        own = [row for row in rows if f"{row['optimizer']} {row['schedule']}" == name]
        if name != ENDED:
            found[name] = []
            for size in SIZES:
                line = [row for row in own if int(row["batch_size"]) == size]
                line.sort(key=lambda row: float(row["lr"]))
                mean, sd = (np.array([float(row[key]) for row in line]) for key in ("mean", "sd"))
                found[name].append((fine, Akima1DInterpolator(axis, mean)(fine), sd))
    return found


def fit_basins() -> None:
    """Take the basins from the default study's trials, with four decimals."""
    with TRIALS.open(newline="", encoding="utf-8") as source:
        rows = list(csv.DictReader(source))
    cells: dict[tuple[str, ...], list[float]] = {}
    for row in rows:
        key = tuple(row[name] for name in COLUMNS)
        cells.setdefault(key, []).append(float(np.log(float(row["val_loss"]))))
    with FILE.open("w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow([*COLUMNS, "mean", "sd"])
        for key, losses in cells.items():
            writer.writerow([*key, f"{np.mean(losses):.4f}", f"{np.std(losses, ddof=1):.4f}"])


def _batches(studies: int, generator: np.random.Generator, noise: float) -> list[Row]:
    """Learning curves that reach the target after S(B) steps at the best rate, later off it."""
    hits, widths = [], []
    for _ in range(studies):
        true = float(np.exp(generator.uniform(np.log(40), np.log(250))))
        steps, gaps = _crossings(true, float(generator.uniform(25, 60)), noise, generator)
        low, high = critical(steps, gaps, SIZES, RATES, generator).bounds
        hits.append(low <= true <= high)
        widths.append(min(high, WIDE) / max(low, 1 / WIDE))
    return [
        share("95% interval of B_crit", hits, 0.93, 0.97, noise),
        quantile("… its median high end over its low one", widths, noise=noise),
    ]


def _crossings(
    batch: float, least: float, noise: float, generator: np.random.Generator
) -> tuple[Floats, Floats]:
    """Crossings and their gaps (S, B, R) under a B_crit and an S_min.

    Off the best rate steps grow as its inverse below, and by a power of their own above.
    """
    axis = np.log(RATES)
    start = axis[3] + generator.uniform(-0.5, 0.5) * float(np.diff(axis).mean())
    alpha, power = generator.uniform(0, 0.7), generator.uniform(0.5, 2)
    slope, bend = generator.uniform(0.8, 2), generator.uniform(0, 0.4)
    shape = (SEEDS, len(SIZES), len(RATES))
    steps, gaps = np.empty(shape), np.empty(shape)
    for at, size in enumerate(SIZES):
        off = axis - start - alpha * np.log(size / SIZES[2])
        own = power * np.exp(0.15 * generator.standard_normal())
        late = np.log((own * np.exp(-off) + np.exp(own * off)) / (own + 1))
        luck = noise * STEPS_SD * generator.standard_normal((SEEDS, len(RATES)))
        needed = np.log(least * (1 + batch / size)) + late + luck
        evaluated = np.arange(1, EPOCHS + 1) * int(np.ceil(EXAMPLES / size))
        past = np.log(evaluated) - needed[..., None]
        curve = past - bend * past**2 / (1 + np.abs(past))
        steep = slope * np.exp(0.1 * generator.standard_normal())
        odds = TARGET + steep * curve + noise * ODDS_SD * generator.standard_normal(past.shape)
        for place in np.ndindex(SEEDS, len(RATES)):
            seen = crossing(evaluated.tolist(), odds[place].tolist(), TARGET)
            steps[place[0], at, place[1]], gaps[place[0], at, place[1]] = seen.step, seen.gap
    return steps, gaps


def _shares(studies: int, generator: np.random.Generator, noise: float) -> list[Row]:
    """The default grid as it may be; intervals of all shares at once, as a mean over them."""
    truth = load()
    order = np.lexsort((truth.schedule, truth.lr, truth.batch, truth.optimizer))
    axes = ["optimizer", "batch", "lr", "schedule"]
    columns = (truth.optimizer, truth.batch, truth.lr, truth.schedule)
    shape = [len(np.unique(column)) for column in columns]
    scale = Scale("logit", 1, SPLITS["val"])
    hits: dict[str | None, list[float]] = {None: [], "lr": []}
    for _ in range(studies):
        true = world(noise, generator)
        trials = scale.up(true.trials(SEEDS, generator)["val"])[order].reshape(*shape, SEEDS)
        exact = _expected(true, scale)[order].reshape(*shape, 1)
        for over, found in hits.items():
            seen = importance(trials, axes, generator, over, RESAMPLES)
            known = importance(exact, axes, generator, over)
            assert seen
            assert known
            shares = {part.axes: part.share for part in known.shares}
            found.append(
                float(
                    np.mean(
                        [
                            part.bounds[0] - EDGE / 2
                            <= shares[part.axes]
                            <= part.bounds[1] + EDGE / 2
                            for part in seen.shares
                        ]
                    )
                )
            )
    # with hardly any noise intervals are narrower than what is written of them
    most = 0.97 if noise >= 1 else np.inf
    return [
        share("95% intervals of shares, over the grid", hits[None], 0.93, most, noise),
        share("95% intervals of shares, at the best lr", hits["lr"], 0.93, noise=noise),
    ]


def _expected(true: World, scale: Scale) -> Floats:
    """The mean score of each cell over all seeds: accuracies are whole counts of examples."""
    counts = np.arange(scale.examples + 1)
    edges = logit((counts[1:] - 0.5) / scale.examples)
    sd = np.hypot(true.sd["val"], true.seed_sd["val"])[:, None]
    below = ndtr((edges - true.mean["val"][:, None]) / sd)
    chance = np.diff(below, axis=1, prepend=0.0, append=1.0)
    return np.asarray(chance @ scale.up(counts / scale.examples))
