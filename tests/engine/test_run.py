"""Cells that do not fit into memory are results, not failures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from trainscape import datasets, grid, study
from trainscape.cell import TrialRecord
from trainscape.engine import run
from trainscape.engine.train import train

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trainscape.datasets import Arrays
    from trainscape.engine.train import Trial


@pytest.fixture
def arrays(tmp_path: Path) -> Arrays:
    """The digits dataset."""
    datasets.prepare("digits", tmp_path, tmp_path)
    return datasets.load("digits", tmp_path)


def specs(lrs: list[float]) -> list[dict[str, Any]]:
    """Cells of one pack, by their learning rates."""
    raw = {
        "budget": {"epochs": 1},
        "grid": {"optimizer": ["sgd"], "batch_size": [256], "lr": lrs},
        "seeds": 2,
    }
    return [cell.spec() for cell in grid.cells(study.parse(raw, "test"))]


def test_a_pack_that_does_not_fit_is_trained_in_halves(
    arrays: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where memory ends at two cells, four give the records that they give alone."""
    widths: list[int] = []

    def small(trials: Sequence[Trial], *args: Any) -> list[TrialRecord]:
        widths.append(len(trials))
        if len(trials) > 4:
            raise torch.OutOfMemoryError
        return train(trials, *args)

    cells = specs([0.01, 0.1, 0.3, 1.0])
    _, whole = run.train_cells(cells, arrays, torch.device("cpu"))
    monkeypatch.setattr(run, "train", small)
    _, halves = run.train_cells(cells, arrays, torch.device("cpu"))
    assert widths == [8, 4, 4]
    assert halves == whole


def test_a_cell_that_does_not_fit_alone_is_oom(
    arrays: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is recorded with its seeds, without a history; its neighbours train."""

    def small(trials: Sequence[Trial], *args: Any) -> list[TrialRecord]:
        if any(trial.lr == 0.1 for trial in trials):
            raise torch.OutOfMemoryError
        return train(trials, *args)

    monkeypatch.setattr(run, "train", small)
    steps, records = run.train_cells(specs([0.01, 0.1]), arrays, torch.device("cpu"))
    assert [[trial.status for trial in cell] for cell in records] == [["ok"] * 2, ["oom"] * 2]
    assert records[1] == [TrialRecord.untrained(seed, "oom") for seed in (0, 1)]
    assert len(records[0][0].test_loss) == len(steps)
