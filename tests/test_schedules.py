"""Schedules against torch's schedulers, written-out values, and what holds for each of them."""

from __future__ import annotations

import doctest
import sys
from typing import Any

import pytest
from torch.optim import lr_scheduler as theirs

from kit.schedule_tables import ORACLES, WRITTEN_OUT, rates
from trainscape.schedules import Clock, registry

CLOCK = Clock(epoch=7, total=91)


def make(name: str, **hyperparameters: Any) -> Any:
    """The schedule ``name`` with these hyperparameters."""
    return registry.get(name)(**hyperparameters)


@pytest.mark.filterwarnings("ignore:The epoch parameter in")  # SequentialLR's own use of it
@pytest.mark.parametrize("case", ORACLES)
def test_every_step_agrees_with_torch(case: str) -> None:
    """The factor of every step is that of torch's scheduler to 1e-12."""
    name, hyperparameters, oracle = ORACLES[case]
    expected = rates(oracle, CLOCK.total)
    assert make(name, **hyperparameters).table(CLOCK) == pytest.approx(expected, rel=0, abs=1e-12)


@pytest.mark.filterwarnings("ignore:The epoch parameter in")
@pytest.mark.parametrize("case", ORACLES)
def test_warm_up_agrees_with_torch(case: str) -> None:
    """A warm-up of 10 steps is LinearLR from a tenth to one; torch's scheduler does the rest.

    One after the other, not by SequentialLR: that starts OneCycleLR's cycle from its low end twice.
    """
    name, hyperparameters, oracle = ORACLES[case]
    rise = rates(lambda o, _: theirs.LinearLR(o, 1 / 10, 1.0, total_iters=9), 10)
    expected = rise + rates(oracle, CLOCK.total - 10)
    ours = make(name, warmup="10 steps", **hyperparameters).table(CLOCK)
    assert ours == pytest.approx(expected, rel=0, abs=1e-12)


def test_every_entry_has_a_worked_example() -> None:
    """Every schedule's file, and the clock's, holds a worked example, and all of them are right."""
    for kind in (Clock, *map(registry.get, registry.names())):
        result = doctest.testmod(sys.modules[kind.__module__])
        assert result.attempted > 0, f"{kind.__module__} has no example"
        assert result.failed == 0, kind.__module__


@pytest.mark.parametrize(("name", "hyperparameters", "expected"), WRITTEN_OUT)
def test_factors_are_as_worked_by_hand(
    name: str, hyperparameters: dict[str, Any], expected: dict[int, float]
) -> None:
    """Chosen steps have the factor that the formula gives on paper."""
    table = make(name, **hyperparameters).table(Clock(epoch=10, total=40))
    assert {step: table[step] for step in expected} == pytest.approx(expected, rel=1e-14, abs=1e-16)


def test_stairs_fall_on_their_step_exactly() -> None:
    """A drop every 1.1 steps falls at step 66 for the sixtieth time; in floats it would be late."""
    schedule = make("step", every="1.1%", gamma=0.99)
    assert schedule.factor(66, Clock(epoch=10, total=100)) == 0.99**60
    assert 66 / 1.1 < 60


def test_restarts_and_peaks_fall_on_their_step_exactly() -> None:
    """Cycles of 1.1 steps start again at step 66, where floats would have the end of one."""
    clock = Clock(epoch=10, total=100)
    assert make("warm_restarts", first="1.1%").factor(66, clock) == 1
    assert make("cyclical", rise="0.1%", fall="1 step").factor(66, clock) == 0.25
    uneven = make("cyclical", rise="1.2%", fall="0.6%")
    assert [uneven.factor(step, clock) for step in range(3, 100, 9)] == [1] * 11
    assert 66 / 1.1 < 60


def test_the_fourth_articles_rows_follow() -> None:
    """Descent on (w + 1)² from 5 with a staircase of 0.99 a step gives the printed rows."""
    staircase = make("exponential", rate=0.99, every="1 step", staircase=True)
    lr = [0.1 * factor for factor in staircase.table(Clock(epoch=1, total=41))]
    w, rows = 5.0, []
    for step in range(40):
        w -= lr[step] * 2 * (w + 1)
        rows.append((lr[step + 1], w, (w + 1) ** 2))  # it prints the rate after the step
    printed = {
        0: ("0.099", "3.8", 23.04),
        1: ("0.09801", "2.8496", 14.8194),
        2: ("0.0970299", "2.095", 9.57903),
        39: ("0.0668972", "-0.995731", 1.82229e-05),
    }
    for step, (rate, weight, loss) in printed.items():
        assert (f"{rows[step][0]:.6g}", f"{rows[step][1]:.6g}") == (rate, weight)
        # the article is in float32, where w + 1 near w = -1 keeps five digits
        assert rows[step][2] == pytest.approx(loss, rel=2e-5)
    assert w == pytest.approx(-0.9957312, abs=1e-7)
