"""What an epoch is: its last batch kept or dropped, its order drawn or the dataset's own."""

from __future__ import annotations

from typing import Any

import pytest

from kit.examples import CPU
from kit.plain_loop import made, plain
from trainscape import study
from trainscape.cells import grid
from trainscape.cells.imported import Imported
from trainscape.engine.run import train_cells
from trainscape.engine.task import Task, trials
from trainscape.errors import UserError

MOMENTUM = {"torch": "torch.optim.SGD", "momentum": 0.9}
WAYS = [(last, order) for last in ("keep", "drop") for order in ("shuffle", "fixed")]


def cells(**changes: Any) -> list[dict[str, Any]]:
    """Momentum on the digits, by either engine: 1,150 training examples in batches of 128."""
    axes = {"optimizer": ["momentum", MOMENTUM], "batch_size": [128], "lr": [0.05]}
    raw = {"budget": {"epochs": 3}, "seeds": [2, 5], "device": "cpu", "grid": axes}
    return [cell.spec() for cell in grid.cells(study.parse({**raw, **changes}, "test"))]


@pytest.mark.parametrize(("last", "order"), WAYS)
def test_an_epoch_is_that_of_a_plain_loop(last: str, order: str) -> None:
    """Both engines' histories are those of a loop with a DataLoader, for every seed."""
    arrays, specs = made("digits"), cells(last_batch=last, order=order)
    steps, records = train_cells(specs, arrays, CPU)
    assert steps == ([9, 18, 27] if last == "keep" else [8, 16, 24])
    of = Task.of(specs[0], arrays, CPU)
    assert len(of.splits.train.y) == 1150
    for one, fused, unfused in zip(trials(specs[1], Imported.of(MOMENTUM)), *records, strict=True):
        expected = plain(one, of, drop_last=last == "drop")
        for name, values in expected.items():
            assert getattr(fused, name) == pytest.approx(values, rel=1e-4)
            assert getattr(unfused, name) == pytest.approx(values, rel=1e-4)


def test_with_a_fixed_order_the_seeds_meet_the_same_batches() -> None:
    """Every epoch of every seed is the training split, in the dataset's order."""
    of = Task.of(cells(order="fixed")[0], made("digits"), CPU)
    orders = [of.order(seed, epoch).tolist() for seed in (2, 5) for epoch in (0, 1)]
    assert orders == [list(range(1150))] * 4


def test_a_batch_larger_than_the_training_split_is_refused_with_either_setting() -> None:
    """So where the last batch is dropped, an epoch has one full batch at least."""
    raw = {"last_batch": "drop", "grid": {"batch_size": [1151]}}
    with pytest.raises(UserError) as refused:
        grid.cells(study.parse(raw, "test"))
    assert str(refused.value) == (
        "grid.batch_size: 1151 is more than 'digits-mlp' has training examples; choose at most 1150"
    )
