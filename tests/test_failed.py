"""A trial that ends no better than a constant prediction has failed, and is counted."""

from __future__ import annotations

from dataclasses import replace
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kit import synthetic
from kit.registries import kept
from trainscape import analysis, datasets, study, workloads
from trainscape.analysis._failed import by_chance
from trainscape.cells import grid
from trainscape.datasets import Raw
from trainscape.errors import UserError
from trainscape.workloads import ACCURACY, MSE, Metric, Workload

ERROR = Metric("error", "min", "fraction", ACCURACY.compute)


def probability(hits: int, count: int, chance: float) -> float:
    """Of exactly so many hits."""
    return comb(count, hits) * chance**hits * (1 - chance) ** (count - hits)


@pytest.mark.parametrize(("count", "chance"), [(20, 0.5), (287, 0.103), (50, 0.1), (3, 0.1)])
def test_a_fraction_has_failed_where_chance_does_as_well_once_in_a_hundred(
    count: int, chance: float
) -> None:
    """By the sum of binomial probabilities, for every count of hits, of errors from below."""
    exact = [probability(hits, count, chance) for hits in range(count + 1)]
    for hits in range(count + 1):
        at_least, at_most = sum(exact[hits:]), sum(exact[: hits + 1])
        assert by_chance(hits / count, chance, ACCURACY, count) == (at_least > 0.01)
        assert by_chance(hits / count, chance, ERROR, count) == (at_most > 0.01)


@pytest.mark.parametrize(("value", "expected"), [(0.31, False), (0.32, True), (0.4, True)])
def test_another_metric_is_compared_as_it_is(value: float, expected: bool) -> None:
    """No count of examples says how far a mean squared error lies from chance."""
    assert by_chance(value, 0.32, MSE, 200) == expected


def rows(entry: analysis.Entry) -> tuple[list[Any], Any]:
    """The column of the trials, and that of the cell."""
    trials = analysis.trials([entry], {"digits-mlp": 0.95, "valley": 1e-3})
    [cell] = analysis.records(analysis.summary(trials))
    return [row["failed"] for row in analysis.records(trials)], cell["failed"]


@pytest.mark.parametrize(("share", "low", "high"), [(0.2, 0.146, 0.15), (0.0, 0.141, 0.145)])
def test_the_split_that_is_read_says_how_many_examples(
    share: float, low: float, high: float
) -> None:
    """287 are held out of 1,437, and 360 are in the test split."""
    of = synthetic.cell(validation=share, seeds=(0, 1, 2, 3))
    trials = [synthetic.trial(i, [0.9, value]) for i, value in enumerate((low, high, 0.05))]
    lost = synthetic.trial(3, [0.1], diverged_at=4)
    trials = [replace(trial, test_metric=trial.val_metric) for trial in (*trials, lost)]
    assert rows(synthetic.entry(of, trials, (10, 20))) == ([1, 0, 1, 0], 2)


def test_where_nobody_says_what_chance_is_the_column_is_empty() -> None:
    """As of workloads without inputs."""
    of = synthetic.cell("valley", seeds=(0,))
    assert rows(synthetic.entry(of, [synthetic.trial(0, [0.5])], (10,))) == ([None], None)


def test_chance_is_what_a_constant_prediction_comes_to() -> None:
    """The share of the digits' largest class; the mean squared error of the regression's mean."""
    digits, line = (datasets.registry.get(n).make(Raw(Path())) for n in ("digits", "regression"))
    shares = np.bincount(np.concatenate([digits.y_train, digits.y_test])) / 1797
    for name in ("digits-mlp", "digits-cnn"):
        assert workloads.registry.get(name).chance == pytest.approx(shares.max(), abs=2e-3)
    spread = np.var(np.asarray(line.y_train, dtype=float))
    assert workloads.registry.get("regression").chance == pytest.approx(spread, abs=2e-3)
    unknown = {n for n in workloads.registry.names() if workloads.registry.get(n).chance is None}
    assert {"quadratic", "valley"} <= unknown
    assert not {n for n in unknown if workloads.registry.ships(n)} - {"quadratic", "valley"}


def test_a_chance_in_percent_is_refused() -> None:
    """As a target is."""
    with kept(workloads.registry):
        of = workloads.registry.get("digits-mlp")
        made = Workload("own", "digits", of.build, 0.9, std=16 / 255, chance=10)
        workloads.registry.add("own", made, __file__)
        with pytest.raises(UserError) as error:
            grid.cells(study.parse({"workloads": ["own"]}, "test"))
    assert str(error.value) == "workload 'own', chance: 10 is no accuracy; did you mean 0.1?"
