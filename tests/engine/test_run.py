"""Cells become packs of trials; what does not fit into memory is a result, not a failure."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import torch

from kit.examples import CPU
from trainscape import datasets, study
from trainscape.cells import grid
from trainscape.cells.cell import TrialRecord
from trainscape.engine import run
from trainscape.engine.fused import Fused
from trainscape.engine.pack import Pack
from trainscape.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trainscape.datasets import Arrays


@pytest.fixture
def arrays(tmp_path: Path) -> Arrays:
    """The digits dataset."""
    datasets.prepare("digits", tmp_path, tmp_path)
    return datasets.load("digits", tmp_path)


def specs(lrs: list[float], optimizers: tuple[str, ...] = ("sgd",)) -> list[dict[str, Any]]:
    """Cells of two seeds on one workload and batch size, by their learning rates."""
    raw = {
        "budget": {"epochs": 1},
        "grid": {"optimizer": list(optimizers), "batch_size": [256], "lr": lrs},
        "seeds": 2,
    }
    return [cell.spec() for cell in grid.cells(study.parse(raw, "test"))]


def limited(monkeypatch: pytest.MonkeyPatch, fits: Callable[[Pack], bool]) -> list[int]:
    """Let memory run out for packs that do not fit; the widths that were tried."""
    widths: list[int] = []
    train = Pack.train

    def attempt(pack: Pack, *args: Any) -> list[TrialRecord]:
        widths.append(pack.stack.width)
        if not fits(pack):
            raise torch.OutOfMemoryError
        return train(pack, *args)

    monkeypatch.setattr(Pack, "train", attempt)
    return widths


@pytest.mark.parametrize("most", [1, 3, 5, 100])
def test_the_width_changes_no_record(arrays: Arrays, most: int) -> None:
    """Twelve trials of two optimizers give the same records in packs of any size."""
    cells = specs([0.01, 0.1, 0.3], ("sgd", "adam"))
    whole = run.train_cells(cells, arrays, CPU)
    assert run.train_cells(cells, arrays, CPU, width=most) == whole


def test_a_cell_is_finished_when_its_last_trial_is(arrays: Arrays) -> None:
    """Cells are told of one by one, with their records, while later ones still wait."""
    cells = specs([0.01, 0.1, 0.3], ("sgd", "adam"))
    told: list[tuple[int, list[TrialRecord]]] = []
    steps: list[int] = []
    _, records = run.train_cells(
        cells,
        arrays,
        CPU,
        lambda done, _: steps.append(done),
        lambda i, made, _: told.append((i, made)),
        width=3,
    )
    assert sorted(i for i, _ in told) == list(range(6))
    assert all(made == records[i] for i, made in told)
    assert steps == sorted(steps)
    assert steps[-1] == 12 * 5  # of 1,150 examples in batches of 256


def test_a_pack_that_does_not_fit_is_trained_in_halves(
    arrays: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where memory ends at four trials, eight give the records that they give together."""
    cells = specs([0.01, 0.1, 0.3, 1.0])
    _, whole = run.train_cells(cells, arrays, CPU)
    widths = limited(monkeypatch, lambda pack: pack.stack.width <= 4)
    _, halves = run.train_cells(cells, arrays, CPU)
    assert widths == [8, 4, 4]
    assert halves == whole


def test_a_trial_that_does_not_fit_alone_is_oom(
    arrays: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is recorded with its seed, without a history; its neighbours train."""
    limited(monkeypatch, lambda pack: all(trial.lr != 0.1 for trial in pack.trials))
    steps, records = run.train_cells(specs([0.01, 0.1]), arrays, CPU)
    assert [[trial.status for trial in cell] for cell in records] == [["ok"] * 2, ["oom"] * 2]
    assert records[1] == [TrialRecord.untrained(seed, "oom") for seed in (0, 1)]
    assert len(records[0][0].test_loss) == len(steps)


def test_a_pack_that_is_filled_up_is_halved_by_its_width(
    arrays: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few its trials, it is tried at every half before a trial is given up."""
    monkeypatch.setattr(Fused, "_filled", True)  # as on a GPU
    [one] = specs([0.1])
    one["seeds"] = [0]
    for most, status in ((8, "ok"), (0, "oom")):
        with monkeypatch.context() as patch:
            widths = limited(patch, partial(_fits, most))
            _, [[record]] = run.train_cells([one], arrays, CPU, width=64)
        assert widths == [64, 32, 16, 8, 4, 2, 1][: 4 if most else None]
        assert record.status == status


def _fits(most: int, pack: Pack) -> bool:
    return pack.stack.width <= most


def test_a_cell_whose_packs_become_narrower_names_both_backends(
    arrays: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GPU the width decides last bits: a cell that two widths trained says so."""
    monkeypatch.setattr(Fused, "_filled", True)  # as on a GPU
    told: list[str] = []
    before = [True]

    def fits(pack: Pack) -> bool:
        return pack.stack.width < 2 or bool(before and before.pop())

    limited(monkeypatch, fits)
    [one] = specs([0.1])
    one["seeds"] = [0, 1, 2]
    run.train_cells([one], arrays, CPU, lambda *_: None, lambda *done: told.append(done[2]), 2)
    [both] = told
    assert [name.rpartition("-")[2] for name in both.split("+")] == ["w1", "w2"]


def test_the_width_can_be_set(arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable overrides the machine's own, and is refused where it is no width."""
    widths = limited(monkeypatch, lambda _: True)
    monkeypatch.setenv("TRAINSCAPE_WIDTH", "2")
    run.train_cells(specs([0.01, 0.1]), arrays, CPU)
    assert widths == [2, 2]
    monkeypatch.setenv("TRAINSCAPE_WIDTH", "wide")
    with pytest.raises(UserError, match="TRAINSCAPE_WIDTH: 'wide' is no width"):
        run.train_cells(specs([0.01]), arrays, CPU)
