"""Trials that train one by one, to be compared with plain loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kit.examples import trial
from kit.plain_loop import LR, plain
from trainscape.engine.apart import Apart
from trainscape.engine.fused import Fused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainscape.cells.cell import TrialRecord
    from trainscape.engine.model import Stack
    from trainscape.engine.task import Task
    from trainscape.engine.trial import Trial

COMPARED = ("train_loss", "val_loss", "val_metric", "test_loss", "test_metric")


def train(trials: Sequence[Trial], of: Task, kind: type[Stack] | None = None) -> list[TrialRecord]:
    """The records of trials that train together, by themselves or in stacks of one kind."""
    engine = Fused(of, None, lambda _: None)
    if kind is not None:
        engine.usual = kind
    made = [record for part in engine.train(trials, lambda _: None) for record in part]
    assert set(engine.ways.values()) == {kind or Apart}
    return made


def agrees(record: TrialRecord, expected: dict[str, list[float]]) -> None:
    """The record's history is the expected one."""
    assert record.status == "ok"
    for name in COMPARED:
        assert getattr(record, name) == pytest.approx(expected[name], rel=1e-4), name


def as_in_plain_loops(of: Task, optimizer: str = "adam", kind: type[Stack] | None = None) -> None:
    """Trials of two seeds, each beside another trial, have the numbers of plain loops."""
    for seed in (3, 5):
        one = trial(optimizer, LR.get(optimizer, 0.002), seed)
        agrees(train([trial("sgd", 0.1, 1), one], of, kind)[1], plain(one, of))
