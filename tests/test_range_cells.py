"""Learning-rate range tests as cells: one per combination, rising from low to high."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from kit import small_study
from trainscape import schedules
from trainscape.cells import grid, range_tests
from trainscape.cells.cell import parse_path
from trainscape.pipeline import data, train
from trainscape.pipeline.layout import Layout
from trainscape.results.attic import Attic
from trainscape.results.cell_files import read_entries
from trainscape.schedules import Clock

TEST = {"enabled": True, "steps": 30, "low": 1e-3, "high": 1e3}


def made(**changes: Any) -> list[Any]:
    """The range tests of a small study: two optimizers, two batch sizes."""
    study = small_study.make(**{"range_test": TEST, "lr": [0.1, 0.2], "seeds": [3, 5], **changes})
    return range_tests.cells(grid.cells(study), study.range_test)


def test_there_is_one_for_each_workload_optimizer_and_batch_size() -> None:
    """Rates and schedules of the grid add none; without the switch there is none at all."""
    found = [(c.workload, c.optimizer.label, c.batch_size) for c in made(schedule=["step"])]
    assert found == [("digits-mlp", o, b) for o in ("sgd", "adam") for b in (16, 64)]
    assert made(range_test={**TEST, "enabled": False}) == []


@pytest.mark.parametrize(("low", "high", "steps"), [(1e-5, 10.0, 300), (3e-4, 0.7, 31)])
def test_the_rate_rises_from_low_to_high_at_equal_ratios(
    low: float, high: float, steps: int
) -> None:
    """The first step is at low, the last at high, and every one by the same factor higher."""
    cell = made(range_test={"enabled": True, "low": low, "high": high, "steps": steps})[0]
    plan = grid.plan(cell)
    table = schedules.registry.make(cell.schedule.spec()).table(Clock(plan.epoch, plan.total))
    rates = [cell.lr * factor for factor in table]
    assert (rates[0], len(rates)) == (low, steps)
    assert math.isclose(rates[-1], high, rel_tol=1e-6)
    assert all(
        math.isclose(b / a, (high / low) ** (1 / (steps - 1)), rel_tol=1e-9)
        for a, b in pairwise(rates)
    )


@pytest.mark.parametrize("batch_size", [16, 1, "full"])
def test_every_loss_is_traced_and_only_the_end_is_evaluated(batch_size: int | str) -> None:
    """Whatever the batch size, a range test keeps all losses and costs one evaluation."""
    for cell in made(batch_size=[batch_size], evaluate_every=0.1):
        assert cell.trace_every == 1
        assert grid.plan(cell).evaluations == [30]


def test_what_the_study_trains_with_holds_for_its_range_tests() -> None:
    """Seeds, validation split, precision and what an epoch is are the study's."""
    for cell in made(validation=0.3, precision="bf16", last_batch="drop", order="fixed"):
        assert (cell.seeds, cell.validation, cell.precision) == ((3, 5), 0.3, "bf16")
        assert (cell.last_batch, cell.order) == ("drop", "fixed")


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A study of one cell and its range test, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    axes = {"optimizer": ["sgd"], "batch_size": [64]}
    return Layout(small_study.make(range_test=TEST, budget={"steps": 2}, seeds=2, **axes))


def test_a_range_test_lies_in_a_folder_of_its_own(layout: Layout) -> None:
    """Its path names what it tests, and its digest tells range tests of other lengths apart."""
    (path,) = layout.range_tests
    found = parse_path(path)
    assert Path(path).parts[:2] == ("results", "range")
    assert (found["optimizer"], found["batch_size"], found["schedule"]) == ("sgd", 64, "range")
    longer = layout.study.range_test.model_copy(update={"steps": 31})
    changed = layout.study.model_copy(update={"range_test": longer})
    assert set(Layout(changed).range_tests).isdisjoint([path])


def test_a_nan_ends_the_test_and_the_cells_around_it_train_on(layout: Layout) -> None:
    """At absurd rates the trace stops before the first loss that is not finite; that is a result.

    The grid's cell, with another budget, is asked for in the same call and trains by its own plan.
    """
    high = layout.study.range_test.model_copy(update={"high": 1e30})
    layout = Layout(layout.study.model_copy(update={"range_test": high}))
    data.make(layout)
    train.make(layout, list(layout.trained))
    (test,) = read_entries(layout.range_tests, layout.identify)
    for trial in test.record.trials:
        assert trial.status == "diverged"
        assert 0 < len(trial.trace) < 30
        assert all(map(math.isfinite, trial.trace))
    (cell,) = read_entries(layout.chosen, layout.identify)
    assert [(trial.status, trial.trace) for trial in cell.record.trials] == [("ok", [])] * 2
    assert cell.record.steps == [2]


def test_range_tests_that_are_switched_off_wait_in_the_attic(layout: Layout) -> None:
    """Switched on again, they come back from there and are not trained."""
    data.make(layout)
    (path,) = map(Path, layout.range_tests)
    train.make(layout, [str(path)])
    content = path.read_bytes()
    off = layout.study.range_test.model_copy(update={"enabled": False})
    attic = Attic(layout.output)
    attic.take(Layout(layout.study.model_copy(update={"range_test": off})).trained)
    assert not path.exists()
    assert attic.restore(path, layout.identify(layout.range_tests[str(path)]), layout.trainable)
    assert path.read_bytes() == content
