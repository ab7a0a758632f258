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


FULL = 1 + 1e-9  # of a pack: fills are sums of fractions
TURNS = 4  # bundles for each slot where GPUs differ: as one starts anew, the others go on


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
        pack: jobs of equal text fill a GPU together; empty if none but the job itself does.
        fill: how much of a GPU's pack the job fills, above 0 to 1.
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
    pack: str = ""
    fill: float = 1.0
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


def plan(
    tasks: Iterable[Task], cores: int, gpu_slots: int, most: int, alike: bool = True
) -> list[Bundle]:
    """Split jobs into bundles, in the order in which these should start.

    Bundles whose jobs have waited the longest come first, and among these the costliest.

    Args:
        tasks: the jobs that wait.
        cores: bundles that run at the same time on the CPU.
        gpu_slots: bundles that run at the same time on GPUs.
        most: most jobs in one bundle.
        alike: whether all GPUs are as fast. If not, there are more bundles than slots, so that a
            fast GPU takes what a slow one has not begun.
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
        slots = gpu_slots // gpus * (1 if alike else TURNS) if gpus else cores
        pieces = [packs(group, most) if gpus else [[task] for task in group] for group in rivals]
        costs = [[_cost_together(piece) for piece in own] for own in pieces]
        counts = shares([math.fsum(own) for own in costs], [len(own) for own in pieces], slots)
        for own, cost, count in zip(pieces, costs, counts, strict=True):
            for members in deal(cost, count, most, [len(piece) for piece in own]):
                dealt = [task for place in members for task in own[place]]
                bundles.append(Bundle(tuple(sorted(dealt, key=lambda task: task.order))))
    return sorted(bundles, key=lambda bundle: (bundle.batch, -bundle.cost, bundle.tasks[0].order))


def packs(tasks: Iterable[Task], most: int) -> list[list[Task]]:
    """The jobs that fill a GPU together: as many of one pack as it takes, ``most`` at most.

    >>> half = [Task(None, i, 1, "command", "key", pack="ab"[i % 2], fill=0.5) for i in range(6)]
    >>> [[task.order for task in together] for together in packs(half, most=9)]
    [[0, 2], [1, 3], [4], [5]]
    """
    found: list[list[Task]] = []
    last: dict[str, tuple[list[Task], float]] = {}  # of each pack the one that is being filled
    for task in tasks:
        together, fill = last.get(task.pack, ([], 2.0)) if task.pack else ([], 2.0)
        if fill + task.fill > FULL or len(together) == most:
            together, fill = [], 0.0
            found.append(together)
        together.append(task)
        last[task.pack] = together, fill + task.fill
    return found


def _cost_together(tasks: Sequence[Task]) -> float:
    """What jobs of one pack cost: as much as a full one, as it is filled up with copies."""
    cost = math.fsum(task.cost for task in tasks)
    return cost / min(math.fsum(task.fill for task in tasks), 1.0) if tasks[0].pack else cost


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


def deal(
    costs: Sequence[float], bundles: int, most: int, sizes: Sequence[int] = ()
) -> list[list[int]]:
    """Deal pieces out to bundles of nearly equal cost, each a mix of cheap and costly pieces.

    Args:
        costs: each piece's cost.
        bundles: how many are wanted. There are more where ``most`` asks for more, and never more
            than pieces.
        most: most jobs in one bundle.
        sizes: how many jobs each piece is, ``most`` at most; 1 by default.

    Returns:
        For each bundle the places of its pieces in ``costs``, ascending.

    >>> deal([1, 1, 1, 3], bundles=2, most=99)
    [[3], [0, 1, 2]]
    >>> deal([1, 1, 1, 1, 1], bundles=1, most=2)
    [[0, 3], [1, 4], [2]]
    """
    sizes = sizes or [1] * len(costs)
    held = [0] * len(costs)  # jobs by bundle
    full = most - max(sizes) + 1  # jobs beside which another piece may find no room
    count = min(max(bundles, math.ceil(sum(sizes) / full)), len(costs))
    dealt: list[list[int]] = [[] for _ in range(count)]
    turn = itertools.count(count)  # among equal loads, the bundle that was served longest ago
    loads = [(0.0, number, number) for number in range(count)]
    for index in sorted(range(len(costs)), key=lambda index: -costs[index]):
        load, _, number = heapq.heappop(loads)
        dealt[number].append(index)
        held[number] += sizes[index]
        if held[number] < full:
            heapq.heappush(loads, (load + costs[index], next(turn), number))
    return [sorted(members) for members in dealt]
