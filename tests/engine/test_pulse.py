"""A process that makes no step for a while says what it is doing."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from kit.examples import CPU, images
from kit.registries import kept
from trainscape import study, workloads
from trainscape.cells import grid
from trainscape.engine import pulse, run

if TYPE_CHECKING:
    from torch import nn

STUDY = {
    "seeds": 1,
    "budget": {"steps": 3},
    "grid": {"optimizer": ["sgd"], "batch_size": [20], "lr": [0.1]},
}


def test_no_word_while_steps_are_made(capsys: pytest.CaptureFixture[str]) -> None:
    """Steps that come in time leave the log as it is, and the block no thread."""
    with pulse.watched(0.2):
        for _ in range(20):
            pulse.stepped()
            time.sleep(0.02)
    assert capsys.readouterr().out == ""
    assert "pulse" not in {thread.name for thread in threading.enumerate()}


def test_a_slow_start_is_told_ever_more_seldom(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines come after one, three and seven silences, each with what is being done then."""
    pulse.doing("never told")
    with pulse.watched(0.1):
        pulse.doing("building models")
        time.sleep(0.2)
        pulse.doing("recording a step")
        time.sleep(0.25)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("no step in the last 0.1 s, ")
    assert lines[0].endswith(": building models")
    assert lines[1].startswith("no step in the last 0.2 s, ")
    assert lines[1].endswith(": recording a step")


def test_the_thread_ends_with_an_error() -> None:
    """Nothing is left behind by a block that raises."""
    with pytest.raises(KeyError), pulse.watched(9):
        raise KeyError
    assert "pulse" not in {thread.name for thread in threading.enumerate()}


def test_training_says_that_it_builds_models(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A model that takes long to build is named in the log of its job."""
    plain = workloads.registry.get("digits-mlp")

    def build() -> nn.Module:
        time.sleep(0.3)
        return plain.build()

    [cell] = grid.cells(study.parse(STUDY, "study"))
    with kept(workloads.registry):
        workloads.registry._entries["digits-mlp"] = replace(plain, build=build)
        with pulse.watched(0.2):
            run.train_cells([cell.spec()], images(60), CPU)
    assert " models of digits-mlp" in capsys.readouterr().out
