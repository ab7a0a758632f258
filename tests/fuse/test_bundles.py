"""The split of jobs into bundles: pure functions of costs and slots."""

from __future__ import annotations

import doctest

import pytest

from snakemake_executor_plugin_fuse import bundles, process
from snakemake_executor_plugin_fuse.bundles import Task, deal, plan, shares


def task(order: int, key: str | None = "k", cost: float = 1.0, batch: int = 1) -> Task:
    """A job that costs something."""
    return Task(None, order, batch, "command", key, cost)


def orders(tasks: list[Task], cores: int = 2, most: int = 2000) -> list[list[int]]:
    """The plan for jobs on the CPU, by their places."""
    return [[task.order for task in bundle.tasks] for bundle in plan(tasks, cores, 0, most)]


def test_the_examples_in_the_source_hold() -> None:
    """What docstrings show is what comes out."""
    for module in (bundles, process):
        result = doctest.testmod(module)
        assert result.attempted
        assert not result.failed


@pytest.mark.parametrize("count", [1, 2, 3, 7, 84])
def test_bundles_are_of_nearly_equal_cost_and_hold_every_job_once(count: int) -> None:
    """The costliest bundle exceeds the cheapest by no more than one job; order is kept inside."""
    costs = [1 + (17 * i) % 13 / 4 for i in range(84)]
    dealt = deal(costs, count, 2000)
    loads = [sum(costs[i] for i in members) for members in dealt]
    assert max(loads) - min(loads) <= max(costs)
    assert sorted(job for members in dealt for job in members) == list(range(84))
    assert all(members == sorted(members) for members in dealt)


def test_each_bundle_is_a_mix_of_cheap_and_costly_jobs() -> None:
    """No bundle gets all the costly jobs, whatever order the jobs came in."""
    costs = [8.0] * 4 + [1.0] * 40
    for members in deal(costs, 4, 2000):
        assert sum(costs[i] == 8 for i in members) == 1


def test_no_bundle_holds_more_than_the_cap() -> None:
    """The cap makes more bundles than slots, and holds where costs would fill one bundle."""
    assert [len(members) for members in deal([1.0] * 10, 2, 3)] == [3, 3, 2, 2]
    assert sorted(len(members) for members in deal([100.0] + [1.0] * 5, 2, 3)) == [3, 3]


def test_keys_share_the_slots_by_cost() -> None:
    """Every key gets a bundle; further ones go where bundles cost most, and none stays empty."""
    assert shares([6.0, 2.0], [6, 2], 8) == [6, 2]
    assert shares([6.0, 2.0], [60, 20], 8) == [6, 2]
    assert shares([9.0, 1.0, 1.0], [9, 1, 1], 2) == [1, 1, 1]
    assert shares([5.0], [3], 8) == [3]


def test_the_costliest_bundle_starts_first_and_a_job_without_a_key_runs_alone() -> None:
    """Bundles start by cost; a job without a key shares with nobody."""
    tasks = [task(0, "cheap"), task(1, None), task(2, "dear", 5.0), task(3, "dear", 4.0)]
    assert orders(tasks, cores=1) == [[2, 3], [0], [1]]


def test_what_has_waited_longer_starts_first() -> None:
    """A later batch does not overtake an earlier one, however costly."""
    assert orders([task(0, "late", 9.0, batch=2), task(1, "early")]) == [[1], [0]]


def test_the_plan_does_not_depend_on_the_order_of_arrival() -> None:
    """Snakemake hands jobs over in any order; the bundles are the same."""
    tasks = [task(i, "ab"[i % 2], 1 + i % 3) for i in range(20)]
    assert orders(tasks, 3) == orders(tasks[::-1], 3)


def test_a_bundle_has_one_command() -> None:
    """Jobs with equal keys and different commands are kept apart."""
    assert len(plan([task(0), Task(None, 1, 1, "other", "k")], 1, 0, 2000)) == 2


def gpu_task(order: int, cost: float = 1.0, pack: str = "", fill: float = 1.0) -> Task:
    """A job that needs a GPU."""
    return Task(None, order, 1, "command", "k", cost, gpus=1, pack=pack, fill=fill)


def test_whole_packs_go_to_gpus_and_a_partial_one_counts_as_full() -> None:
    """Two packs and a half of one kind, one of another: four GPUs get one each, two get two."""
    tasks = [gpu_task(i, 1.0, "dear" if i < 10 else "cheap", 0.25) for i in range(14)]

    def planned(slots: int) -> list[list[int]]:
        made = plan(tasks, 1, slots, 2000)
        return [[task.order for task in bundle.tasks] for bundle in made]

    four = [[0, 1, 2, 3], [4, 5, 6, 7], [10, 11, 12, 13], [8, 9]]
    assert planned(4) == planned(9) == four
    assert sorted(map(len, planned(2))) == [6, 8]
    assert len(plan(tasks, 1, 4, 2)) == 7  # no bundle has more jobs than it may have


def test_jobs_that_fill_a_gpu_alone_are_dealt_out_one_by_one() -> None:
    """Without packs, as on the CPU: equal cost, whatever their number."""
    tasks = [gpu_task(i, 1.0 + i % 2) for i in range(8)]
    assert [bundle.cost for bundle in plan(tasks, 1, 4, 2000)] == [3.0] * 4


def test_gpus_that_differ_get_several_bundles_each() -> None:
    """So that a fast one takes what a slow one has not begun; never more than packs."""
    tasks = [gpu_task(i) for i in range(100)]
    assert len(plan(tasks, 1, 2, 2000, alike=False)) == 8
    assert len(plan(tasks[:3], 1, 2, 2000, alike=False)) == 3
    assert len(plan([task(0), task(1)], 1, 2, 2000, alike=False)) == 1
