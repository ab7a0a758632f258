"""What a record holds beside its evaluations: losses of single steps, and the parameters' path."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from kit import examples
from kit.examples import CPU
from trainscape import workloads
from trainscape.cells.imported import Imported
from trainscape.engine.run import train_cells
from trainscape.engine.unfused import Unfused
from trainscape.workloads import Metric, Workload

if TYPE_CHECKING:
    from collections.abc import Callable

    from trainscape.cells.cell import TrialRecord

    Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

RULES: dict[str, dict[str, Any]] = {
    "fused": {"name": "sgd", "weight_decay": 0.0},
    "unfused": {"name": "torch", "torch": "torch.optim.SGD"},
}


class Point(nn.Module):
    """Two numbers that start at (3, -1), whatever the input."""

    def __init__(self) -> None:
        super().__init__()
        self.at = nn.Parameter(torch.tensor([3.0, -1.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.at.expand(len(x), 2)


def spec(optimizer: str, lr: float, **others: Any) -> dict[str, Any]:
    """A cell's spec; batches of 8 of 36 examples, two epochs."""
    return {
        "workload": "digits-mlp",
        "optimizer": RULES[optimizer],
        "schedule": {"name": "constant"},
        "lr": lr,
        "seeds": [3],
        "batch_size": 8,
        "budget": {"epochs": 2},
        "validation": 0.1,
        "evaluate_every": 1.0,
        "precision": "fp32",
        **others,
    }


def trained(optimizer: str, lr: float = 0.1, **others: Any) -> TrialRecord:
    """The record of one trial."""
    return train_cells([spec(optimizer, lr, **others)], examples.images(40), CPU)[1][0][0]


@pytest.mark.parametrize("optimizer", RULES)
@pytest.mark.parametrize("every", [1, 3, 4])
def test_a_trace_holds_the_loss_of_every_so_many_steps(optimizer: str, every: int) -> None:
    """From the first step on, across epochs; the means over an epoch are the training losses."""
    whole = trained(optimizer, trace_every=1)
    assert len(whole.trace) == 10
    means = [sum(whole.trace[:5]) / 5, sum(whole.trace[5:]) / 5]
    assert whole.train_loss == pytest.approx(means, rel=1e-6)
    assert trained(optimizer, trace_every=every).trace == whole.trace[::every]


@pytest.mark.parametrize("optimizer", RULES)
def test_a_trace_changes_nothing_else(optimizer: str) -> None:
    """With and without it, the record is otherwise the same; without it, the trace is empty."""
    bare = trained(optimizer)
    assert bare.trace == []
    assert replace(trained(optimizer, trace_every=2), trace=[]) == bare


@pytest.mark.parametrize("optimizer", RULES)
def test_a_trace_ends_where_the_loss_is_no_number(optimizer: str) -> None:
    """A diverged trial's trace holds the losses before, and no other."""
    record = trained(optimizer, lr=1e30, trace_every=1)
    assert record.status == "diverged"
    assert record.diverged_at == len(record.trace) + 1


def bounded(output: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    """A loss that is finite for infinite weights: a first step of 3e38 times 9.9 makes them so."""
    return 1000 * output[:, 0].mean().tanh()


def gap(output: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    """The first weight, which falls by 0.1 a step from 3; infinite at the second and third step."""
    weight = output[:, 0].mean()
    return weight + torch.where((weight > 2.75) & (weight < 2.95), math.inf, 0.0)


# a loss, the rate at which it diverges, the step of that, and the losses up to there
ENDS: dict[str, tuple[Loss, float, int, list[float]]] = {
    "weights": (bounded, 3e38, 5, [1000 * math.tanh(3), *[-1000.0] * 4]),
    "loss": (gap, 0.1, 2, [3.0]),
}


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("name", ENDS)
def test_a_trace_ends_where_the_trial_diverged(name: str, every: int) -> None:
    """Alone, beside a trial that trains on, and unfused: as many losses, though later are finite.

    Of infinite weights the evaluation after step 5 tells, and the loss of that step is the last.
    """
    loss, lr, at, expected = ENDS[name]
    workload = replace(examples.named(Point), loss=loss, metric=Metric("f", "min", "", loss))
    of = replace(examples.task(workload, examples.images(40), 8, {"epochs": 2}), trace=every)
    wild, tame = examples.trial("sgd", lr, 3, "constant"), examples.trial("sgd", 1e-4, 3)
    rule = Imported.of({"name": "torch", "torch": "torch.optim.SGD"})
    unfused = next(Unfused(of).train([replace(wild, optimizer=rule)], lambda _: None))
    for record in (*examples.train([wild], of), examples.train([wild, tame], of)[0], *unfused):
        assert (record.status, record.diverged_at) == ("diverged", at)
        assert record.trace == pytest.approx(expected[::every])


@pytest.mark.parametrize("optimizer", RULES)
def test_a_path_holds_the_start_and_every_evaluation(
    optimizer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Descent on ‖w‖² at rate 0.1 multiplies both numbers by 0.8 a step."""

    def square(output: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        return output.square().sum(1).mean()

    entry = Workload(
        "digits-mlp",
        "digits",
        Point,
        0.0,
        loss=square,
        metric=Metric("f", "min", "", square),
        path=True,
    )
    monkeypatch.setattr(workloads.registry, "get", {"digits-mlp": entry}.__getitem__)
    record = trained(optimizer, budget={"steps": 3}, evaluate_every=0.2)
    expected = [[3 * 0.8**k, -(0.8**k)] for k in range(4)]
    assert len(record.path) == 4
    for found, wanted in zip(record.path, expected, strict=True):
        assert found == pytest.approx(wanted, rel=1e-6)
