"""Passes over all measurements: a block of each, in another order every time, until each is known.

A machine's speed drifts, and whatever else runs on it makes steps slower, for a moment or for
seconds. Blocks that follow each other share the speed of their moment, and their interval does not
hold that of the next. Blocks that lie a pass apart do not, so what changes from pass to pass is in
every interval. Nor do even times say that nothing disturbed: beside processes that keep all cores
busy every block may be a hundred times too slow.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING

from trainscape.statistics.medians import around_median, rank

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trainscape.study.model import Throughput

# Of independent blocks, at one look. Looking after every pass, at blocks whose neighbours correlate
# by 0.2, holds the median in 96% of measurements (Gastwirth and Rubin, Effect of dependence on the
# level of some one-sample tests, JASA 1971, on what dependence costs).
LEVEL = 0.987
FEWEST = next(blocks for blocks in count() if rank(blocks, LEVEL))  # that have an interval: 8
BUSY = 0.1  # of the cores: others that use more make steps slower
TICKS = 0.2  # seconds: in less, the clocks that tell what others use tick too seldom
# Of a block's steps, before it: other loops have had the caches. On one core the first millisecond
# of a loop's turn was slower by a fourth, the second by a twentieth, the fourth no more.
WARM_UP = 0.2
SHORTEST = 0.25  # of a block, in the trial run that its steps are reckoned from
ENOUGH = 0.5  # of the seconds that a block is to last: one that is quicker has too few steps


@dataclass(frozen=True)
class Block:
    """Steps that were timed at once.

    Args:
        seconds: of all of them.
        steps: how many.
        load: the share of the cores, 0 to 1, that others used in the pass, or in those before it.
    """

    seconds: float
    steps: int
    load: float

    @property
    def step(self) -> float:
        """Seconds of a step."""
        return self.seconds / self.steps


@dataclass(frozen=True)
class Blocks:
    """What is known of a step time.

    Args:
        made: a block of every pass, in order.
        within: how wide the interval of the median may be, as a share of the median.
    """

    made: Sequence[Block]
    within: float

    @cached_property
    def kept(self) -> Sequence[Block]:
        """The blocks that count: those of quiet passes, or all where these have no interval."""
        quiet = [one for one in self.made if one.load <= BUSY]
        return quiet if len(quiet) >= FEWEST else self.made

    @cached_property
    def steps(self) -> list[float]:
        """Seconds of a step, of every block that counts."""
        return [one.step for one in self.kept]

    @property
    def interval(self) -> tuple[float, float] | None:
        """Where the median step time lies with 95% confidence; None for too few blocks."""
        return around_median(self.steps, LEVEL)

    @cached_property
    def width(self) -> float | None:
        """How wide the interval is, as a share of its middle; None for too few blocks."""
        ends = self.interval
        return 2 * (ends[1] - ends[0]) / (ends[1] + ends[0]) if ends else None

    @property
    def load(self) -> float:
        """The share of the cores that others used, 0 to 1, over the blocks that count."""
        return round(sum(one.load for one in self.kept) / len(self.kept), 3)

    @property
    def disturbed(self) -> str | None:
        """Why the step time is not well known: load, spread; None if it is."""
        found = ["load"] if any(one.load > BUSY for one in self.kept) else []
        found += ["spread"] if self.width is None or self.width > self.within else []
        return ", ".join(found) or None


class Series:
    """A measurement while it is made.

    Args:
        run: trains for a number of steps and returns the seconds they took, above zero.
        how: how the study measures.
    """

    def __init__(self, run: Callable[[int], float], how: Throughput) -> None:
        self.run = run
        self.how = how
        self.count = _steps_lasting(run, how.block)
        self.found = Blocks((), how.within)

    def time(self) -> tuple[float, int]:
        """The seconds of a block and its steps.

        What is reckoned beside others may be far too few without them: the next block has more.
        """
        self.run(int(self.count * WARM_UP))
        seconds, steps = self.run(self.count), self.count
        if seconds < ENOUGH * self.how.block:
            self.count = round(steps * self.how.block / seconds)
        return seconds, steps

    def add(self, block: Block) -> None:
        """Count a block."""
        self.found = Blocks((*self.found.made, block), self.how.within)

    @property
    def spent(self) -> float:
        """Seconds of all blocks."""
        return sum(one.seconds for one in self.found.made)

    @property
    def known(self) -> bool:
        """Whether it needs no more blocks, or gets none."""
        impatient = self.spent >= self.how.patience and len(self.found.made) >= FEWEST
        return impatient or self.found.disturbed is None

    @property
    def ahead(self) -> float:
        """About how many seconds of blocks are to come: widths go with the root of their number."""
        if self.known or not self.found.made:
            return 0.0
        each = self.spent / len(self.found.made)
        least = max(0, FEWEST - len(self.found.made)) * each
        wide = self.spent * (((self.found.width or 0.0) / self.how.within) ** 2 - 1)
        return max(each, least, min(wide, self.how.patience - self.spent))


def measure(
    runs: Sequence[Callable[[int], float]],
    how: Throughput,
    others: Callable[[], float],
    say: Callable[[Sequence[Series], int], object],
) -> list[Blocks]:
    """Time steps, each of ``runs`` pass by pass until it is known.

    It is known when eight blocks or more have an interval that is narrow enough, others having used
    at most a tenth of the cores meanwhile; or when it has had its patience.

    Args:
        runs: each trains for a number of steps and returns the seconds they took, above zero.
        how: how the study measures.
        others: the share of the cores, 0 to 1, that others used since it was asked last.
        say: told of all measurements and the number of passes, after each.

    Returns:
        The blocks of each of ``runs``.
    """
    every = [Series(run, how) for run in runs]
    draws = random.Random(0)
    passes, since, load = 0, 0.0, 0.0
    others()
    while unknown := [one for one in every if not one.known]:
        made = [(one, *one.time()) for one in draws.sample(unknown, len(unknown))]
        since += sum(seconds for _, seconds, _ in made)
        # Few measurements, too, are to be spread over time. A core that rests would begin slowly.
        while since < TICKS and passes < FEWEST:
            since += made[-1][0].run(made[-1][0].count)
        if since >= TICKS:
            since, load = 0.0, others()
        for one, seconds, steps in made:
            one.add(Block(seconds, steps, load))
        passes += 1
        say(every, passes)
    return [one.found for one in every]


def _steps_lasting(run: Callable[[int], float], seconds: float) -> int:
    """How many steps take ``seconds``, at least one."""
    steps = 1
    while True:
        taken = run(steps)
        if taken >= seconds * SHORTEST:
            return max(1, round(steps * seconds / taken))
        steps *= 2
