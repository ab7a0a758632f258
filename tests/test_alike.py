"""Schedules with different names and the same rates: refused, or told where they are."""

from __future__ import annotations

from typing import Any

import pytest

from trainscape.cells import alike, grid
from trainscape.errors import UserError
from trainscape.pipeline.layout import Layout
from trainscape.study import parse

HALVING = {"name": "halving", "every": "20 steps"}
ONE = {"optimizer": ["sgd"], "lr": [0.1, 0.2]}


def study(epochs: int, batch_size: list[int], *schedules: Any, **rest: Any) -> Any:
    """A study of digits, 1,150 training examples, with these schedules."""
    axes = {**ONE, "batch_size": batch_size, "schedule": list(schedules)}
    return parse({"budget": {"epochs": epochs}, "grid": axes, **rest}, "study")


def test_schedules_that_are_the_same_in_every_run_are_refused() -> None:
    """A halving that is never reached is constant: the same cells would train under two names."""
    with pytest.raises(UserError) as refused:
        grid.cells(study(1, [64, 256], "constant", "linear", HALVING))
    assert str(refused.value) == (
        "grid.schedule: constant and halving give the same rate at every step of every run; "
        "keep one of them, or choose a longer budget or other durations"
    )


def test_schedules_that_are_the_same_in_some_runs_are_told() -> None:
    """The batch sizes are named at which two schedules cannot differ; the others may train."""
    cells = grid.cells(study(2, [64, 256, 512], "linear", "constant", HALVING))
    assert alike.notes(cells) == {
        "digits-mlp": [
            "At batch size 256, 512, constant and halving give the same rate at every step."
        ]
    }


def test_a_schedule_that_never_acts_is_told() -> None:
    """Its name promises a change that the run is too short for, whatever else is in the grid."""
    cells = grid.cells(study(1, [64], HALVING))
    told = ["At batch size 64, halving keeps the rate constant."]
    assert alike.notes(cells) == {"digits-mlp": told}


def test_one_step_makes_all_schedules_one() -> None:
    """A run of one step has the peak rate and no schedule."""
    cells = grid.cells(study(1, [64, 1150], "constant", "linear", "cosine"))
    (told,) = alike.notes(cells)["digits-mlp"]
    assert told.startswith("At batch size 1150, constant, linear and cosine give the same rate")


def test_schedules_that_differ_in_one_step_differ() -> None:
    """A drop at the last step of all is a difference."""
    last = {"name": "step", "every": "35 steps", "label": "last"}
    assert alike.notes(grid.cells(study(2, [64], "constant", last))) == {}
    late = {"name": "step", "every": "36 steps", "label": "late"}
    with pytest.raises(UserError, match="constant and late give the same rate"):
        grid.cells(study(2, [64], "constant", late))


def test_a_plateau_that_cannot_come_is_refused() -> None:
    """It needs a loss to be the best, patience for more, and a step that follows."""
    patient = {"name": "plateau", "patience": 2}
    assert len(grid.cells(study(5, [64], "constant", patient))) == 4
    with pytest.raises(UserError) as refused:
        grid.cells(study(4, [64], "constant", patient))
    assert str(refused.value) == (
        "evaluate_every: 1 evaluates 4 times, and schedule 'plateau' changes no rate before "
        "evaluation 4; evaluate more often, or choose a longer budget (with batch_size 64 of "
        "'digits-mlp' and budget {epochs: 4})"
    )


def test_the_notes_are_lines_of_the_layout() -> None:
    """What is told before training is told with its workload."""
    layout = Layout(study(1, [64], HALVING, output="results-alike", name="alike"))
    assert layout.notes == ["digits-mlp: At batch size 64, halving keeps the rate constant."]
