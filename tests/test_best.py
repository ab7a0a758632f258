"""Finalists, the tied set, and the cell that is recommended."""

from __future__ import annotations

import numpy as np
import pytest

from trainscape.statistics.best import chance_of_best, finalists, shrunk
from trainscape.statistics.scores import Scale

SHARE = Scale("logit", 1, 287)


def generator(name: str) -> np.random.Generator:
    """Random numbers by name."""
    return np.random.Generator(np.random.PCG64(list(name.encode())))


def grid(name: str, cells: int = 60, seeds: int = 5) -> np.ndarray:
    """Accuracies in counts out of 287."""
    draw = generator(name)
    truth = draw.normal(3.0, 0.8, (cells, 1))
    return np.asarray(SHARE.down(truth + draw.normal(0, 0.15, (cells, seeds))) * 287).round() / 287


def picked(values: np.ndarray, count: int = 8, groups: np.ndarray | None = None) -> list[int]:
    """Finalists of cells in six groups, none failed, ties broken by the cells' own values."""
    rows = len(values)
    groups = np.arange(rows) % 6 if groups is None else groups
    keys = [tuple(row) for row in values]
    return finalists(values, SHARE, groups, np.zeros(rows, bool), count, keys)


def test_finalists_hold_the_best_of_every_group_and_the_best_of_all() -> None:
    """Every optimizer has its best cell among the finalists, and the top of the grid follows."""
    values = grid("groups")
    values[::6] -= 0.3  # one optimizer is far behind
    found = picked(values)
    assert len(found) == 8
    assert set(np.array(found) % 6) == set(range(6))
    assert int(values.mean(1).argmax()) in found[:3]
    first = max(range(0, 60, 6), key=lambda i: values[i].mean())
    assert first == found[-1]


def test_finalists_do_not_depend_on_the_order_of_cells() -> None:
    """Cells in another order give the same finalists in the same order."""
    values, groups = grid("order"), np.arange(60) % 6
    expected = picked(values, 12, groups)
    for turn in range(5):
        order = generator(f"turn {turn}").permutation(60)
        assert [order[i] for i in picked(values[order], 12, groups[order])] == expected


def test_ties_are_broken_by_keys_or_not_at_all() -> None:
    """Cells of equal values: the least key comes first; without keys, all of them are in."""
    values = np.full((6, 5), 0.9)
    values[0] = 0.5
    none, groups = np.zeros(6, bool), np.zeros(6, int)
    keys = [(float(-i),) for i in range(6)]
    assert finalists(values, SHARE, groups, none, 2, keys) == [5, 4]
    assert sorted(finalists(values, SHARE, groups, none, 2)) == [1, 2, 3, 4, 5]


def test_cells_with_missing_or_failed_trials_are_out() -> None:
    """A cell that diverged or failed is no finalist, however good its other trials are."""
    values = grid("missing")
    values[3], values[4] = 0.999, 1.0
    values[3, 2] = np.nan
    failed = np.arange(60) == 4
    found = finalists(values, SHARE, np.arange(60) % 6, failed, 60)
    assert sorted(found) == [i for i in range(60) if i not in (3, 4)]


def test_small_and_broken_studies_have_finalists() -> None:
    """One cell, one seed, two seeds, nothing finite, no noise at all: each gives what it can."""
    none = np.zeros(1, bool)
    assert finalists(np.array([[0.9]]), SHARE, np.zeros(1, int), none, 20) == [0]
    assert finalists(np.array([[np.nan, 0.9]]), SHARE, np.zeros(1, int), none, 20) == []
    one = np.array([[0.1], [0.9], [0.5]])
    assert finalists(one, SHARE, np.zeros(3, int), np.zeros(3, bool), 2) == [1, 2]
    two = np.array([[0.1, 0.1], [0.9, 0.8], [0.5, 0.6]])
    assert finalists(two, SHARE, np.zeros(3, int), np.zeros(3, bool), 2) == [1, 2]
    same = np.repeat(one, 5, 1)
    assert finalists(same, SHARE, np.zeros(3, int), np.zeros(3, bool), 2) == [1, 2]


def test_chance_of_best() -> None:
    """Equal normals share it; for two it is that of their difference; without noise it is whole."""
    np.testing.assert_allclose(chance_of_best(np.zeros(5), np.full(5, 2.0)), 0.2)
    two = chance_of_best(np.array([0.0, 1.0]), np.array([0.6, 0.8]))
    np.testing.assert_allclose(two, [0.158655, 0.841345], atol=1e-5)  # Φ(∓1)
    np.testing.assert_allclose(chance_of_best(np.array([1.0, 2, 2]), np.zeros(3)), [0, 0.5, 0.5])


def test_shrinkage_is_stronger_where_noise_is() -> None:
    """With noise only, means come together; with little noise, they stay."""
    draw = generator("shrinkage")
    noise = draw.normal(0, 1, (40, 5))
    mean, sd = shrunk(noise, Scale("identity"))
    assert np.ptp(mean[noise.mean(1) > 0]) < 0.5 * np.ptp(noise.mean(1)[noise.mean(1) > 0])
    spread = draw.normal(0, 50, (40, 1)) + noise
    mean, sd = shrunk(spread, Scale("identity"))
    np.testing.assert_allclose(mean, spread.mean(1), atol=1.0)
    assert sd.mean() == pytest.approx(1 / np.sqrt(5), rel=0.2)


def test_an_unstable_cell_does_not_stand_for_its_optimizer_alone() -> None:
    """The likeliest to be the best of all may owe it to its spread; the best mean is there, too."""
    good = np.random.default_rng(3).normal(0.985, 0.003, (8, 5))
    steady = np.array([0.972, 0.974, 0.973, 0.971, 0.975])
    unstable = np.array([0.99, 0.985, 0.55, 0.99, 0.98])
    values = np.vstack([good, steady, unstable])
    groups = np.array([0] * 8 + [1, 1])
    found = picked(values, 4, groups)
    assert 8 in found
