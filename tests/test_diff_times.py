"""Step times in ``trainscape diff``, and what is no number beside the trials."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from kit.diffed import commit, said, write
from kit.diffed import project as project  # a fixture, once it is here
from trainscape.analysis.changes import Diff, StepTime
from trainscape.report._changes import time_lines

if TYPE_CHECKING:
    from pathlib import Path

TIMED = "workload,optimizer,batch_size,step_time_s,iqr_s\ndigits-mlp,sgd,16,"
NO_TIME = "workspace: results/timings.csv: line 2 is no step's time"


def test_step_times_on_equal_hardware_alone(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Times are compared where both were measured on the same hardware, with their ranges."""
    head = "workload,optimizer,batch_size,lr,schedule,step_time_s,iqr_s\n"
    write(head + "digits-mlp,sgd,16,0.1,constant,0.001,0.0001\n", "results/timings.csv")
    write(json.dumps({"fingerprint": "a"}), "results/timings.json")
    commit("timed")
    write(head + "digits-mlp,sgd,16,0.1,constant,0.002,0.0001\n", "results/timings.csv")
    text = said(capsys)
    assert "1 slower, 0 faster" in text
    assert "1 ms (IQR 100 µs)  2 ms (IQR 100 µs)" in text
    write(json.dumps({"fingerprint": "b"}), "results/timings.json")
    assert "on different hardware" in said(capsys)
    assert "not measured in both" in said(capsys, "first")


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("params.yaml", "margin: -1", "margin: -1 is no number from 0 on"),
        ("params.yaml", "margin: .nan", "margin: nan is no number from 0 on"),
        ("results/timings.json", "[" * 100_000, "workspace: results/timings.json is no JSON"),
        ("results/timings.csv", f"{TIMED}fast,0.1", NO_TIME),
        ("results/timings.csv", f"{TIMED}inf,0.1", NO_TIME),
    ],
)
def test_what_is_no_number_beside_the_trials_is_told(
    project: Path, capsys: pytest.CaptureFixture[str], file: str, text: str, message: str
) -> None:
    """A margin and step times may be anyone's, as the table may."""
    write(f"{TIMED}0.1,0.1", "results/timings.csv")
    write(json.dumps({"fingerprint": "a"}), "results/timings.json")
    commit("timed")
    write(text, file)
    assert said(capsys, code=2) == f"trainscape: {message}\n"


def test_the_step_times_that_changed_most_come_first() -> None:
    """As a factor, shorter or longer; what is within the ranges is left out."""
    factors = {"a little": 1.2, "a tenth": 0.1, "twice": 2.0, "none": 1.01}
    times = [StepTime(name, (1.0, 0.05), (by, 0.05)) for name, by in factors.items()]
    shown = [line[0] for line in time_lines(Diff("one", "other", [], [], times=times))]
    assert shown == ["a tenth", "twice", "a little"]


def test_a_machine_that_was_not_quiet_is_named(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Times that were disturbed are compared, with a word on which version they are of."""
    head = "workload,optimizer,batch_size,lr,schedule,step_time_s,iqr_s\n"
    write(head + "digits-mlp,sgd,16,0.1,constant,0.001,0.0001\n", "results/timings.csv")
    write(json.dumps({"fingerprint": "a", "quiet": True}), "results/timings.json")
    commit("timed")
    noisy = {"fingerprint": "a", "quiet": False, "noisy": 7, "measurements": 60}
    write(json.dumps(noisy), "results/timings.json")
    assert "not quiet for workspace: 7 of 60 times are noisy" in said(capsys)
    write(json.dumps({"fingerprint": "a", "load": {"too_high": True}}), "results/timings.json")
    assert "busy while workspace was measured" in said(capsys)
