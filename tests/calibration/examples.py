"""Calibration of intervals over examples: how accurate would a cell be on other data?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm

from calibration.rows import Row, share
from trainscape.statistics.intervals import (
    both,
    difference_over_examples,
    over_examples,
    over_seeds,
)
from trainscape.statistics.scores import Scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

TITLE = "One test set"
SEEDS = 20
EXAMPLES = (287, 360)
SHARES = (0.98, 0.99)  # of the population of examples that a cell gets right
DOUBT = 5.0  # sd of examples' log odds: most are right in every seed, a few in some
SEED_SD = 0.15  # of a seed's effect on all examples' log odds


def run(studies: int, generator: np.random.Generator) -> list[Row]:
    """Examples drawn from a population, seeds from another; is the population's share inside?"""
    rows = []
    for examples in EXAMPLES:
        for accuracy in SHARES:
            name = f"{accuracy:.0%} of {examples} examples"
            hits = np.array([_study(examples, accuracy, generator) for _ in range(studies)])
            rows += [
                share(f"95% interval over examples, {name}", hits[:, 0], 0.93, 0.99),
                share(f"… over examples and seeds, {name}", hits[:, 1], 0.93, 0.99),
                # no upper bound: where three or four examples differ, no interval can be exact
                share(f"… of a difference over examples, {name}", hits[:, 2], 0.93),
            ]
    return rows


def _study(examples: int, accuracy: float, generator: np.random.Generator) -> list[bool]:
    """One test set under two cells that are equally good and find the same examples hard."""
    # the mean of expit over normal log odds, by the usual approximation, then made exact
    middle = logit(accuracy) * np.sqrt(1 + np.pi * (DOUBT**2 + SEED_SD**2) / 8)
    points = norm.ppf((np.arange(2000) + 0.5) / 2000)
    true = float(expit(middle + np.hypot(DOUBT, SEED_SD) * points).mean())
    common = generator.standard_normal(examples)
    outcomes = []
    for _ in range(2):
        own = np.sqrt(0.7) * common + np.sqrt(0.3) * generator.standard_normal(examples)
        odds = middle + DOUBT * own + SEED_SD * generator.standard_normal((SEEDS, 1))
        outcomes.append(generator.random((SEEDS, examples)) < expit(odds))
    first, second = outcomes
    data = over_examples(first.mean(0), share=True)
    low, high = over_seeds(first.mean(1)[None], Scale("logit", 1, examples))
    whole = both(float(first.mean()), data, (float(low[0]), float(high[0])))
    apart = difference_over_examples(first.mean(0), second.mean(0), share=True)
    return [
        data[0] <= true <= data[1],
        whole[0] <= true <= whole[1],
        apart[0] <= 0 <= apart[1],
    ]
