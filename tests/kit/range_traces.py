"""Range tests with a made-up loss, whose steepest descent is known.

Offers: the losses :func:`fall` and :func:`valley`; :func:`traced`, the test that would leave them;
:func:`summary`, a grid to compare its suggestion with.
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

from kit import synthetic
from trainscape import analysis
from trainscape.cells import grid
from trainscape.cells.cell import TrialRecord
from trainscape.cells.range_tests import cells
from trainscape.study import RangeTest, parse

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from trainscape.analysis import Entry

STEPS, LOW, HIGH = 300, 1e-5, 10.0
RISING = RangeTest(enabled=True, steps=STEPS, low=LOW, high=HIGH)
DECADE = (STEPS - 1) / 6  # steps
STEEPEST = 0.01  # the rate at which the made-up loss falls most steeply


def fall(rate: float) -> float:
    """A loss whose logarithm falls from ln 2 to ln 0.02 by a logistic curve around STEEPEST."""
    return 2 * math.pow(0.01, 1 / (1 + (STEEPEST / rate) ** 2))


def valley(rate: float) -> float:
    """The same, until it explodes a decade and a half above."""
    return fall(rate) * (1 + (rate / (30 * STEEPEST)) ** 4)


def traced(
    loss: Callable[[float], float], seeds: int = 5, noise: float = 0.0, end: int = STEPS
) -> Entry:
    """A range test of this loss; the last seed's trace ends after ``end`` steps."""
    rates = [LOW * (HIGH / LOW) ** (k / (STEPS - 1)) for k in range(STEPS)]
    trials = []
    for seed in range(seeds):
        draw = random.Random(seed)
        losses = [loss(rate) * (1 + draw.gauss(0, noise)) for rate in rates]
        ended = end < STEPS and seed == seeds - 1
        trace = losses[:end] if ended else losses
        status, at = ("diverged", end + 1) if ended else ("ok", None)
        trials.append(TrialRecord(seed, status, at, trace=trace))
    study = parse({"grid": {"optimizer": ["adam"], "batch_size": [64]}, "seeds": seeds}, "test")
    (cell,) = cells(grid.cells(study), RISING)
    return synthetic.entry(cell, trials, [STEPS])


def summary(validation: float = 0.1) -> pd.DataFrame:
    """The summary of a grid of two optimizers and two batch sizes, trained in a made-up way."""
    entries = synthetic.study(
        optimizers=("sgd", "adam"), batch_sizes=(16, 64), validation=validation
    )
    return analysis.summary(analysis.trials(entries, {"digits-mlp": 0.95}))
