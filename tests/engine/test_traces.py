"""What a record holds beside its evaluations: losses of single steps, and the parameters' path."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from kit import examples
from kit.examples import CPU
from trainscape import workloads
from trainscape.engine.run import train_cells
from trainscape.workloads import Metric, Workload

if TYPE_CHECKING:
    from trainscape.cells.cell import TrialRecord

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
