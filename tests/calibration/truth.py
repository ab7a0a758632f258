"""The default grid as it may truly be: means and noise of its cells, and studies drawn from them.

``truth.csv`` holds what was fitted to results/trials.csv; ``python -m calibration --fit`` makes it
again. On the scale of log odds each cell has a mean and a standard deviation over seeds. A mean of
five seeds is itself noisy, and the best of 840 is the best partly by luck: the means' own spread is
estimated without a form (Kiefer and Wolfowitz, Ann. Math. Stat. 1956), and each study draws its
true means from what is then known of each cell. So studies are not all about one grid.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, logit, ndtr

from trainscape.statistics.scores import Scale
from trainscape.statistics.variance import moderate, residuals, variances

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FILE = Path(__file__).with_name("truth.csv")
TRIALS = Path(__file__).parents[2] / "results" / "trials.csv"
SPLITS = {"val": 287, "test": 360}  # examples behind an accuracy
SEED_SD = {"val": 0.049, "test": 0.032}  # sd of a seed's effect, common to all cells
TOGETHER = 0.15  # correlation of a trial's noise on validation and test
COLUMNS = ["optimizer", "batch_size", "lr", "schedule", "steps"]


@dataclass(frozen=True)
class Truth:
    """The cells of the default grid; each array is (C,).

    Args:
        optimizer: name of each cell's optimizer.
        schedule: name of its schedule.
        batch: its batch size.
        lr: its rate.
        steps: of a trial.
        mean: by split, the mean of log odds.
        doubt: by split, how well that is known, as a standard deviation.
        sd: by split, of one trial.
    """

    optimizer: NDArray[np.str_]
    schedule: NDArray[np.str_]
    batch: Floats
    lr: Floats
    steps: Floats
    mean: dict[str, Floats]
    doubt: dict[str, Floats]
    sd: dict[str, Floats]

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """The number of each cell's optimizer."""
        return np.unique(self.optimizer, return_inverse=True)[1].astype(np.int64)

    @cached_property
    def lines(self) -> NDArray[np.int64]:
        """The number of each cell's optimizer, batch size and schedule."""
        names = [
            f"{o} {b:.0f} {s}"
            for o, b, s in zip(self.optimizer, self.batch, self.schedule, strict=True)
        ]
        return np.unique(names, return_inverse=True)[1].astype(np.int64)

    @cached_property
    def labels(self) -> list[str]:
        """What names each cell."""
        return [
            f"{o} {r:g} {s}" for o, r, s in zip(self.optimizer, self.lr, self.schedule, strict=True)
        ]


@cache
def load() -> Truth:
    """The truth in ``truth.csv``."""
    with FILE.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    def numbers(name: str) -> Floats:
        return np.array([float(row[name]) for row in rows])

    mean, doubt, sd = (
        {split: numbers(f"{split}_{kind}") for split in SPLITS} for kind in ("mean", "doubt", "sd")
    )
    return Truth(
        np.array([row["optimizer"] for row in rows]),
        np.array([row["schedule"] for row in rows]),
        numbers("batch_size"),
        numbers("lr"),
        numbers("steps"),
        mean,
        doubt,
        sd,
    )


@dataclass(frozen=True)
class World:
    """One drawn truth, with so much noise, from which trials are drawn.

    Args:
        mean: by split, of log odds, (C,).
        sd: by split, of one trial, (C,).
        seed_sd: by split, of a seed's effect.
    """

    mean: dict[str, Floats]
    sd: dict[str, Floats]
    seed_sd: dict[str, float]

    def accuracy(self, split: str) -> Floats:
        """The mean accuracy of each cell over all seeds, rounding to whole examples included."""
        examples = SPLITS[split]
        edges = logit((np.arange(1, examples + 1) - 0.5) / examples)
        total = np.hypot(self.sd[split], self.seed_sd[split])[:, None]
        return np.asarray((1 - ndtr((edges - self.mean[split][:, None]) / total)).mean(1))

    def trials(
        self, seeds: int, generator: np.random.Generator, cells: NDArray[np.int64] | None = None
    ) -> dict[str, Floats]:
        """Accuracies by split of so many fresh seeds, (C, S), or of some of the cells."""
        which = np.arange(len(self.mean["val"])) if cells is None else cells
        shape = (len(which), seeds)
        first, other = generator.standard_normal((2, *shape))
        noise = {"val": first, "test": TOGETHER * first + np.sqrt(1 - TOGETHER**2) * other}
        found = {}
        for split, examples in SPLITS.items():
            effect = self.seed_sd[split] * generator.standard_normal(seeds)
            score = self.mean[split][which, None] + self.sd[split][which, None] * noise[split]
            found[split] = np.round(expit(score + effect) * examples) / examples
        return found


def world(noise: float, generator: np.random.Generator) -> World:
    """A truth drawn from what is known of the default grid, with a multiple of its noise."""
    truth = load()
    mean = {
        split: truth.mean[split] + truth.doubt[split] * generator.standard_normal(len(truth.lr))
        for split in SPLITS
    }
    sd = {split: noise * truth.sd[split] for split in SPLITS}
    return World(mean, sd, {split: noise * SEED_SD[split] for split in SPLITS})


def fit(trials: Path = TRIALS, file: Path = FILE) -> None:
    """Fit the truth to a table of trials, and write it with four decimals."""
    with trials.open(newline="", encoding="utf-8") as source:
        rows = list(csv.DictReader(source))
    seeds = len({row["seed"] for row in rows})
    rows.sort(key=lambda row: (*(row[name] for name in COLUMNS), int(row["seed"])))
    table = [[row[name] for name in COLUMNS] for row in rows[::seeds]]
    for split, examples in SPLITS.items():
        raw = np.array([float(row[f"{split}_metric"]) for row in rows]).reshape(-1, seeds)
        scores = Scale("logit", 1, examples).up(raw)
        noise = moderate(*variances(scores)).variance
        left = np.median(scores - scores.mean(1, keepdims=True), axis=0)
        print(f"{split}: sd of seeds' effects {left.std(ddof=1):.3f}, ", end="")
        print(f"of trials {np.median(residuals(scores).std(1)):.3f}")
        middle, doubt = deconvolved(scores.mean(1), np.sqrt(noise / seeds))
        for line, *numbers in zip(table, middle, doubt, np.sqrt(noise), strict=True):
            line += [f"{number:.4f}" for number in numbers]
    header = COLUMNS + [f"{split}_{kind}" for split in SPLITS for kind in ("mean", "doubt", "sd")]
    with file.open("w", newline="", encoding="utf-8") as target:
        csv.writer(target, lineterminator="\n").writerows([header, *table])


def deconvolved(mean: Floats, error: Floats, points: int = 300) -> tuple[Floats, Floats]:
    """What is known of each true mean, as mean and sd: by the free-form maximum of likelihood."""
    grid = np.linspace(mean.min(), mean.max(), points)
    logs = -0.5 * ((mean[:, None] - grid) / error[:, None]) ** 2
    likelihood = np.exp(logs - logs.max(1, keepdims=True))
    weights = np.full(points, 1 / points)
    for _ in range(300):
        known = likelihood * weights
        known /= known.sum(1, keepdims=True)
        weights = known.mean(0)
    middle = known @ grid
    return middle, np.sqrt(np.maximum(known @ grid**2 - middle**2, 0))
