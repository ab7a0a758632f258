"""Steps and evaluations: written-out values, and what holds for any sizes."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainscape.cells.budget import Plan, validation_size

if TYPE_CHECKING:
    from collections.abc import Mapping

EPOCHS = st.integers(1, 12).map(lambda n: {"epochs": n})
STEPS = st.integers(1, 300).map(lambda n: {"steps": n})
PLANS = st.builds(
    Plan,
    examples=st.integers(1, 500),
    batch_size=st.integers(1, 500),
    budget=EPOCHS | STEPS,
    evaluate_every=st.floats(1e-3, 5, allow_nan=False),
)


@pytest.mark.parametrize(
    ("examples", "batch", "budget", "every", "expected"),
    [
        (100, 10, {"epochs": 3}, 1.0, [10, 20, 30]),
        (100, 30, {"epochs": 3}, 1.0, [4, 8, 12]),  # 30 + 30 + 30 + 10 an epoch
        (100, 100, {"epochs": 3}, 1.0, [1, 2, 3]),
        (100, 10, {"epochs": 1}, 0.3, [3, 6, 9, 10]),
        (100, 30, {"epochs": 1}, 0.3, [1, 2, 3, 4]),
        (100, 30, {"epochs": 2}, 0.5, [2, 4, 6, 8]),  # 50 is first passed at 60, 150 at 160
        (100, 10, {"epochs": 3}, 2.0, [20, 30]),
        (100, 10, {"epochs": 3}, 1.5, [15, 30]),
        (100, 10, {"epochs": 3}, 9.0, [30]),
        (1150, 16, {"epochs": 1}, 0.1, [8, 15, 22, 29, 36, 44, 51, 58, 65, 72]),
        (100, 10, {"steps": 7}, 1.0, [7]),  # shorter than an epoch
        (100, 10, {"steps": 25}, 1.0, [10, 20, 25]),
        (100, 10, {"steps": 20}, 1.0, [10, 20]),
        (1, 1, {"steps": 3}, 1.0, [1, 2, 3]),
        (100, 25, {"epochs": 1}, 1e-6, [1, 2, 3, 4]),  # many intervals a step are one evaluation
    ],
)
def test_evaluations_fall_where_they_should(
    examples: int, batch: int, budget: Mapping[str, int], every: float, expected: list[int]
) -> None:
    """The steps are those worked out by hand, for full and partial batches and both budgets."""
    assert Plan(examples, batch, budget, every).evaluations == expected


def test_whole_passes_are_equal_sample_counts_at_every_batch_size() -> None:
    """With intervals of whole passes, every batch size is evaluated after the same examples."""
    counts = {
        tuple(plan.seen(step) for step in plan.evaluations)
        for batch in (1, 7, 16, 64, 256, 1149, 1150)
        for plan in [Plan(1150, batch, {"epochs": 5}, 1.0)]
    }
    assert counts == {(1150, 2300, 3450, 4600, 5750)}


def test_parts_of_a_pass_are_met_within_one_batch() -> None:
    """With fractional intervals, every batch size is evaluated less than a batch past the mark."""
    for batch in (1, 7, 16, 64):
        plan = Plan(1150, batch, {"epochs": 4}, 0.25)
        over = [plan.seen(s) - k * 287.5 for k, s in enumerate(plan.evaluations, 1)]
        assert len(over) == 16
        assert all(0 <= rest < batch for rest in over)


def test_an_interval_is_taken_as_written() -> None:
    """A tenth is a tenth: the third mark is at 30 of 100 examples, not a rounding past it."""
    plan = Plan(100, 1, {"epochs": 1}, 0.1)
    assert plan.evaluations == [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]


def test_a_tiny_interval_costs_no_time() -> None:
    """An interval far below a batch is as quick to plan as an evaluation after every step."""
    start = time.perf_counter()
    assert Plan(1000, 10, {"epochs": 10}, 1e-12).evaluations == list(range(1, 1001))
    assert time.perf_counter() - start < 1


@given(PLANS)
def test_evaluations_rise_to_the_last_step(plan: Plan) -> None:
    """Evaluations are strictly rising, from the first step at the earliest to the last step."""
    steps = plan.evaluations
    assert steps[0] >= 1
    assert steps[-1] == plan.total
    assert all(a < b for a, b in pairwise(steps))


@given(PLANS)
def test_every_interval_is_evaluated_once(plan: Plan) -> None:
    """Between two evaluations at least one mark is passed, and none is passed unevaluated."""
    every = plan.evaluate_every * plan.examples
    for before, step in zip([0, *plan.evaluations], plan.evaluations[:-1], strict=False):
        mark = (plan.seen(before) / every + 1e-9) // 1 * every + every
        assert plan.seen(step) >= mark - 1e-6 * every
        assert step - 1 == before or plan.seen(step - 1) < mark + 1e-6 * every


@given(PLANS)
def test_every_step_uses_a_batch_or_what_is_left_of_the_epoch(plan: Plan) -> None:
    """A step uses one batch, the last of an epoch what is left; epochs use every example once."""
    for step in range(min(plan.total, 50)):
        used = plan.seen(step + 1) - plan.seen(step)
        assert 1 <= used <= plan.batch_size
        assert used == plan.batch_size or (step + 1) % plan.epoch == 0
    assert plan.seen(plan.epoch) == plan.examples


@pytest.mark.parametrize(
    ("examples", "share", "expected"),
    [(1437, 0.2, 287), (60000, 0.1, 6000), (1437, 0.0, 0), (10, 0.04, 0), (10, 0.06, 1)],
)
def test_the_validation_split_is_the_nearest_whole_number(
    examples: int, share: float, expected: int
) -> None:
    """The share is rounded to whole examples."""
    assert validation_size(examples, share) == expected


@given(st.integers(2, 2000), st.floats(0, 0.9), st.integers(1, 64))
def test_a_cells_plan_takes_the_validation_split_out(
    examples: int, share: float, batch_size: int
) -> None:
    """Of the dataset's training split, what is held out is never trained on."""
    spec = {
        "batch_size": batch_size,
        "budget": {"epochs": 2},
        "validation": share,
        "evaluate_every": 0.5,
    }
    plan = Plan.of(spec, examples)
    assert plan.examples + validation_size(examples, share) == examples
    assert plan == Plan(plan.examples, batch_size, {"epochs": 2}, 0.5)


@given(st.integers(1, 500), st.integers(1, 500))
def test_an_epoch_that_drops_its_last_batch_has_full_ones_alone(
    examples: int, batch_size: int
) -> None:
    """⌊N/B⌋ steps, each of B examples; evaluations fall on the ends of epochs as ever."""
    batch_size = min(batch_size, examples)
    spec = {"batch_size": batch_size, "budget": {"epochs": 3}, "validation": 0}
    plan = Plan.of({**spec, "evaluate_every": 1.0, "last_batch": "drop"}, examples)
    steps = examples // batch_size
    assert (plan.epoch, plan.total) == (steps, 3 * steps)
    assert [plan.seen(k) for k in range(steps + 1)] == [k * batch_size for k in range(steps + 1)]
    assert plan.evaluations == [steps, 2 * steps, 3 * steps]
