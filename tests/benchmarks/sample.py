"""A random sample with as many from each stratum, and how it is extrapolated."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

T = TypeVar("T")
SEED = 0


def stratified(items: Sequence[T], key: Callable[[T], int], each: int) -> list[T]:
    """At most ``each`` items of every stratum, drawn without replacement, always the same.

    Args:
        items: to draw from.
        key: an item's stratum.
        each: how many of a stratum.
    """
    drawn: list[T] = []
    for stratum in sorted({key(item) for item in items}):
        members = [item for item in items if key(item) == stratum]
        drawn += random.Random(SEED).sample(members, min(each, len(members)))
    return drawn


def by_steps(measured: Iterable[tuple[int, int, float]], whole: Iterable[tuple[int, int]]) -> float:
    """The seconds of a whole grid, one trial after the other.

    Each stratum's seconds a step, measured on the sample, times all steps of the stratum.

    Args:
        measured: (stratum, steps, seconds) of every trial of the sample.
        whole: (stratum, steps) of every trial of the grid.
    """
    steps: dict[int, int] = defaultdict(int)
    seconds: dict[int, float] = defaultdict(float)
    for stratum, count, taken in measured:
        steps[stratum] += count
        seconds[stratum] += taken
    return sum(count * seconds[stratum] / steps[stratum] for stratum, count in whole)
