"""Timing in turns: what is compared runs alternately, so that a machine's moods hit all alike."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

K = TypeVar("K")
SHORTEST = 0.25  # of a block, in the trial run that the length of a block is reckoned from


@dataclass(frozen=True)
class Times:
    """Seconds of equal work, one entry per round."""

    rounds: tuple[float, ...]

    @property
    def min(self) -> float:
        """The least disturbed round."""
        return min(self.rounds)

    @property
    def median(self) -> float:
        """The usual round."""
        return median(self.rounds)

    def plain(self) -> dict[str, object]:
        """As plain data."""
        return {"min_s": self.min, "median_s": self.median, "rounds_s": list(self.rounds)}


def timed(work: Callable[[], object]) -> float:
    """The seconds that ``work`` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def count(work: Callable[[int], float], block: float) -> int:
    """How many units of work take about ``block`` seconds, at least one.

    Args:
        work: does as many units as it is told and returns the seconds they took.
        block: seconds.
    """
    units = 1
    while True:
        taken = work(units)
        if taken >= block * SHORTEST:
            return max(1, round(units * block / taken))
        units *= 2


def in_turns(
    works: Mapping[K, Callable[[int], float]], rounds: int, block: float
) -> dict[K, Times]:
    """The seconds of one unit of each work, measured in blocks that take turns.

    Args:
        works: each does as many units as it is told and returns the seconds they took.
        rounds: blocks of each.
        block: seconds that a block should take.
    """
    units = {key: count(work, block) for key, work in works.items()}
    found: dict[K, list[float]] = {key: [] for key in works}
    for _ in range(rounds):
        for key, work in works.items():
            found[key].append(work(units[key]) / units[key])
    return {key: Times(tuple(seconds)) for key, seconds in found.items()}


def repeated(works: Sequence[Callable[[], float]], rounds: int) -> list[Times]:
    """The seconds of each work, which measures itself, in rounds that take turns."""
    found: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for seconds, work in zip(found, works, strict=True):
            seconds.append(work())
    return [Times(tuple(seconds)) for seconds in found]
