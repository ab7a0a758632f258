"""The arithmetic behind the benchmarks' numbers."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import pytest
import torch

from benchmarks import clock, eager, sample, steps, synthetic
from benchmarks.ceilings import Ceilings
from benchmarks.floors import Work, work
from benchmarks.output import Result, Table, shown
from kit import examples
from trainscape import optimizers, workloads
from trainscape.cells.budget import Plan
from trainscape.engine.task import Task
from trainscape.engine.trial import Trial
from trainscape.schedules import registry

if TYPE_CHECKING:
    from pathlib import Path

CPU = torch.device("cpu")


def test_the_work_of_an_mlp_is_that_of_its_layers() -> None:
    """784-200-10 at batch 64: three products a layer, but two for the first; tensors in and out."""
    rule = optimizers.registry.get("momentum")()
    found = work(workloads.registry.get("mnist-mlp"), rule, torch.zeros(1, 28, 28), 64)
    assert found.flops == 64 * (4 * 784 * 200 + 6 * 200 * 10)
    weights, outputs = 159_010, 200 + 200 + 10  # ReLU's output, too
    assert found.bytes == 4 * (weights * (2 + 2 + 2) + 64 * (784 + 2 * outputs))


def test_the_work_of_a_convolution_counts_every_place() -> None:
    """digits-cnn: 8×8 places of 16 kernels of 9, 4×4 of 32 kernels of 144, then 128-10."""
    rule = optimizers.registry.get("sgd")()
    found = work(workloads.registry.get("digits-cnn"), rule, torch.zeros(1, 8, 8), 1)
    first, second, last = 2 * 64 * 16 * 9, 2 * 16 * 32 * 144, 2 * 128 * 10
    assert found.flops == 2 * first + 3 * (second + last)


def test_the_floor_is_the_larger_one() -> None:
    """Arithmetic at the product's rate, memory at the rate of the copy that moves as much."""
    limits = Ceilings({"fp32": 100.0}, {8: 16.0, 1 << 20: 2.0})
    found = Work(flops=50.0, bytes=8.0).seconds(limits, width=2)
    assert found == {"arithmetic_floor_s": 1.0, "memory_floor_s": 1.0, "floor_s": 1.0}
    assert limits.copy(1 << 22) == limits.memory == 2.0


def test_a_sample_has_as_many_of_each_stratum() -> None:
    """Without replacement, always the same, and whole where a stratum is small."""
    items = list(range(30))
    drawn = sample.stratified(items, lambda i: i % 3, 4)
    assert drawn == sample.stratified(items, lambda i: i % 3, 4)
    assert [sum(i % 3 == k for i in drawn) for k in range(3)] == [4, 4, 4]
    assert len(set(drawn)) == 12
    assert sorted(sample.stratified(items, lambda i: i % 3, 99)) == items


def test_seconds_are_extrapolated_by_the_steps_of_each_stratum() -> None:
    """A step of stratum 1 takes 0.1 s, one of stratum 2 takes 1 s."""
    measured = [(1, 10, 1.0), (1, 30, 3.0), (2, 5, 5.0)]
    assert sample.by_steps(measured, [(1, 100), (1, 100), (2, 3)]) == pytest.approx(23)


def test_blocks_are_as_long_as_wanted_and_take_turns() -> None:
    """Units are chosen from their own time; every round has one block of each work."""
    order: list[str] = []

    def fast(units: int) -> float:
        order.append("fast")
        return units * 0.001

    def slow(units: int) -> float:
        order.append("slow")
        return units * 10.0

    found = clock.in_turns({"fast": fast, "slow": slow}, 3, 1.0)
    assert order[-6:] == ["fast", "slow"] * 3
    assert found["fast"].rounds == pytest.approx((0.001,) * 3)
    assert (found["slow"].min, found["slow"].median) == (10.0, 10.0)


@pytest.mark.parametrize("variant", eager.VARIANTS)
def test_the_eager_loop_is_that_of_our_cells(variant: str) -> None:
    """It ends at the engine's validation loss, by each of torch.optim's implementations."""
    workload = workloads.registry.get("digits-mlp")
    splits = synthetic.splits(workload, 120, 30, CPU, 0.25)
    spec = {
        "workload": "digits-mlp",
        "optimizer": {"name": "adam"},
        "batch_size": 16,
        "lr": 0.01,
        "schedule": {"name": "cosine"},
        "budget": {"epochs": 2},
        "evaluate_every": 0.5,
    }
    outcome = eager.train(spec, 1, splits, variant)
    plan = Plan(90, 16, {"epochs": 2}, 0.5)
    trial = Trial(optimizers.registry.get("adam")(), 0.01, registry.get("cosine")(), 1)
    (record,) = examples.train([trial], Task(workload, splits, plan))
    assert outcome.steps == plan.total
    assert outcome.val_loss == pytest.approx(record.val_loss[-1], rel=1e-3)


def test_steppers_step_on_past_their_data() -> None:
    """A pack and the eager loop take as many steps as they are told, epoch after epoch."""
    case = steps.Case("digits-mlp", "sgd", 64, 2)
    pack, plain = steps.Stepper(case, 2, CPU), steps.EagerStepper(case, CPU)
    before = pack.pack.stack.flat
    assert pack(pack.plan.total + 3) > 0
    assert plain(len(plain.batches) + 1) > 0
    assert pack.pack.done == 4  # one was made beforehand
    assert not torch.equal(pack.pack.stack.flat, before)


def test_results_are_strict_json_and_a_table(tmp_path: Path) -> None:
    """A page has its heading, its command and rows; NaN is refused."""
    table = Table({"a": "A", "b": "B"}, [{"a": 1234, "b": 0.12345}, {"a": None}])
    Result("x", "Title", "make x", "full", {"rows": []}, [table], ["A note."]).write(tmp_path)
    page = (tmp_path / "x.md").read_text(encoding="utf-8")
    assert "# Title" in page
    assert "| 1,234 | 0.123 |\n| – | – |" in page
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))["benchmark"] == "x"
    with pytest.raises(ValueError, match="JSON"):
        Result("y", "", "", "full", {"rate": math.nan}, [], []).write(tmp_path)


@pytest.mark.parametrize(
    ("value", "text"),
    [(12345.6, "12,346"), (12.345, "12.3"), (True, "yes"), (7, "7"), ("x", "x"), (None, "–")],
)
def test_values_are_shown_to_three_digits(value: object, text: str) -> None:
    """Numbers have three digits or are whole, and what is missing is a dash."""
    assert shown(value) == text
