"""How many blocks are timed, in which order, and what is noisy. No clock: times are given."""

from __future__ import annotations

from collections import deque
from itertools import cycle, repeat
from typing import TYPE_CHECKING

import numpy as np
import pytest

from trainscape.study.model import Throughput
from trainscape.throughput.suite.passes import FEWEST, TICKS, Block, Blocks, Series, measure

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HOW = Throughput(block=1.0, within=0.1, patience=50.0)
LONG = HOW.model_copy(update={"patience": 5000.0})
QUIET = [1.0, 1.03, 0.97, 1.02, 0.98, 1.0, 1.01, 0.99]
SPREAD = [1.0, 2.0]


class Rows:
    """Loops whose blocks take given times, and what was asked of them.

    Args:
        times: of each loop's blocks of ten steps, over and over, in seconds.
    """

    def __init__(self, *times: Iterable[float]) -> None:
        self.times = [cycle(own) for own in times]
        self.asked: list[tuple[int, int]] = []  # loops and steps, in order

    def run(self, loop: int, steps: int) -> float:
        """Train for some steps; only blocks have ten."""
        self.asked.append((loop, steps))
        return steps * (next(self.times[loop]) if steps == 10 else 1.0) / 10

    def measured(self, how: Throughput = HOW, loads: Iterable[float] = ()) -> list[Blocks]:
        """What comes of measuring them together."""
        shares = iter([0.0, *loads, *repeat(0.0, 1000)])  # asked for once before the first pass
        runs = [lambda n, loop=loop: self.run(loop, n) for loop in range(len(self.times))]
        return measure(runs, how, lambda: next(shares), lambda *_: None)

    @property
    def blocks(self) -> list[int]:
        """The loops whose blocks were timed, in order."""
        return [loop for loop, steps in self.asked if steps == 10]


def blocks(steps: Sequence[float], loads: Iterable[float] = ()) -> Blocks:
    """Blocks of one step each."""
    shares = [*loads, *repeat(0.0, len(steps))]
    made = [Block(step, 1, load) for step, load in zip(steps, shares, strict=False)]
    return Blocks(made, HOW.within)


# Passes


def test_each_pass_takes_a_block_of_each_in_another_order() -> None:
    """What slows the machine for a while meets all of them alike."""
    rows = Rows(*[QUIET] * 5)
    found = rows.measured()
    passes = [rows.blocks[at : at + 5] for at in range(0, 40, 5)]
    assert all(sorted(one) == [*range(5)] for one in passes)
    assert len({tuple(one) for one in passes}) > 5
    assert [len(one.made) for one in found] == [FEWEST] * 5
    assert [one.disturbed for one in found] == [None] * 5


def test_a_step_time_that_is_known_is_timed_no_more() -> None:
    """Only the others' passes go on, until they are known or have had their patience."""
    even, uneven = Rows(QUIET, SPREAD).measured()
    assert len(even.made) == FEWEST == 8
    assert sum(one.seconds for one in uneven.made) == pytest.approx(HOW.patience, abs=2.0)
    assert (even.disturbed, uneven.disturbed) == (None, "spread")


def test_as_many_blocks_as_the_interval_needs() -> None:
    """The wider they vary the more there are, and each interval is as narrow as was asked."""
    draws = np.random.default_rng(0)
    counts = []
    for size in (0.01, 0.04, 0.07):
        found = Rows(*np.exp(size * draws.standard_normal((20, 200))).tolist()).measured(LONG)
        assert all(one.width and one.width <= 0.1 for one in found)
        counts.append(np.mean([len(one.made) for one in found]))
    assert counts[0] == FEWEST < counts[1] < counts[2]


def test_slow_steps_have_an_interval_too() -> None:
    """Patience begins with the ninth block, as fewer than eight have no interval."""
    (found,) = Rows(SPREAD).measured(Throughput(block=1.0, patience=0.5))
    assert len(found.made) == FEWEST
    assert found.interval is not None


def test_few_measurements_are_spread_over_time() -> None:
    """Each of their first passes lasts as long as the clocks need to tell what others use."""
    clock = 0.0

    def run(steps: int) -> float:
        nonlocal clock
        clock += 0.001 * steps
        return 0.001 * steps

    (found,) = measure([run], Throughput(block=0.01), lambda: 0.0, lambda *_: None)
    assert len(found.made) == FEWEST
    assert clock > FEWEST * TICKS > 10 * sum(one.seconds for one in found.made)


def test_a_block_that_is_too_short_is_made_longer() -> None:
    """Beside others few steps are reckoned; without them the next block has more."""
    slow = deque([1.0, 0.001])

    def run(steps: int) -> float:
        return steps * (slow.popleft() if len(slow) > 1 else slow[0])

    series = Series(run, HOW)
    assert series.time() == (0.001, 1)
    assert series.time() == (1.0, 1000)


def test_slow_steps_need_no_warm_up() -> None:
    """A block of one slow step is not preceded by another as slow."""
    series = Series(lambda steps: 5.0 * steps, HOW)
    asked: list[int] = []

    def run(steps: int) -> float:
        asked.append(steps)
        return 5.0 * steps

    series.run = run
    assert (series.time(), asked) == ((5.0, 1), [0, 1])


@pytest.mark.parametrize(("alike", "least"), [(0.0, 0.97), (0.2, 0.95)])
def test_the_interval_holds_the_median(alike: float, least: float) -> None:
    """In 95% of measurements, though they end when it is narrow and neighbours correlate."""
    draws = np.random.default_rng(0)
    held = []
    for size in (0.01, 0.03, 0.05, 0.08):
        noise = draws.standard_normal((300, 60))
        for at in range(1, 60):
            noise[:, at] = alike * noise[:, at - 1] + (1 - alike**2) ** 0.5 * noise[:, at]
        for found in Rows(*np.exp(size * noise).tolist()).measured(HOW):
            ends = found.interval
            held.append(ends is not None and ends[0] <= 0.1 <= ends[1])
    assert np.mean(held) > least


# Noise


def test_even_blocks_beside_a_busy_process_do_not_count() -> None:
    """Times that agree are no proof: others that use the cores make all of them slow."""
    slow = [100 * time for time in QUIET]
    (found,) = Rows([*slow, *QUIET]).measured(LONG, loads=[0.8, 0.4] * 4)
    assert (len(found.made), len(found.kept)) == (16, 8)
    assert found.interval == pytest.approx((0.097, 0.103))
    assert (found.load, found.disturbed) == (0.0, None)


def test_what_stays_noisy_says_so() -> None:
    """Where fewer than eight passes were quiet all count, and the row says why it is noisy."""
    (found,) = Rows(QUIET).measured(loads=[0.2] * 1000)
    assert (found.disturbed, found.load) == ("load", 0.2)
    assert len(found.kept) == len(found.made)
    few = blocks([1.0] * 7 + [3.0] * 20, loads=[0.0] * 7 + [0.5] * 20)
    assert (len(few.kept), few.disturbed) == (27, "load, spread")
    assert blocks([1.0] * 7).disturbed == "spread"


def test_a_drift_widens_the_interval() -> None:
    """A machine that slows by a third halfway has both speeds in it."""
    found = blocks([1.0] * 10 + [1.3] * 10)
    assert (found.interval, found.disturbed) == ((1.0, 1.3), "spread")


def test_the_seconds_to_come() -> None:
    """Of nothing yet; of few blocks; of an interval that is twice too wide; of what is known."""
    series = Series(lambda steps: float(steps), HOW)
    ahead = [series.ahead]
    for step in [0.9, 1.0, 1.0, 1.1, *QUIET[:6], *QUIET * 3]:
        series.add(Block(step, 1, 0.0))
        ahead.append(series.ahead)
    assert ahead[0] == 0.0
    assert ahead[4] == pytest.approx(4.0)
    assert ahead[8] == pytest.approx(8 * 3, rel=0.1)
    assert series.known and ahead[-1] == 0.0
