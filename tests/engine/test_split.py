"""``split: per-seed``: each seed holds out training examples of its own."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
import torch

from kit import examples
from kit.examples import CPU
from trainscape import optimizers, schedules, study, workloads
from trainscape.cells import grid, range_tests
from trainscape.cells.budget import Plan
from trainscape.cells.imported import Imported
from trainscape.engine import run
from trainscape.engine.data import Split, Splits
from trainscape.engine.fused import Fused
from trainscape.engine.run import train_cells
from trainscape.engine.task import Task
from trainscape.engine.trial import Trial
from trainscape.engine.unfused import Unfused
from trainscape.errors import UserError

OPTIMIZERS: dict[str, Any] = {
    "fused": "adam",
    "unfused": {"torch": "torch.optim.Adam", "label": "torchs"},
}
ARRAYS = examples.images(100)


def specs(*wanted: Any, seeds: list[int], split: str = "per-seed") -> list[dict[str, Any]]:
    """Cells on the digits, two epochs in batches of 16; a quarter is held out."""
    axes = {"optimizer": list(wanted), "batch_size": [16], "lr": [0.01]}
    raw = {"budget": {"epochs": 2}, "seeds": seeds, "validation": 0.25, "split": split}
    return [cell.spec() for cell in grid.cells(study.parse({**raw, "grid": axes}, "test"))]


def held_out(seed: int) -> list[int]:
    """The rows that a seed holds out, in their order: a quarter of its permutation."""
    number = hashlib.sha256(f"{seed}/validation".encode()).digest()[:8]
    generator = torch.Generator().manual_seed(int.from_bytes(number, "little") >> 1)
    return sorted(torch.randperm(100, generator=generator)[:25].tolist())


def by_hand(spec: dict[str, Any], seed: int) -> Task:
    """The task of a seed, its splits taken row by row."""
    x, y = torch.as_tensor(ARRAYS.x_train) / 255 / (16 / 255), torch.as_tensor(ARRAYS.y_train)
    val = held_out(seed)
    train = [row for row in range(100) if row not in val]
    test = Split(torch.as_tensor(ARRAYS.x_test) / 255 / (16 / 255), torch.as_tensor(ARRAYS.y_test))
    split = Split(x[train], y[train])
    splits = Splits(split, split, Split(x[val], y[val]), test)
    return Task(workloads.registry.get("digits-mlp"), splits, Plan.of(spec, 100))


@pytest.mark.parametrize("engine", OPTIMIZERS)
def test_each_seed_is_scored_on_what_it_holds_out(engine: str) -> None:
    """Its record is that of a task whose splits are taken by hand, to the last bit."""
    [spec] = specs(OPTIMIZERS[engine], seeds=[0, 3, 7])
    steps, [records] = train_cells([spec], ARRAYS, CPU)
    assert steps == [5, 10]
    assert len({tuple(held_out(seed)) for seed in (0, 3, 7)}) == 3
    schedule = schedules.registry.make(spec["schedule"])
    for record in records:
        task = by_hand(spec, record.seed)
        if engine == "fused":
            rule: Any = optimizers.registry.make(spec["optimizer"])
            made = Fused(task, None).train([Trial(rule, 0.01, schedule, record.seed)], print)
        else:
            rule = Imported.of(spec["optimizer"])
            made = Unfused(task).train([Trial(rule, 0.01, schedule, record.seed)], print)
        [[expected]] = made
        for name in ("train_loss", "val_loss", "val_metric", "test_loss", "test_metric"):
            assert getattr(record, name) == getattr(expected, name)
    [[fixed, other]] = train_cells(
        specs(OPTIMIZERS[engine], seeds=[0, 3], split="fixed"), ARRAYS, CPU
    )[1]
    assert fixed == records[0] and other != records[1]


def test_a_trial_is_the_same_in_other_company() -> None:
    """Other seeds, their order and other cells change no bit; progress counts all trials."""
    cells = specs("sgd", "adam", OPTIMIZERS["unfused"], seeds=[0, 3, 7])
    steps: list[tuple[int, int]] = []
    done: list[tuple[int, str]] = []
    _, together = train_cells(
        cells,
        ARRAYS,
        CPU,
        lambda *told: steps.append(told),
        lambda i, _, backend: done.append((i, backend)),
    )
    assert [[record.seed for record in records] for records in together] == [[0, 3, 7]] * 3
    assert steps == sorted(steps) and steps[-1] == (90, 90)
    assert sorted(i for i, _ in done) == [0, 1, 2]
    told = [backend for _, backend in sorted(done)]
    assert told[:2] == ["cpu", "cpu"] and told[2].startswith("cpu-torch-")
    for i, optimizer in enumerate(("sgd", "adam", OPTIMIZERS["unfused"])):
        [alone] = train_cells(specs(optimizer, seeds=[7, 0]), ARRAYS, CPU)[1]
        assert alone == [together[i][2], together[i][0]]


def test_cells_beside_one_that_fails_are_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    """With all their seeds; the error comes last."""

    class Refuses(torch.optim.SGD):
        taken = 0

        def step(self, closure: Any = None) -> Any:
            self.taken += 1
            if self.taken > 1:
                raise RuntimeError("no step")
            return super().step(closure)

    monkeypatch.setattr(torch.optim, "RefusesTwo", Refuses, raising=False)
    done: list[int] = []
    cells = specs({"torch": "torch.optim.RefusesTwo"}, "sgd", seeds=[0, 3])
    with pytest.raises(UserError) as error:
        run.train_cells(cells, ARRAYS, CPU, finished=lambda i, *_: done.append(i))
    assert str(error.value) == "optimizer 'torch.optim.RefusesTwo': RuntimeError: no step"
    assert done == [1]


def test_it_stands_in_a_spec_where_it_is_asked_for() -> None:
    """Cells of the fixed split keep their digests; range tests follow; 0 cannot be drawn."""
    [own], [fixed] = specs("sgd", seeds=[0]), specs("sgd", seeds=[0], split="fixed")
    assert own == {**fixed, "split": "per-seed"} and "split" not in fixed
    raw = {"split": "per-seed", "range_test": {"enabled": True}}
    of = study.parse(raw, "test")
    [test, *_] = range_tests.cells(grid.cells(of), of.range_test)
    assert test.split == "per-seed"
    with pytest.raises(UserError) as error:
        grid.cells(study.parse({"split": "per-seed", "validation": 0}, "test"))
    assert str(error.value) == (
        "split: 'per-seed' needs a validation split; set validation above 0, or split: fixed"
    )
