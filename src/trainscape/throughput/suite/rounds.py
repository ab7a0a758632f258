"""The blocks of a measurement: as many as it needs, and all again where they are disturbed.

Whatever else runs on a machine makes steps slower, for a moment or for seconds. A median passes
over a few slow blocks, not over ten. Nor do even times say that nothing disturbed: beside processes
that keep all cores busy every block may be a hundred times too slow.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainscape.statistics.medians import around_median

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Blocks that follow each other are alike: on a quiet machine their ranks correlate by 0.3, so that
# the number of blocks below the median varies 1.6 times as much as a binomial one. Independent
# blocks would be within this level where such blocks are within 95% (Gastwirth and Rubin, Effect
# of dependence on the level of some one-sample tests, JASA 1971).
LEVEL = 0.987
CLOSE = 0.02  # of the median: if all blocks of the first half are that close, they are enough
# Of the median. On a quiet machine 58 of 60 measurements are below it. A machine whose blocks vary
# more hides that one optimizer's step takes a fifth longer than another's.
LOOSE = 0.2
BUSY = 0.1  # of the cores: others that use more make steps slower
TICKS = 0.2  # seconds: in less, the clocks that tell what others use tick too seldom
ATTEMPTS = 3
PAUSE = 0.5  # seconds before another attempt: what disturbs may end
GRACE = 10.0  # seconds of further attempts that every run may take


@dataclass(frozen=True)
class Blocks:
    """The blocks of one attempt.

    Args:
        seconds: of each block, in order.
        steps: in each block.
        load: the share of the cores, 0 to 1, that others used meanwhile; None for not known.
    """

    seconds: tuple[float, ...]
    steps: int = 1
    load: float | None = None

    @property
    def median(self) -> float:
        """Seconds of a block."""
        return statistics.median(self.seconds)

    @property
    def interval(self) -> tuple[float, float] | None:
        """Where the median of all blocks lies with 95% confidence; None for fewer than eight."""
        return around_median(self.seconds, LEVEL)

    @property
    def spread(self) -> float:
        """The interquartile range as a share of the median, 0 for one block."""
        if len(self.seconds) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return (high - low) / self.median

    @property
    def drift(self) -> float:
        """How far the medians of both halves are apart, as a share of the median."""
        half = len(self.seconds) // 2
        if not half:
            return 0.0
        first, second = (statistics.median(p) for p in (self.seconds[:half], self.seconds[half:]))
        return abs(second - first) / self.median

    @property
    def disturbed(self) -> str | None:
        """Why the blocks are taken for disturbed: load, spread, drift; None if they are not."""
        found = ["load"] if (self.load or 0.0) > BUSY else []
        found += [name for name in ("spread", "drift") if getattr(self, name) > LOOSE]
        return ", ".join(found) or None


@dataclass(frozen=True)
class Measured:
    """A measurement.

    Args:
        kept: the attempt that counts.
        attempts: all that were made, in order.
    """

    kept: Blocks
    attempts: Sequence[Blocks]


class Patience:
    """What time a run has for further attempts: as much as its first ones took, and a grace."""

    def __init__(self) -> None:
        self.left = GRACE

    def earn(self, seconds: float) -> None:
        """Count the time of a first attempt."""
        self.left += seconds

    def spend(self, seconds: float) -> bool:
        """Whether a further attempt of so many seconds may begin; if so, it is taken off."""
        if seconds > self.left:
            return False
        self.left -= seconds
        return True


def measure(
    run: Callable[[int], float],
    length: Callable[[], int],
    rounds: int,
    patience: Patience,
    wait: Callable[[float], object],
    others: Callable[[], float],
) -> Measured:
    """Time blocks; once more, and at most twice, where they were disturbed.

    An attempt is disturbed if others used more than a tenth of the cores, or if its interquartile
    range, or the distance between the medians of its first and its second half, is more than a
    fifth of its median. The first attempt that is not counts. If there is none, the one with the
    least median does: what disturbs makes steps slower, never faster.

    Args:
        run: trains for a number of steps and returns the seconds they took, above zero.
        length: how many steps a block is to have. Each attempt asks again: what is reckoned beside
            others is far too few without them.
        rounds: the most blocks of an attempt, at least 1.
        patience: the run's; it bounds the time of all further attempts together.
        wait: lets seconds pass.
        others: the share of the cores, 0 to 1, that others used since it was asked last.
    """
    attempts = [_attempt(run, length(), rounds, others)]
    taken = sum(attempts[0].seconds)
    patience.earn(taken)
    while attempts[-1].disturbed and len(attempts) < ATTEMPTS and patience.spend(taken + PAUSE):
        wait(PAUSE)
        attempts.append(_attempt(run, length(), rounds, others))
        taken = sum(attempts[-1].seconds)
    kept = min(attempts, key=lambda one: (bool(one.disturbed), one.median / one.steps))
    return Measured(kept, attempts)


def _attempt(
    run: Callable[[int], float], steps: int, rounds: int, others: Callable[[], float]
) -> Blocks:
    """One attempt, and what others used meanwhile; a block before it is a warm-up."""
    run(steps)
    others()
    seconds = _seconds(lambda: run(steps), rounds)
    load = others()
    return Blocks(seconds, steps, load if sum(seconds) >= TICKS else None)


def _seconds(block: Callable[[], float], rounds: int) -> tuple[float, ...]:
    """The blocks of an attempt; it ends at half of them if all are close to their median.

    Looking twice costs next to nothing of the confidence: of ten blocks the least and the most
    leave the median out in 2 of 1,000 measurements.
    """
    half = Blocks(tuple(block() for _ in range(-(-rounds // 2))))
    middle = half.median
    known = half.interval is not None
    if known and all(abs(one - middle) <= CLOSE * middle for one in half.seconds):
        return half.seconds
    return (*half.seconds, *(block() for _ in range(rounds - len(half.seconds))))
