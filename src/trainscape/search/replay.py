"""Searches on a finished grid, simulated by look-ups: what each would have trained, in order."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING

from trainscape import interrupts
from trainscape.search.proposals import Search
from trainscape.search.samplers import METHODS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trainscape.search.space import Space

# How many runs stand for one: a proposal by TPE takes 10 ms, by a Gaussian process 150 ms, by the
# others 2 to 4 ms (measured on a grid of 840 cells, among the first 100).
COST = {"random": 1, "qmc": 1, "tpe": 2, "gp": 20, "evolution": 1}

Orders = dict[tuple[str, str], list[list[int]]]


@dataclass(frozen=True)
class Finished:
    """A grid whose cells are all trained.

    Args:
        space: the grid.
        direction: of the metric, ``max`` or ``min``.
        values: the metric of every cell; None if it diverged.
    """

    space: Space
    direction: str
    values: Sequence[float | None]


def simulate(grid: Finished, method: str, seed: int, budget: int) -> list[int]:
    """The numbers of the cells that one search trains, in order, one at a time.

    It ends with the grid's best cell: nothing that came later could change what it found.

    Args:
        grid: what is searched.
        method: a key of :data:`trainscape.search.METHODS`.
        seed: of the search.
        budget: the most cells that it trains.
    """
    known = [value for value in grid.values if value is not None]
    best = (max if grid.direction == "max" else min)(known, default=None)
    search = Search(grid.space, method, grid.direction, seed)
    order: list[int] = []
    while len(order) < budget and (asked := search.ask(1)):
        order += asked
        value = grid.values[asked[0]]
        search.tell({asked[0]: value})
        if value is not None and value == best:
            break
    return order


def simulate_all(grids: Mapping[str, Finished], runs: int, budget: int, cores: int) -> Orders:
    """Every method on every grid, seeds 0, 1, …, on so many cores.

    Args:
        grids: by workload.
        runs: how many of the cheap methods; the others are run 1/COST times as often.
        budget: the most cells that a search trains.
        cores: how many processes to use; what comes out is the same.

    Returns:
        The orders of the runs, by workload and method.
    """
    slowest = sorted(METHODS, key=lambda method: -COST[method])
    tasks = [
        (workload, method, seed, budget)
        for method in slowest  # first, so that all cores end together
        for workload in grids
        for seed in range(max(1, runs // COST[method]))
    ]
    if cores == 1:
        _share(grids)
        found = [_one(task) for task in tasks]
    else:
        # not forked: torch, which the Gaussian process uses, may hold threads
        with ProcessPoolExecutor(cores, get_context("spawn"), _begin, (grids,)) as pool:
            with interrupts.unheard():
                orders_in_turn = pool.map(_one, tasks)
            found = list(orders_in_turn)
    orders: Orders = {(workload, method): [] for workload in grids for method in METHODS}
    for (workload, method, _, _), order in zip(tasks, found, strict=True):
        orders[workload, method].append(order)
    return orders


_grids: Mapping[str, Finished]


def _share(grids: Mapping[str, Finished]) -> None:
    """Hand a process the grids once, rather than with every run."""
    global _grids
    _grids = grids


def _begin(grids: Mapping[str, Finished]) -> None:
    """Make a process ready."""
    _share(grids)
    interrupts.heard()


def _one(task: tuple[str, str, int, int]) -> list[int]:
    workload, method, seed, budget = task
    return simulate(_grids[workload], method, seed, budget)
