"""Which jobs share a process: the split of ready jobs into packs. Pure, and the same every time."""

from __future__ import annotations

import heapq
import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


@dataclass(frozen=True, eq=False)
class Work:
    """One job, as far as running it goes.

    Attributes:
        job: Snakemake's job.
        order: its place among all jobs.
        batch: which call of Snakemake's brought it.
        command: the command of its pack, or the job's own command.
        key: jobs with equal keys (and commands) may share a process; None runs alone.
        cost: expected relative cost, above 0.
        gpus: GPUs that its process needs.
        threads: cores that its process needs.
        outputs: files whose presence proves that the job is done.
        listed: its line in the list of jobs that the pack's command reads.
    """

    job: Any
    order: int
    batch: int
    command: str
    key: str | None = None
    cost: float = 1.0
    gpus: int = 0
    threads: int = 1
    outputs: tuple[Path, ...] = ()
    logs: tuple[Path, ...] = ()
    listed: str = ""


@dataclass(frozen=True, eq=False)
class Unit:
    """What one process does: a pack of jobs, or one job alone (``key`` is None)."""

    works: tuple[Work, ...]

    @property
    def key(self) -> str | None:
        return self.works[0].key

    @property
    def command(self) -> str:
        return self.works[0].command

    @property
    def gpus(self) -> int:
        return self.works[0].gpus

    @property
    def threads(self) -> int:
        return 1 if self.key is not None else self.works[0].threads

    @property
    def cost(self) -> float:
        return math.fsum(work.cost for work in self.works)

    @property
    def batch(self) -> int:
        return min(work.batch for work in self.works)


def plan(works: Iterable[Work], cores: int, gpu_slots: int, most: int) -> list[Unit]:
    """Split jobs into packs, in the order in which these should start.

    Jobs that wait the longest come first, of these the costliest.

    Args:
        works: the jobs that wait.
        cores: packs that run at once on the CPU.
        gpu_slots: packs that run at once on GPUs.
        most: most jobs in one pack.
    """
    ordered = sorted(works, key=lambda work: work.order)
    units = [Unit((work,)) for work in ordered if work.key is None]
    groups: dict[tuple[str, str, int], list[Work]] = {}
    for work in ordered:
        if work.key is not None:
            groups.setdefault((work.key, work.command, work.gpus), []).append(work)
    pools: dict[int, list[list[Work]]] = {}  # GPUs per pack: 0 on the CPU
    for (_, _, gpus), group in groups.items():
        pools.setdefault(gpus, []).append(group)
    for gpus, pool in pools.items():
        slots = gpu_slots // gpus if gpus else cores
        costs = [math.fsum(work.cost for work in group) for group in pool]
        counts = shares(costs, [len(group) for group in pool], slots)
        for group, count in zip(pool, counts, strict=True):
            for members in deal([work.cost for work in group], count, most):
                units.append(Unit(tuple(group[index] for index in members)))
    return sorted(units, key=lambda unit: (unit.batch, -unit.cost, unit.works[0].order))


def shares(costs: Sequence[float], jobs: Sequence[int], slots: int) -> list[int]:
    """How many packs each key gets: one at least, the rest of the slots by cost.

    >>> shares([300, 100], jobs=[9, 9], slots=4)
    [3, 1]
    >>> shares([1, 1, 1], jobs=[9, 9, 9], slots=2)  # the third queues
    [1, 1, 1]
    >>> shares([300, 100], jobs=[2, 9], slots=4)  # never more packs than jobs
    [2, 2]
    """
    packs = [1] * len(costs)
    for _ in range(slots - len(costs)):
        open_keys = [key for key, count in enumerate(packs) if count < jobs[key]]
        if not open_keys:
            break
        packs[max(open_keys, key=lambda key: costs[key] / packs[key])] += 1  # its packs cost most
    return packs


def deal(costs: Sequence[float], packs: int, most: int) -> list[list[int]]:
    """Deal jobs out to packs of nearly equal cost, each a fair mix of cheap and costly jobs.

    Args:
        costs: each job's cost.
        packs: wanted number of packs; more where ``most`` asks for more, never more than jobs.
        most: most jobs in one pack.

    Returns:
        For each pack the places of its jobs in ``costs``, ascending.

    >>> deal([1, 1, 1, 3], packs=2, most=99)
    [[3], [0, 1, 2]]
    >>> deal([1, 1, 1, 1, 1], packs=1, most=2)
    [[0, 3], [1, 4], [2]]
    """
    count = min(max(packs, math.ceil(len(costs) / most)), len(costs))
    dealt: list[list[int]] = [[] for _ in range(count)]
    turn = itertools.count(count)  # among equal loads, the pack that has waited the longest
    loads = [(0.0, number, number) for number in range(count)]
    for index in sorted(range(len(costs)), key=lambda index: -costs[index]):
        load, _, number = heapq.heappop(loads)
        dealt[number].append(index)
        if len(dealt[number]) < most:
            heapq.heappush(loads, (load + costs[index], next(turn), number))
    return [sorted(members) for members in dealt]
