"""Schedules against torch's schedulers, written-out values, and what holds for each of them."""

from __future__ import annotations

import doctest
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler as theirs

from trainscape.errors import UserError
from trainscape.schedules import Clock, Schedule, registry

CLOCK = Clock(epoch=7, total=91)
Oracle = Callable[[torch.optim.Optimizer, int], theirs.LRScheduler]


def make(name: str, **hyperparameters: Any) -> Any:
    """The schedule ``name`` with these hyperparameters."""
    return registry.get(name)(**hyperparameters)


# Ours, its hyperparameters, and torch's counterpart over a run of ``total`` steps.
ORACLES: dict[str, tuple[str, dict[str, Any], Oracle]] = {
    "constant": ("constant", {}, lambda o, _: theirs.LambdaLR(o, lambda _: 1.0)),
    "step": ("step", {"every": "9 steps", "gamma": 0.3}, lambda o, _: theirs.StepLR(o, 9, 0.3)),
    "step by epochs": ("step", {"every": "2 epochs"}, lambda o, _: theirs.StepLR(o, 14, 0.1)),
    "exponential": (
        "exponential",
        {"rate": 0.95, "every": "1 step"},
        lambda o, _: theirs.ExponentialLR(o, 0.95),
    ),
    "exponential, an epoch in even parts": (
        "exponential",
        {"rate": 0.5, "every": "1 epoch"},
        lambda o, _: theirs.ExponentialLR(o, 0.5 ** (1 / 7)),
    ),
    "exponential, staircase": (
        "exponential",
        {"rate": 0.5, "every": "1 epoch", "staircase": True},
        lambda o, _: theirs.StepLR(o, 7, 0.5),
    ),
    "inverse_time": (
        "inverse_time",
        {"rate": 0.5, "every": "3 steps"},
        lambda o, _: theirs.LambdaLR(o, lambda k: 1 / (1 + 0.5 * k / 3)),
    ),
    "inverse_time, staircase": (
        "inverse_time",
        {"rate": 0.5, "every": "3 steps", "staircase": True},
        lambda o, _: theirs.LambdaLR(o, lambda k: 1 / (1 + 0.5 * (k // 3))),
    ),
    "linear": (
        "linear",
        {"final": 0.2},
        lambda o, total: theirs.LinearLR(o, 1.0, 0.2, total_iters=total),
    ),
    "linear to nothing": (
        "linear",
        {},
        lambda o, total: theirs.LinearLR(o, 1.0, 0.0, total_iters=total),
    ),
    "cosine": (
        "cosine",
        {"final": 0.05},
        lambda o, total: theirs.CosineAnnealingLR(o, total, eta_min=0.05),
    ),
    "cosine to nothing": ("cosine", {}, lambda o, total: theirs.CosineAnnealingLR(o, total)),
}


def rates(
    optimizer: torch.optim.Optimizer, scheduler: theirs.LRScheduler, total: int
) -> list[float]:
    """What torch's scheduler makes of a learning rate of 1, at every step."""
    found = []
    for _ in range(total):
        found.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return found


def sgd() -> torch.optim.Optimizer:
    """Something for torch's schedulers to drive, at a learning rate of 1."""
    return torch.optim.SGD([torch.zeros(1, dtype=torch.float64)], 1.0)


@pytest.mark.parametrize("case", ORACLES)
def test_every_step_agrees_with_torch(case: str) -> None:
    """The factor of every step is that of torch's scheduler to 1e-12."""
    name, hyperparameters, oracle = ORACLES[case]
    optimizer = sgd()
    expected = rates(optimizer, oracle(optimizer, CLOCK.total), CLOCK.total)
    assert make(name, **hyperparameters).table(CLOCK) == pytest.approx(expected, rel=0, abs=1e-12)


@pytest.mark.filterwarnings("ignore:The epoch parameter in")  # SequentialLR's own use of it
@pytest.mark.parametrize("case", ORACLES)
def test_warm_up_agrees_with_torch_in_sequence(case: str) -> None:
    """A warm-up of 10 steps is LinearLR from a tenth to one; torch's scheduler does the rest."""
    name, hyperparameters, oracle = ORACLES[case]
    optimizer = sgd()
    rise = theirs.LinearLR(optimizer, 1 / 10, 1.0, total_iters=9)
    rest = oracle(optimizer, CLOCK.total - 10)
    sequence = theirs.SequentialLR(optimizer, [rise, rest], milestones=[10])
    expected = rates(optimizer, sequence, CLOCK.total)
    ours = make(name, warmup="10 steps", **hyperparameters).table(CLOCK)
    assert ours == pytest.approx(expected, rel=0, abs=1e-12)


def test_every_entry_has_a_worked_example() -> None:
    """Every schedule's file, and the clock's, holds a worked example, and all of them are right."""
    for kind in (Clock, *map(registry.get, registry.names())):
        result = doctest.testmod(sys.modules[kind.__module__])
        assert result.attempted > 0, f"{kind.__module__} has no example"
        assert result.failed == 0, kind.__module__


# The factors of some steps of a run of 40 steps, 10 an epoch: worked by hand.
WRITTEN_OUT: list[tuple[str, dict[str, Any], dict[int, float]]] = [
    ("constant", {}, {0: 1, 39: 1}),
    ("step", {"every": "1 epoch", "gamma": 0.5}, {0: 1, 9: 1, 10: 0.5, 19: 0.5, 39: 0.125}),
    ("step", {"every": "50%", "gamma": 0.1}, {19: 1, 20: 0.1, 39: 0.1}),
    ("step", {"every": "2.5 steps", "gamma": 0.5}, {2: 1, 3: 0.5, 4: 0.5, 5: 0.25, 8: 0.125}),
    ("exponential", {"rate": 0.25, "every": "1 epoch"}, {0: 1, 5: 0.5, 10: 0.25, 30: 1 / 64}),
    (
        "exponential",
        {"rate": 0.25, "every": "1 epoch", "staircase": True},
        {0: 1, 5: 1, 10: 0.25, 39: 1 / 64},
    ),
    ("inverse_time", {"rate": 2, "every": "1 epoch"}, {0: 1, 5: 0.5, 10: 1 / 3, 30: 1 / 7}),
    (
        "inverse_time",
        {"rate": 2, "every": "1 epoch", "staircase": True},
        {0: 1, 9: 1, 10: 1 / 3, 39: 1 / 7},
    ),
    ("linear", {}, {0: 1, 10: 0.75, 39: 0.025}),
    ("linear", {"final": 0.5}, {0: 1, 10: 0.875, 20: 0.75}),
    ("cosine", {}, {0: 1, 10: 0.5 + 0.5**1.5, 20: 0.5, 30: 0.5 - 0.5**1.5}),
    ("cosine", {"final": 0.2}, {0: 1, 20: 0.6}),
    # 4 steps up, then the line over the other 36
    ("linear", {"warmup": "10%"}, {0: 0.25, 1: 0.5, 3: 1, 4: 1, 22: 0.5}),
    ("linear", {"warmup": "2 epochs"}, {0: 0.05, 19: 1, 20: 1, 30: 0.5}),
    ("constant", {"warmup": "1 step"}, {0: 1, 1: 1}),
]


@pytest.mark.parametrize(("name", "hyperparameters", "expected"), WRITTEN_OUT)
def test_factors_are_as_worked_by_hand(
    name: str, hyperparameters: dict[str, Any], expected: dict[int, float]
) -> None:
    """Chosen steps have the factor that the formula gives on paper."""
    table = make(name, **hyperparameters).table(Clock(epoch=10, total=40))
    assert {step: table[step] for step in expected} == pytest.approx(expected, rel=1e-14)


def test_stairs_fall_on_their_step_exactly() -> None:
    """A drop every 1.1 steps falls at step 66 for the sixtieth time; in floats it would be late."""
    schedule = make("step", every="1.1 steps", gamma=0.99)
    assert schedule.factor(66, Clock(epoch=10, total=100)) == 0.99**60
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


DURATIONS = st.one_of(
    st.integers(1, 60).map("{} steps".format),
    st.sampled_from(["1 epoch", "2.5 epochs", "0.3 epochs", "12.5%", "33%", "100%"]),
)
VALUES: dict[type, st.SearchStrategy[Any]] = {
    float: st.floats(0.01, 1),
    str: DURATIONS,
    bool: st.booleans(),
    int: st.integers(1, 5),
}
CLOCKS = st.builds(Clock, epoch=st.integers(1, 20), total=st.integers(1, 80))


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Any schedule of the registry with any valid hyperparameters and no warm-up."""
    entry = registry.get(draw(st.sampled_from(registry.names())))
    chosen = [f for f in fields(entry) if f.name != "warmup"]
    made: Schedule = entry(**{f.name: draw(VALUES[type(f.default)]) for f in chosen})
    return made


@settings(deadline=None)  # the machine may be busy
@given(schedule=schedules(), clock=CLOCKS)
def test_any_schedule_starts_at_the_peak_and_stays_a_rate(schedule: Schedule, clock: Clock) -> None:
    """Without warm-up the first factor is exactly 1, and all lie between 0 and 1."""
    table = schedule.table(clock)
    assert len(table) == clock.total
    assert table[0] == 1
    assert all(type(f) is float and math.isfinite(f) and 0 <= f <= 1 for f in table)


@settings(deadline=None)  # the machine may be busy
@given(schedule=schedules(), clock=CLOCKS, rise=st.integers(1, 40))
def test_any_warm_up_reaches_the_peak_and_hands_over(
    schedule: Schedule, clock: Clock, rise: int
) -> None:
    """It climbs evenly to exactly 1; the schedule then runs, from its start, over what is left."""
    warmed = make(schedule.name, **{**vars(schedule), "warmup": f"{rise} steps"})
    if rise >= clock.total:
        with pytest.raises(UserError, match=rf"^{schedule.name}\.warmup: '{rise} steps' is "):
            warmed.check(clock)
        return
    table = warmed.table(clock)
    assert table[:rise] == [(k + 1) / rise for k in range(rise)]
    assert table[rise - 1] == 1
    assert table[rise:] == schedule.table(Clock(clock.epoch, clock.total - rise))


@pytest.mark.parametrize("name", registry.names())
def test_a_warm_up_as_long_as_the_run_is_refused(name: str) -> None:
    """One line says how long both are and what would fit, for the check and for the table."""
    schedule = make(name, warmup="4 epochs")
    message = f"{name}.warmup: '4 epochs' is 40 steps of a run of 40; choose fewer than 40 steps"
    for refuse in (schedule.check, schedule.table):
        with pytest.raises(UserError) as refused:
            refuse(Clock(epoch=10, total=40))
        assert str(refused.value) == message
    schedule.check(Clock(epoch=10, total=41))


def test_a_growing_rate_may_grow_but_not_without_end() -> None:
    """A rate above 1 climbs, as in a range test; past what a float holds it is refused."""
    growing = make("exponential", rate=10, every="1 step")
    assert growing.table(Clock(epoch=1, total=4)) == [1, 10, 100, 1000]
    with pytest.raises(UserError, match=r"^exponential: the factor at step 399 is inf; choose "):
        growing.check(Clock(epoch=1, total=400))


@pytest.mark.parametrize(
    ("text", "steps"),
    [("1 step", 1), ("100 steps", 100), ("3 epochs", 21), ("0.5epoch", 3.5), ("10%", 9.1)],
)
def test_durations_are_read(text: str, steps: float) -> None:
    """Steps, epochs and shares of the run, in the singular or plural, with or without a space."""
    assert float(CLOCK.steps(text)) == steps


def test_a_duration_that_nothing_checked_is_refused_when_read() -> None:
    """A schedule of one's own that checks nothing still ends in one clear line."""
    with pytest.raises(UserError, match=r"^'3 weeks' is no duration; write it as '3 epochs', "):
        CLOCK.steps("3 weeks")


@pytest.mark.parametrize(
    ("duration", "why"),
    [
        ("30 ephocs", "is no duration; did you mean '30 epochs'?"),
        ("5 Steps", "is no duration; did you mean '5 steps'?"),
        ("30", "is no duration; write it as '30 epochs', '30 steps' or '30%'"),
        (30, "is no duration; write it as '30 epochs', '30 steps' or '30%'"),
        ("2 hours", "is no duration; write it as '2 epochs', '2 steps' or '2%'"),
        ("-3 epochs", "is no duration; write it as '10 epochs', '10 steps' or '10%'"),
        ("nan steps", "is no duration; write it as '10 epochs', '10 steps' or '10%'"),
        ("", "is no duration; write it as '10 epochs', '10 steps' or '10%'"),
        ("1e999999999 steps", "is no duration; did you mean '1e99 steps'?"),
        ("0 steps", "is no time at all; choose a duration above zero"),
        ("0.0%", "is no time at all; choose a duration above zero"),
    ],
)
def test_a_bad_duration_is_refused(duration: Any, why: str) -> None:
    """It is refused when the schedule is made, in one line that says what to write."""
    for name in registry.names():
        durations = [f.name for f in fields(registry.get(name)) if "str" in str(f.type)]
        for key in durations:
            with pytest.raises(UserError) as refused:
                make(name, **{key: duration})
            assert str(refused.value) == f"{name}.{key}: {duration!r} {why}"


@pytest.mark.parametrize(
    ("name", "key", "value", "why"),
    [
        ("step", "gamma", 0, "is out of range; choose a number in (0, 1]"),
        ("step", "gamma", 10, "is out of range; choose a number in (0, 1]"),
        ("step", "every", None, "is no duration; write it as '10 epochs', '10 steps' or '10%'"),
        ("exponential", "rate", float("nan"), "is out of range; choose a number in (0, inf)"),
        ("exponential", "staircase", "false", "is neither true nor false; choose one"),
        ("inverse_time", "rate", -1.0, "is out of range; choose a number in [0, inf)"),
        ("inverse_time", "staircase", 1, "is neither true nor false; choose one"),
        ("linear", "final", 1.5, "is out of range; choose a number in [0, 1]"),
        ("cosine", "final", "half", "is no number; choose one in [0, 1]"),
    ],
)
def test_a_bad_hyperparameter_is_refused(name: str, key: str, value: Any, why: str) -> None:
    """It is refused when the schedule is made: one line with key, value and what is valid."""
    with pytest.raises(UserError) as refused:
        make(name, **{key: value})
    assert str(refused.value) == f"{name}.{key}: {value!r} {why}"


def test_listing_schedules_does_not_import_torch() -> None:
    """Every entry and its table can be had without the seconds that torch costs."""
    code = (
        "import sys; from trainscape.schedules import Clock, registry\n"
        "for name in registry.names(): registry.get(name)().table(Clock(5, 50))\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
