"""What a search proposes: cells of the grid, each once, the same whenever it is asked."""

from __future__ import annotations

import math
from math import comb
from statistics import fmean
from typing import TYPE_CHECKING, get_args

import pytest

from trainscape.search import METHODS, Combination, Search, Space, proposals
from trainscape.search.replay import COST, Finished, simulate, simulate_all
from trainscape.study.design import Design

if TYPE_CHECKING:
    from collections.abc import Sequence

RATES = {"sgd": (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0), "adam": (0.001, 0.01, 0.1)}


def grid(sizes: Sequence[int] = (64, 16, 256, 1024)) -> list[Combination]:
    """Two optimizers, one with half of the rates of the other, and two schedules; 72 cells."""
    return [
        Combination(optimizer, size, lr, schedule)
        for optimizer, rates in RATES.items()
        for size in sizes
        for lr in rates
        for schedule in ("constant", "cosine")
    ]


def bowl(space: Space) -> list[float | None]:
    """A metric with one top, at adam, the second rate, the smallest batch and cosine."""
    values: list[float | None] = []
    for cell in space.numbers:
        rate = space.lrs[cell.optimizer].index(cell.lr) / len(space.lrs[cell.optimizer])
        off = 4 * (rate - 1 / 3) ** 2 + 0.02 * space.batch_sizes.index(cell.batch_size)
        off += 0.1 * (cell.optimizer == "sgd") + 0.03 * (cell.schedule == "constant")
        values.append(1 - off if rate < 0.8 else None)
    return values


SPACE = Space.of(grid())
BOWL = bowl(SPACE)


def test_the_study_names_every_method() -> None:
    """What params.yaml may say, what can propose, and what a proposal costs are one list."""
    names = get_args(Design.model_fields["method"].annotation)
    assert set(names) == set(METHODS) == set(COST)


def test_a_cell_and_its_places_turn_into_each_other() -> None:
    """Every cell has places on the axes, and every place is a cell, whatever its list's length."""
    for number in range(len(SPACE.numbers)):
        assert SPACE.number(SPACE.params(number)) == number
    reached = {
        SPACE.number({"optimizer": o, "schedule": s, "batch_size": b, "lr": place})
        for o in SPACE.optimizers
        for s in SPACE.schedules
        for b in range(4)
        for place in range(SPACE.places)
    }
    assert reached == set(range(72))


def test_ordered_axes_rise() -> None:
    """Places follow the values, in whatever order the study lists them."""
    assert SPACE.batch_sizes == (16, 64, 256, 1024)
    where: dict[str, str | int] = {"optimizer": "adam", "schedule": "cosine", "batch_size": 0}
    cells = [list(SPACE.numbers)[SPACE.number({**where, "lr": place})] for place in range(6)]
    assert [cell.lr for cell in cells] == [0.001, 0.001, 0.01, 0.01, 0.1, 0.1]


@pytest.mark.parametrize("method", METHODS)
def test_a_search_of_the_whole_grid_trains_every_cell_once(method: str) -> None:
    """However often a sampler repeats itself, each cell is proposed once, then none is left."""
    space = Space.of(grid(sizes=(16,)))
    values = bowl(space)
    search = Search(space, method, "max", seed=1)
    found: list[int] = []
    for count in (7, 5, 100):
        asked = search.ask(count)
        search.tell({number: values[number] for number in asked})
        found += asked
    assert sorted(found) == list(range(18))
    assert search.ask(1) == []


@pytest.mark.parametrize("method", METHODS)
def test_resuming_gives_the_same_rounds(method: str) -> None:
    """The earlier rounds of a longer search are those of the shorter; another seed has others."""
    results = dict(enumerate(BOWL))
    whole = proposals(SPACE, method, "max", 0, [12, 3, 3], results)
    assert [len(cells) for cells in whole] == [12, 3, 3]
    for rounds in (1, 2):
        done = {number: BOWL[number] for cells in whole[: rounds - 1] for number in cells}
        assert proposals(SPACE, method, "max", 0, [12, 3, 3][:rounds], done) == whole[:rounds]
    assert proposals(SPACE, method, "max", 1, [12], {}) != whole[:1]


@pytest.mark.parametrize(
    ("method", "sizes"),
    [("tpe", [12, 4]), ("gp", [12, 4]), ("evolution", [2, 8, 4])],  # two rounds to fill its first
)
def test_results_decide_what_comes_next(method: str, sizes: list[int]) -> None:
    """A method that learns proposes other cells when the metric is turned round."""
    turned = {number: None if v is None else -v for number, v in enumerate(BOWL)}
    first = proposals(SPACE, method, "max", 0, sizes, dict(enumerate(BOWL)))
    second = proposals(SPACE, method, "max", 0, sizes, turned)
    assert first[0] == second[0]
    assert first[-1] != second[-1]
    # less of what is turned round is the same search
    assert proposals(SPACE, method, "min", 0, sizes, turned) == first


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("direction", ["max", "min"])
def test_a_search_in_which_all_diverge_goes_on(method: str, direction: str) -> None:
    """Without a single number to go by, further cells are still proposed."""
    nothing = dict.fromkeys(range(72))
    rounds = proposals(SPACE, method, direction, 0, [12, 2, 2], nothing)
    assert len({number for cells in rounds for number in cells}) == 16


@pytest.mark.parametrize("method", ["tpe", "gp"])
def test_a_search_that_learns_finds_the_top_sooner_than_chance(method: str) -> None:
    """On a smooth grid of 72 cells, the best is found well before the 36 that chance needs."""
    finished = Finished(SPACE, "max", BOWL)
    needed = [len(simulate(finished, method, seed, 72)) for seed in range(6)]
    assert fmean(needed) < 27


def test_a_simulated_search_ends_with_the_best() -> None:
    """No look-up comes after the grid's best cell, and none beyond the budget."""
    finished = Finished(SPACE, "max", BOWL)
    top = max(range(72), key=lambda number: BOWL[number] or -math.inf)
    order = simulate(finished, "random", 0, 72)
    assert order.index(top) == len(order) - 1
    assert simulate(finished, "random", 0, 5) == order[:5]


def test_random_search_is_as_lucky_as_it_must_be() -> None:
    """Of 200 runs, as many as the hypergeometric law says have found one of 5 best in 20 cells."""
    cells = [Combination("sgd", size, 0.1, "constant") for size in range(1, 73)]
    values = [float(number % 14 == 0 and number > 0) for number in range(72)]
    finished = Finished(Space.of(cells), "max", values)
    hits = sum(len(simulate(finished, "random", seed, 20)) < 20 for seed in range(200))
    chance = 1 - comb(72 - 5, 19) / comb(72, 19)
    assert abs(hits / 200 - chance) < 3 * math.sqrt(chance * (1 - chance) / 200)


def test_cores_change_nothing() -> None:
    """The runs of two processes are those of one."""
    finished = {"digits-mlp": Finished(SPACE, "max", BOWL)}
    one = simulate_all(finished, runs=4, budget=6, cores=1)
    assert simulate_all(finished, runs=4, budget=6, cores=2) == one
    assert {key: len(runs) for key, runs in one.items()} == {
        ("digits-mlp", method): max(1, 4 // cost) for method, cost in COST.items()
    }
