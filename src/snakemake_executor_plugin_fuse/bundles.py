"""Which jobs share a process: ready jobs are dealt out to bundles, the same way every time."""

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
class Task:
    """A job, with what must be known to run it.

    Attributes:
        job: Snakemake's job.
        order: its place among all jobs.
        batch: how many times Snakemake had handed over jobs when this one came.
        command: its rule's bundle command, or the job's own command.
        key: jobs with equal keys and commands may share a process; None: the job runs alone.
        cost: what it is expected to cost, above 0, in any unit.
        gpus: GPUs that its process needs.
        threads: cores that its process needs.
        outputs: files whose presence proves that the job is done.
        logs: its log files.
        line: stands for it in the list of jobs that the bundle command reads.
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
    line: str = ""


@dataclass(frozen=True, eq=False)
class Bundle:
    """The jobs of one process: jobs with equal keys, or a single job that has no key."""

    tasks: tuple[Task, ...]

    @property
    def key(self) -> str | None:
        return self.tasks[0].key

    @property
    def command(self) -> str:
        return self.tasks[0].command

    @property
    def gpus(self) -> int:
        return self.tasks[0].gpus

    @property
    def threads(self) -> int:
        return 1 if self.key is not None else self.tasks[0].threads

    @property
    def cost(self) -> float:
        return math.fsum(task.cost for task in self.tasks)

    @property
    def batch(self) -> int:
        return min(task.batch for task in self.tasks)


def plan(tasks: Iterable[Task], cores: int, gpu_slots: int, most: int) -> list[Bundle]:
    """Split jobs into bundles, in the order in which these should start.

    Bundles whose jobs have waited the longest come first, and among these the costliest.

    Args:
        tasks: the jobs that wait.
        cores: bundles that run at the same time on the CPU.
        gpu_slots: bundles that run at the same time on GPUs.
        most: most jobs in one bundle.
    """
    ordered = sorted(tasks, key=lambda task: task.order)
    bundles = [Bundle((task,)) for task in ordered if task.key is None]
    groups: dict[tuple[str, str, int], list[Task]] = {}
    for task in ordered:
        if task.key is not None:
            groups.setdefault((task.key, task.command, task.gpus), []).append(task)
    by_gpus: dict[int, list[list[Task]]] = {}  # groups by the GPUs of a bundle, 0 on the CPU
    for (_, _, gpus), group in groups.items():
        by_gpus.setdefault(gpus, []).append(group)
    for gpus, rivals in by_gpus.items():  # for the same slots
        slots = gpu_slots // gpus if gpus else cores
        costs = [math.fsum(task.cost for task in group) for group in rivals]
        counts = shares(costs, [len(group) for group in rivals], slots)
        for group, count in zip(rivals, counts, strict=True):
            for members in deal([task.cost for task in group], count, most):
                bundles.append(Bundle(tuple(group[index] for index in members)))
    return sorted(bundles, key=lambda bundle: (bundle.batch, -bundle.cost, bundle.tasks[0].order))


def shares(costs: Sequence[float], jobs: Sequence[int], slots: int) -> list[int]:
    """How many bundles each key gets: at least one, and further ones by cost while slots are left.

    Args:
        costs: the cost of each key's jobs together.
        jobs: how many jobs each key has; it never gets more bundles.
        slots: bundles that run at the same time.

    >>> shares([300, 100], jobs=[9, 9], slots=4)
    [3, 1]
    >>> shares([1, 1, 1], jobs=[9, 9, 9], slots=2)  # the third waits
    [1, 1, 1]
    >>> shares([300, 100], jobs=[2, 9], slots=4)
    [2, 2]
    """
    bundles = [1] * len(costs)
    for _ in range(slots - len(costs)):
        divisible = [key for key, count in enumerate(bundles) if count < jobs[key]]
        if not divisible:
            break
        costliest = max(divisible, key=lambda key: costs[key] / bundles[key])
        bundles[costliest] += 1
    return bundles


def deal(costs: Sequence[float], bundles: int, most: int) -> list[list[int]]:
    """Deal jobs out to bundles of nearly equal cost, each a mix of cheap and costly jobs.

    Args:
        costs: each job's cost.
        bundles: how many are wanted. There are more where ``most`` asks for more, and never more
            than jobs.
        most: most jobs in one bundle.

    Returns:
        For each bundle the places of its jobs in ``costs``, ascending.

    >>> deal([1, 1, 1, 3], bundles=2, most=99)
    [[3], [0, 1, 2]]
    >>> deal([1, 1, 1, 1, 1], bundles=1, most=2)
    [[0, 3], [1, 4], [2]]
    """
    count = min(max(bundles, math.ceil(len(costs) / most)), len(costs))
    dealt: list[list[int]] = [[] for _ in range(count)]
    turn = itertools.count(count)  # among equal loads, the bundle that was served longest ago
    loads = [(0.0, number, number) for number in range(count)]
    for index in sorted(range(len(costs)), key=lambda index: -costs[index]):
        load, _, number = heapq.heappop(loads)
        dealt[number].append(index)
        if len(dealt[number]) < most:
            heapq.heappush(loads, (load + costs[index], next(turn), number))
    return [sorted(members) for members in dealt]
