"""What holds for every schedule of the registry, and how each refuses what it cannot do."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from trainscape.errors import UserError
from trainscape.schedules import Clock, Duration, Schedule, registry

CLOCK = Clock(epoch=7, total=91)
DURATION = {"every", "decay", "rise", "fall", "first"}
RISING = ("cyclical", "one_cycle")  # these start below the peak


def make(name: str, **hyperparameters: Any) -> Any:
    """The schedule ``name`` with these hyperparameters."""
    return registry.get(name)(**hyperparameters)


DURATIONS = st.one_of(
    st.integers(1, 60).map("{} steps".format),
    st.sampled_from(["1 epoch", "2.5 epochs", "0.3 epochs", "12.5%", "33%", "100%"]),
)
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    float: st.floats(0.01, 0.99),
    str: DURATIONS,
    str | None: st.none() | DURATIONS,
    bool: st.booleans(),
    int: st.integers(1, 5),
}
CLOCKS = st.builds(Clock, epoch=st.integers(1, 20), total=st.integers(1, 80))


@cache
def hyperparameters(name: str) -> dict[str, Any]:
    """The types of a schedule's own hyperparameters, by name."""
    entry = registry.get(name)
    hints = get_type_hints(entry)
    return {f.name: hints[f.name] for f in fields(entry) if f.name != "warmup"}


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Valid values of a hyperparameter of this type."""
    return st.sampled_from(get_args(hint)) if get_origin(hint) is Literal else VALUES[hint]


def fits(schedule: Schedule, clock: Clock) -> bool:
    """Whether the schedule's durations fit the run; one without any always does."""
    try:
        schedule.check(clock)
    except UserError:
        assert DURATION & set(hyperparameters(schedule.name))
        return False
    return True


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Any schedule of the registry with any valid hyperparameters and no warm-up."""
    name = draw(st.sampled_from(registry.names()))
    made: Schedule = make(name, **{k: draw(values(v)) for k, v in hyperparameters(name).items()})
    return made


@settings(deadline=None)  # the machine may be busy
@given(schedule=schedules(), clock=CLOCKS)
def test_any_schedule_is_a_share_of_the_peak(schedule: Schedule, clock: Clock) -> None:
    """Without warm-up all factors lie between 0 and 1, and the first is 1 unless it has to rise."""
    assume(fits(schedule, clock))
    table = schedule.table(clock)
    assert len(table) == clock.total
    assert table[0] == 1 or schedule.name in RISING
    assert all(type(f) is float and 0 <= f <= 1 for f in table)


@settings(deadline=None)  # the machine may be busy
@given(schedule=schedules(), clock=CLOCKS)
def test_any_schedule_falls_or_says_why_not(schedule: Schedule, clock: Clock) -> None:
    """No factor is above the one before, except in the schedules that rise by their nature."""
    assume(fits(schedule, clock) and schedule.name not in (*RISING, "warm_restarts"))
    table = schedule.table(clock)
    assert table == sorted(table, reverse=True)


@settings(deadline=None)  # the machine may be busy
@given(
    low=st.floats(0, 0.99),
    rise=st.integers(2, 40),
    more=st.integers(0, 60),
    anneal=st.sampled_from(["cosine", "linear"]),
    three=st.booleans(),
)
def test_one_cycle_climbs_to_the_peak_and_never_again(
    low: float, rise: int, more: int, anneal: str, three: bool
) -> None:
    """It rises from its initial share to exactly 1 at the rise's last step, then only falls."""
    shape = {"rise": f"{rise} steps", "initial": low, "final": low / 2, "anneal": anneal}
    run = Clock(epoch=10, total=2 * rise + more)
    table = make("one_cycle", **shape, three_phase=three).table(run)
    up, down = table[:rise], table[rise - 1 :]
    assert up == sorted(up)
    assert down == sorted(down, reverse=True)
    assert up[-1] == 1
    assert up[0] == pytest.approx(low)
    assert down[-1] == low / 2


@settings(deadline=None)  # the machine may be busy
@given(
    base=st.floats(0, 0.99),
    rise=st.integers(1, 20),
    fall=st.integers(1, 20),
    mode=st.sampled_from(["triangular", "triangular2", "exp_range"]),
)
def test_cyclical_returns_to_its_base_and_its_peaks_never_grow(
    base: float, rise: int, fall: int, mode: str
) -> None:
    """Every cycle starts at the base and tops out at the end of its rise, no higher than before."""
    shape = {"rise": f"{rise} steps", "fall": f"{fall} steps", "base": base, "mode": mode}
    table = make("cyclical", **shape).table(Clock(epoch=10, total=4 * (rise + fall)))
    assert table[:: rise + fall] == [base] * 4
    peaks = table[rise :: rise + fall]
    assert peaks == [max(table[k : k + rise + fall]) for k in range(0, len(table), rise + fall)]
    assert peaks == sorted(peaks, reverse=True)
    assert peaks[0] == 1 or mode == "exp_range"


@settings(deadline=None)  # the machine may be busy
@given(schedule=schedules(), clock=CLOCKS, rise=st.integers(2, 40))
def test_any_warm_up_reaches_the_peak_and_hands_over(
    schedule: Schedule, clock: Clock, rise: int
) -> None:
    """It climbs evenly to exactly 1; the schedule then runs, from its start, over what is left."""
    assume(fits(schedule, Clock(clock.epoch, max(clock.total - rise, 1))))
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
    schedule.check(Clock(epoch=10, total=50))


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
        (0.1, "is no duration; did you mean '10%'?"),
        ("0.05", "is no duration; did you mean '5%'?"),
        ("2 hours", "is no duration; write it as '2 epochs', '2 steps' or '2%'"),
        ("-3 epochs", "is no duration; write it as '10 epochs', '10 steps' or '10%'"),
        ("nan steps", "is no duration; write it as '10 epochs', '10 steps' or '10%'"),
        ("", "is no duration; write it as '10 epochs', '10 steps' or '10%'"),
        ("1e999999999 steps", "is no duration; did you mean '1e99 steps'?"),
        ("0 steps", "is no time at all; choose a duration above zero"),
        ("0.0%", "is no time at all; choose a duration above zero"),
        ("0.4 steps", "is no whole number of steps; choose '1 step'"),
        ("2.7 steps", "is no whole number of steps; choose '3 steps'"),
        ("1e-30 steps", "is no whole number of steps; choose '1 step'"),
    ],
)
def test_a_bad_duration_is_refused(duration: Any, why: str) -> None:
    """It is refused when the schedule is made, in one line that says what to write."""
    for name in registry.names():
        durations = [k for k, v in hyperparameters(name).items() if v in (str, str | None)]
        for key in ("warmup", *durations):
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
        ("polynomial", "power", 0, "is out of range; choose a number in (0, inf)"),
        ("polynomial", "final", -0.1, "is out of range; choose a number in [0, 1]"),
        ("warm_restarts", "growth", 1.5, "is no whole number from 1; choose one"),
        ("warm_restarts", "growth", 0, "is no whole number from 1; choose one"),
        ("warm_restarts", "growth", True, "is no whole number from 1; choose one"),
        ("warm_restarts", "growth", "twice", "is no whole number from 1; choose one"),
        ("warm_restarts", "final", 2, "is out of range; choose a number in [0, 1]"),
        ("wsd", "final", math.inf, "is out of range; choose a number in [0, 1]"),
        ("cyclical", "base", 1.1, "is out of range; choose a number in [0, 1]"),
        ("cyclical", "gamma", 0, "is out of range; choose a number in (0, 1]"),
        ("one_cycle", "initial", 25, "is out of range; choose a number in [0, 1]"),
        ("one_cycle", "final", "1e4", "is out of range; choose a number in [0, 1]"),
        ("one_cycle", "three_phase", 3, "is neither true nor false; choose one"),
        ("plateau", "gamma", 1, "is out of range; choose a number in (0, 1)"),
        ("plateau", "patience", -1, "is no whole number from 0; choose one"),
        ("plateau", "cooldown", math.inf, "is no whole number from 0; choose one"),
        ("plateau", "threshold", 1.0, "is out of range; choose a number in [0, 1)"),
        ("plateau", "final", None, "is no number; choose one in [0, 1]"),
    ],
)
def test_a_bad_hyperparameter_is_refused(name: str, key: str, value: Any, why: str) -> None:
    """It is refused when the schedule is made: one line with key, value and what is valid."""
    with pytest.raises(UserError) as refused:
        make(name, **{key: value})
    assert str(refused.value) == f"{name}.{key}: {value!r} {why}"


@pytest.mark.parametrize(
    ("name", "key", "value", "advice"),
    [
        ("cyclical", "mode", "triangle", "did you mean 'triangular'?"),
        ("cyclical", "mode", ["exp_range"], "did you mean 'exp_range'?"),
        ("one_cycle", "anneal", "cos", "did you mean 'cosine'?"),
        ("one_cycle", "anneal", None, "choose from: cosine, linear"),
        ("plateau", "threshold_mode", "relative", "choose from: abs, rel"),
        ("wsd", "form", "sqrt", "did you mean '1-sqrt'?"),
        ("wsd", "form", 1, "choose from: 1-sqrt, cosine, linear"),
    ],
)
def test_an_unknown_form_is_refused(name: str, key: str, value: Any, advice: str) -> None:
    """One line names the nearest form, or lists them."""
    with pytest.raises(UserError) as refused:
        make(name, **{key: value})
    assert str(refused.value) == f"{name}.{key}: unknown {value!r}; {advice}"


@pytest.mark.parametrize(
    ("name", "hyperparameters", "message"),
    [
        ("wsd", {"decay": "5 epochs"}, "wsd.decay: '5 epochs' is 50 steps of 40; "),
        (
            "wsd",
            {"decay": "95 steps", "warmup": "1 epoch"},
            "wsd.decay: '95 steps' is 95 steps of 30; ",
        ),
        ("one_cycle", {"rise": "102%"}, "one_cycle.rise: '102%' is 40.8 steps of 40; "),
        (
            "one_cycle",
            {"rise": "60%", "three_phase": True},
            "one_cycle.rise: '60%' is 24 steps, and as many down again, of 40; ",
        ),
    ],
)
def test_a_part_longer_than_the_run_is_refused(
    name: str, hyperparameters: dict[str, Any], message: str
) -> None:
    """One line says how long both are and what would fit; that is taken."""
    with pytest.raises(UserError) as refused:
        make(name, **hyperparameters).check(Clock(epoch=10, total=40))
    said, advice = str(refused.value).split("; choose at most ")
    assert f"{said}; " == message
    key = message.split(":")[0].removeprefix(f"{name}.")
    make(name, **{**hyperparameters, key: advice}).check(Clock(epoch=10, total=40))


@pytest.mark.parametrize(
    ("name", "hyperparameters", "message"),
    [
        # 50 steps: one percent is half a step, and a warm-up of one step would be none
        ("constant", {"warmup": "1%"}, "warmup: '1%' is 0.5 steps of a run of 50, and needs 2"),
        ("cosine", {"warmup": "1 step"}, "warmup: '1 step' is 1 step of a run of 50, and needs 2"),
        ("step", {"every": "1%"}, "every: '1%' is 0.5 steps of a run of 50, and needs 1"),
        ("halving", {"every": "0.09 epochs"}, "every: '0.09 epochs' is 0.9 steps of a run of 50"),
        (
            "exponential",
            {"every": "1%", "staircase": True},
            "every: '1%' is 0.5 steps of a run of 50, and needs 1",
        ),
        ("wsd", {"decay": "2%"}, "decay: '2%' is 1 step of a run of 50, and needs 2"),
        ("one_cycle", {"rise": "2%"}, "rise: '2%' is 1 step of a run of 50, and needs 2"),
        ("cyclical", {"rise": "1%"}, "rise: '1%' is 0.5 steps of a run of 50, and needs 1"),
        ("cyclical", {"fall": "1e-9%"}, "fall: '1e-9%' is 5e-10 steps of a run of 50, and needs 1"),
        ("warm_restarts", {"first": "2%"}, "first: '2%' is 1 step of a run of 50, and needs 2"),
        (
            "warm_restarts",
            {"first": "1%", "growth": 2},
            "first: '1%' is 0.5 steps of a run of 50, and needs 1",
        ),
        # of the 40 steps after the warm-up
        (
            "wsd",
            {"decay": "3%", "warmup": "1 epoch"},
            "decay: '3%' is 1.2 steps of a run of 40, and needs 2",
        ),
    ],
)
def test_a_duration_that_rounds_to_nothing_is_refused(
    name: str, hyperparameters: dict[str, Any], message: str
) -> None:
    """It would train as if it were not there; one line offers durations that are taken."""
    schedule, run = make(name, **hyperparameters), Clock(epoch=10, total=50)
    for refuse in (schedule.check, schedule.table):
        with pytest.raises(UserError) as refused:
            refuse(run)
    said, advice = str(refused.value).split("; choose ")
    assert said.startswith(f"{name}.{message}")
    key = message.split(":")[0]
    for offered in re.findall("'([^']*)'", advice):
        table = make(name, **{**hyperparameters, key: offered}).table(run)
        assert table != make(name, **{**hyperparameters, key: "50%"}).table(run)
        assert set(table) != {1.0}


def test_a_run_too_short_for_a_warm_up_says_so() -> None:
    """No share of one step is a warm-up: what helps is a longer run."""
    with pytest.raises(UserError, match=r"0\.1 steps of a run of 1, .*; choose a longer run$"):
        make("linear", warmup="10%").check(Clock(epoch=1, total=1))


def test_a_smooth_decay_may_be_as_quick_as_it_likes() -> None:
    """Its interval scales a curve that every step lies on: nothing rounds."""
    for name in ("exponential", "inverse_time"):
        table = make(name, every="1%", rate=1).table(Clock(epoch=10, total=50))
        assert table[1] == {"exponential": 1, "inverse_time": 1 / 3}[name]


def test_a_plugins_duration_needs_a_step_too() -> None:
    """A schedule of one's own that has durations is held to at least one step of each."""

    @dataclass(frozen=True)
    class Own(Schedule):
        name = "own"
        pause: Duration = "1%"

        def shape(self, step: int, clock: Clock) -> float:
            return 1.0

    with pytest.raises(UserError, match=r"^own\.pause: '1%' is 0\.5 steps of a run of 50"):
        Own().check(Clock(epoch=10, total=50))
    Own(pause="1 step").check(Clock(epoch=10, total=50))
