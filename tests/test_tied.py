"""The tied set, and the cell that is recommended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student

from trainscape.statistics.dunnett import greatest, quantile
from trainscape.statistics.scores import Scale
from trainscape.statistics.tied import Places, choose, room, tied

SHARE = Scale("logit", 1, 287)
PLAIN = Scale("identity")


def generator(name: str) -> np.random.Generator:
    """Random numbers by name."""
    return np.random.Generator(np.random.PCG64(list(name.encode())))


def none(cells: int) -> np.ndarray:
    """No cell failed."""
    return np.zeros(cells, bool)


def places(cells: int) -> Places:
    """Cells that differ by their label alone."""
    same = np.ones(cells)
    return Places(same, 0 * same, same, same, [f"cell {i:03}" for i in range(cells)])


def noisy(name: str, means: list[float], sd: float, seeds: int = 20) -> np.ndarray:
    """Values around means."""
    draw = generator(name)
    return np.array(means)[:, None] + draw.normal(0, sd, (len(means), seeds))


@pytest.mark.parametrize(
    ("rivals", "freedom", "table"),
    [
        (1, 10, 1.81),
        (2, 10, 2.15),
        (5, 10, 2.56),
        (9, 10, 2.81),
        (2, np.inf, 1.92),
        (9, np.inf, 2.42),
    ],
)
def test_quantiles_are_those_of_dunnetts_table(rivals: int, freedom: float, table: float) -> None:
    """The one-sided 95% points agree with the printed table (Dunnett 1955, table 1a)."""
    assert quantile(rivals, freedom) == pytest.approx(table, abs=0.006)


@pytest.mark.parametrize("freedom", [1, 2, 5.7, 84])
def test_one_rival_is_students_case(freedom: float) -> None:
    """With one rival the quantile is Student's, and it grows with rivals up to hundreds."""
    assert quantile(1, freedom) == pytest.approx(float(student.ppf(0.95, freedom)), abs=1e-6)
    assert greatest(1, freedom, 0.975) == pytest.approx(student.ppf(0.975, freedom), rel=1e-5)
    assert quantile(0, freedom) == 0
    assert quantile(1, freedom) < quantile(20, freedom) < quantile(839, freedom)


def test_the_greatest_of_several() -> None:
    """With a known variance it is the normal quantile of the level's root."""
    assert greatest(7, np.inf, 0.9) == pytest.approx(float(norm.ppf(0.9 ** (1 / 7))), abs=1e-6)


def test_the_set_is_hsus() -> None:
    """Where all cells vary alike, a cell stays if it lags less than d·s·√(2/S)."""
    values = np.array([[0.0], [1.0], [2.0], [-9.0]]) + np.array([-1.0, 1, -1, 1, 0])
    values[1] += [0.3, -0.3, 0.1, -0.1, 0.0]  # so that the variance is not one number
    found = tied(values, PLAIN, none(4))
    mean = values.mean(1)
    reach = found.critical * found.error * np.sqrt(2)
    assert found.member.tolist() == [bool((mean - m <= reach).all()) for m in mean]
    assert found.member[2]
    assert not found.member[3]


def test_an_unstable_cell_is_not_tied_because_little_is_known_of_it() -> None:
    """A cell at half the accuracy is out, however much it varies; the best is in."""
    values = np.clip(noisy("unstable", [0.98] * 12 + [0.9], 0.004), 0, 1)
    values[12] = 0.5 + 0.45 * np.sign(np.arange(20) - 9.5)
    found = tied(values, SHARE, none(13))
    assert not found.member[12]
    assert found.member[int(values.mean(1).argmax())]


def test_less_is_better_where_the_metric_says_so() -> None:
    """Of a loss the lowest are tied."""
    values = np.exp(noisy("loss", [0.0, 0.01, 3.0], 0.1))
    found = tied(values, Scale("log", -1), none(3))
    assert found.member.tolist() == [True, True, False]
    chosen = choose(values, Scale("log", -1), found, places(3), 0.0)
    assert chosen
    assert chosen.index == chosen.first == int(values.mean(1).argmin())


def test_failed_and_incomplete_cells_are_never_tied_nor_chosen() -> None:
    """A cell with a failed or missing trial is out, were it the best."""
    values = noisy("out", [1.0, 9.0, 9.0, 0.99], 0.1)
    values[1, 3] = np.nan
    failed = np.array([False, False, True, False])
    found = tied(values, PLAIN, failed)
    assert found.member.tolist() == [True, False, False, True]
    chosen = choose(values, PLAIN, found, places(4), 10.0)
    assert chosen
    assert chosen.equal == [0, 3]


def test_small_and_broken_studies() -> None:
    """Nothing, one cell, one seed, two seeds, no variance: each has an answer that is sane."""
    nothing = np.full((2, 3), np.nan)
    found = tied(nothing, PLAIN, none(2))
    assert not found.member.any()
    assert choose(nothing, PLAIN, found, places(2), 0.1) is None
    alone = choose(np.ones((1, 3)), PLAIN, tied(np.ones((1, 3)), PLAIN, none(1)), places(1), 0.1)
    assert alone
    assert (alone.index, alone.left) == (0, {})
    single = np.array([[0.5], [0.9], [0.899]])
    found = tied(single, SHARE, none(3))
    assert found.member.all()
    assert not found.known
    chosen = choose(single, SHARE, found, places(3), 0.005)
    assert chosen
    assert chosen.equal == [1]
    two = tied(np.array([[0.5, 0.51], [0.9, 0.91], [0.91, 0.9]]), SHARE, none(3))
    assert two.member.tolist() == [False, True, True]
    same = np.array([[0.5], [0.9], [0.9]]).repeat(5, 1)
    assert tied(same, PLAIN, none(3)).member.tolist() == [False, True, True]


def test_room_is_the_distance_to_the_end_of_the_tied_rates() -> None:
    """The middle of a run has the most room; runs end at untied rates and at other lines."""
    lr = np.array([0.01, 0.1, 1, 10, 100, 0.1, 1])
    line = np.array([0, 0, 0, 0, 0, 1, 1])
    member = np.array([True, True, True, False, True, True, True])
    np.testing.assert_allclose(room(member, line, lr), [0, 1, 0, 0, 0, 0, 0], atol=1e-12)
    order = generator("rates").permutation(7)
    expected = np.array([0, 1, 0, 0, 0, 0, 0])[order]
    np.testing.assert_allclose(room(member[order], line[order], lr[order]), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"steps": np.array([2.0, 1.0, 2.0])}, "steps"),
        ({"room": np.array([0.0, 0.5, 0.0])}, "room"),
        ({"batch": np.array([32.0, 16.0, 32.0])}, "batch"),
        ({"lr": np.array([0.1, 0.01, 0.1])}, "lr"),
        ({"label": ["b", "a", "c"]}, "label"),
    ],
)
def test_equal_cells_are_told_apart_by_the_rules(change: dict[str, Any], rule: str) -> None:
    """Of cells with equal results the rule that differs decides, and is named."""
    values = np.tile([0.9, 0.91, 0.9, 0.89], (3, 1))
    found = tied(values, SHARE, none(3))
    chosen = choose(values, SHARE, found, replace(places(3), **change), 0.005)
    assert chosen
    assert chosen.index == 1
    assert list(chosen.left)[-1] == rule
    assert chosen.left[rule] == 1


def test_a_cheap_cell_outside_the_margin_is_not_recommended() -> None:
    """Tied by noise alone is not as good: the cheaper cell must be within the margin, too."""
    values = noisy("margin", [0.95, 0.93], 0.05)
    found = tied(values, PLAIN, none(2))
    assert found.member.all()
    cheap = replace(places(2), steps=np.array([9.0, 1.0]))
    near = choose(values, PLAIN, found, cheap, 0.1)
    far = choose(values, PLAIN, found, cheap, 0.001)
    assert near
    assert far
    assert (near.index, far.index) == (1, 0)


def test_surely_a_little_worse_is_as_good_in_practice() -> None:
    """Where noise is nearly none, a cell behind the best by less than the margin may be chosen."""
    values = noisy("sure", [0.95, 0.949], 1e-5)
    found = tied(values, PLAIN, none(2))
    assert found.member.tolist() == [True, False]
    chosen = choose(values, PLAIN, found, replace(places(2), steps=np.array([9.0, 1.0])), 0.005)
    assert chosen
    assert (chosen.index, chosen.first) == (1, 0)


def test_the_order_of_cells_decides_nothing() -> None:
    """Cells in another order: the same set, the same choice."""
    values = np.round(noisy("order", [0.97, 0.975, 0.975, 0.98, 0.98, 0.9] * 3, 0.004) * 287) / 287
    info = places(18)
    first = tied(values, SHARE, none(18))
    expected = choose(values, SHARE, first, info, 0.01)
    assert expected
    for turn in range(5):
        order = generator(f"turn {turn}").permutation(18)
        found = tied(values[order], SHARE, none(18))
        assert found.member.tolist() == first.member[order].tolist()
        moved = replace(info, label=[info.label[i] for i in order])
        again = choose(values[order], SHARE, found, moved, 0.01)
        assert again
        assert order[again.index] == expected.index
