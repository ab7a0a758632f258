"""How many blocks are timed, and which measurements are made again. No clock: times are given."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np
import pytest

from trainscape.throughput.suite.rounds import (
    ATTEMPTS,
    GRACE,
    PAUSE,
    Blocks,
    Measured,
    Patience,
    measure,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

QUIET = [1.0, 1.03, 0.97, 1.05, 0.95, 1.02, 0.98, 1.04, 0.96, 1.0] * 2
DRIFTING = [*QUIET[:10], *[1.5] * 10]
SPREAD = [1.0, 2.0] * 10


def measured(
    times: Iterable[float],
    rounds: int = 20,
    patience: Patience | None = None,
    loads: Iterable[float] = (),
    waited: list[float] | None = None,
    steps: Iterable[int] = (),
) -> Measured:
    """What comes of a measurement whose blocks take these times.

    Each attempt has blocks of as many steps as the list says, one step where it ends; the warm-up
    takes none of the times.
    """
    lengths = iter([*steps, *repeat(1, 100)])
    warm = [True]

    def length() -> int:
        warm[0] = True
        return next(lengths)

    def run(_: int) -> float:
        if warm[0]:
            warm[0] = False
            return 1000.0
        return next(blocks)

    blocks, shares = iter(times), iter([*loads, *repeat(0.0, 100)])
    wait = [] if waited is None else waited
    return measure(run, length, rounds, patience or Patience(), wait.append, lambda: next(shares))


# One attempt


def test_a_quiet_measurement_is_made_once() -> None:
    """It has as many blocks as were asked for, and is not noisy."""
    found = measured(QUIET)
    assert found.kept.seconds == tuple(QUIET)
    assert len(found.attempts) == 1
    assert found.kept.disturbed is None


@pytest.mark.parametrize(("apart", "blocks"), [(0.01, 10), (0.03, 20)])
def test_as_many_blocks_as_the_interval_needs(apart: float, blocks: int) -> None:
    """Half of the blocks are enough where all are within 2% of their median."""
    found = measured([1.0 - apart, 1.0 + apart] * 10)
    assert len(found.kept.seconds) == blocks


def test_few_blocks_never_stop_early() -> None:
    """An interval takes eight blocks: of 14, seven say nothing."""
    assert len(measured([1.0] * 14, rounds=14).kept.seconds) == 14
    assert len(measured([1.0] * 16, rounds=16).kept.seconds) == 8
    assert measured([1.0], rounds=1).kept.interval is None


@pytest.mark.parametrize(("alike", "least", "most"), [(0.0, 0.975, 0.995), (0.3, 0.94, 0.985)])
def test_the_interval_holds_the_median(alike: float, least: float, most: float) -> None:
    """In 95% of measurements whose neighbouring blocks correlate; stopping early costs nothing."""
    draws = np.random.default_rng(0)
    held = []
    for size in (0.003, 0.05):  # the first stops at ten blocks, the second never
        noise = draws.standard_normal((1500, 20))
        for at in range(1, 20):
            noise[:, at] = alike * noise[:, at - 1] + (1 - alike**2) ** 0.5 * noise[:, at]
        for row in np.exp(size * noise).tolist():
            ends = measured(row * 3).kept.interval
            held.append(ends is not None and ends[0] <= 1.0 <= ends[1])
    assert least < np.mean(held) < most


# Again


@pytest.mark.parametrize(("first", "because"), [(SPREAD, "spread"), (DRIFTING, "spread, drift")])
def test_a_disturbed_measurement_is_made_again(first: list[float], because: str) -> None:
    """After a pause; the quiet one counts, and the row is not noisy."""
    waited: list[float] = []
    found = measured([*first, *QUIET], waited=waited)
    assert [one.disturbed for one in found.attempts] == [because, None]
    assert found.kept.seconds == tuple(QUIET)
    assert waited == [PAUSE]


def test_a_drift_without_a_spread_is_seen() -> None:
    """Most blocks agree, but the last half is slower."""
    times = [*[1.0] * 6, *[1.3] * 4, *[1.3] * 10]
    assert Blocks(tuple(times)).drift == pytest.approx(0.3 / 1.3)
    assert measured([*times, *QUIET]).attempts[0].disturbed == "spread, drift"
    few_early = Blocks((*[1.0] * 4, *[1.25] * 16))
    assert (few_early.spread, few_early.disturbed) == (0.0, None)


def test_even_blocks_beside_a_busy_process_are_made_again() -> None:
    """Times that agree are no proof: others that use the cores make all of them slow."""
    slow = [100 * time for time in QUIET]
    patience = Patience()
    patience.earn(1e6)
    found = measured([*slow, *QUIET], patience=patience, loads=[0.0, 0.8, 0.4, 0.05])
    assert [one.disturbed for one in found.attempts] == ["load", None]
    assert (found.kept.median, found.kept.load) == (1.0, 0.05)


def test_blocks_too_short_for_the_clocks_say_nothing_of_load() -> None:
    """Processor time is counted in hundredths of a second."""
    found = measured([0.001] * 20, loads=[0.0, 1.0])
    assert (found.kept.load, found.kept.disturbed) == (None, None)


def test_what_stays_noisy_says_so() -> None:
    """After three attempts the fastest counts: what disturbs makes nothing faster."""
    times = [[0.02, 0.04] * 10, [0.015, 0.03] * 10, [0.018, 0.03] * 10]
    found = measured([time for attempt in times for time in attempt])
    assert len(found.attempts) == ATTEMPTS == 3
    assert found.kept.seconds == tuple(times[1])
    assert found.kept.disturbed == "spread"


def test_each_attempt_reckons_its_steps() -> None:
    """One step lasted a block beside others; without them a block has many, and a step counts."""
    times = [0.02, 0.04] * 10
    found = measured(times * 3, steps=[1, 80, 40])
    assert [one.steps for one in found.attempts] == [1, 80, 40]
    assert found.kept.steps == 80


def test_a_quiet_attempt_counts_though_a_disturbed_one_was_faster() -> None:
    """A least median is a sign of quiet only where no attempt was quiet."""
    fast = [0.4, 0.8] * 10
    found = measured([*fast, *QUIET])
    assert [one.disturbed for one in found.attempts] == ["spread", None]
    assert found.attempts[0].median < found.kept.median
    assert found.kept.seconds == tuple(QUIET)


def test_a_run_at_most_doubles() -> None:
    """Further attempts take no longer than the first ones, and a grace; then noise is kept."""
    patience = Patience()
    taken = {"first": 0.0, "again": 0.0}
    for _ in range(30):
        found = measured(SPREAD * 3, patience=patience)
        first, *again = (sum(one.seconds) for one in found.attempts)
        taken["first"] += first
        taken["again"] += sum(again) + PAUSE * len(again)
        assert found.kept.disturbed
    assert 0.9 * taken["first"] < taken["again"] <= taken["first"] + GRACE
