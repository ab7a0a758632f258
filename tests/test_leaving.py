"""A process that is asked to leave keeps what it trains, says so in a line, and goes on later."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from trainscape import study
from trainscape.cli import main
from trainscape.pipeline import settle
from trainscape.pipeline.layout import Layout

ROOT = Path(__file__).resolve().parent.parent
# the loss asks the process to leave, once for each file that says at which call
PLUGIN = """
import os
from pathlib import Path
from torch import nn
from torch.nn.functional import cross_entropy
from trainscape.workloads import workload

calls = 0


def loss(output, y):
    global calls
    calls += 1
    for file in Path().glob("*.signals"):
        if calls == 25:
            numbers = file.read_text().split()
            file.unlink()
            for number in numbers:
                os.kill(os.getpid(), int(number))
    return cross_entropy(output, y)


@workload("asking", dataset="digits", target=0.9, std=16 / 255, loss=loss)
def build():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
"""
STUDY: dict[str, Any] = {
    "plugins": ["plugin.py"],
    "workloads": ["asking"],
    "budget": {"steps": 60},
    "seeds": 1,
    "throughput": {"enabled": False},
    "grid": {
        "optimizer": [{"torch": "torch.optim.Adam", "label": "torchs"}],
        "batch_size": [64],
        "lr": [0.01],
        "schedule": ["constant"],
    },
}


def program(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the program in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "trainscape", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(name="cell")
def _cell(tmp_path: Path) -> str:
    """The study's one cell, in a folder with its data."""
    (tmp_path / "plugin.py").write_text(PLUGIN)
    (tmp_path / "params.yaml").write_text(json.dumps(STUDY))
    made = program(tmp_path, "data")
    assert made.returncode == 0, made.stderr
    [path] = program(tmp_path, "cells", "--paths").stdout.split()
    return path


def test_a_signal_keeps_what_is_trained(tmp_path: Path, cell: str) -> None:
    """Each of the signals does; the run after the last comes to the bytes of a quiet one."""
    quiet = program(tmp_path, "train", cell)
    assert quiet.returncode == 0, quiet.stderr
    wanted = (tmp_path / cell).read_bytes()
    (tmp_path / cell).unlink()
    step = 0
    for name in ("SIGUSR1", "SIGTERM"):
        number = int(signal.Signals[name])
        (tmp_path / "once.signals").write_text(str(number))
        left = program(tmp_path, "train", cell)
        assert left.returncode == 128 + number
        assert left.stderr == f"trainscape: {name}: left; run again to go on\n"
        before, step = step, int(left.stdout.partition(" of 60;")[0].rpartition(" ")[2])
        assert f"{name}: kept 1 trial at step {step} of 60; run again to go on" in left.stdout
        assert not before or f"resumed 1 trial at step {before} of 60" in left.stdout
        assert not (tmp_path / cell).exists()
    done = program(tmp_path, "train", cell)
    assert done.returncode == 0, done.stderr
    assert f"resumed 1 trial at step {step} of 60" in done.stdout
    assert (tmp_path / cell).read_bytes() == wanted
    assert not list((tmp_path / "results/.checkpoints").iterdir())


def test_two_signals_end_it_at_once(tmp_path: Path, cell: str) -> None:
    """Nothing is kept, and the process ends by the signal."""
    (tmp_path / "once.signals").write_text("15 15")
    left = program(tmp_path, "train", cell)
    assert left.returncode == -signal.SIGTERM
    assert not (tmp_path / "results/.checkpoints").exists()


def test_without_checkpoints_it_leaves_and_keeps_nothing(tmp_path: Path, cell: str) -> None:
    """With ``checkpoint: false`` the line is there, and no file."""
    (tmp_path / "params.yaml").write_text(json.dumps({**STUDY, "checkpoint": False}))
    (tmp_path / "once.signals").write_text("15")
    left = program(tmp_path, "train", cell)
    assert left.returncode == 128 + signal.SIGTERM
    assert left.stderr == "trainscape: SIGTERM: left; run again to go on\n"
    assert not (tmp_path / "results/.checkpoints").exists()


@pytest.mark.parametrize("block", ["deferred()", "suppress()"])
def test_it_leaves_at_last(block: str) -> None:
    """A process that comes to no place to leave is ended after a while; one that may leaves."""
    script = (
        "import os, signal, time\nfrom contextlib import suppress\n"
        "from trainscape.engine.leaving import Leaving, deferred, heeded\n"
        "try:\n"
        f"    with heeded(0.1), {block}:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        time.sleep(60)\n"
        "except Leaving as asked:\n"
        "    print(asked)\n"
    )
    made = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    if block == "deferred()":
        assert made.returncode == 128 + signal.SIGTERM
        assert made.stderr == "trainscape: SIGTERM: not done after 0.1 s: left at once\n"
    else:
        assert (made.returncode, made.stdout, made.stderr) == (0, "SIGTERM\n", "")


def test_what_is_left_over_goes_when_the_study_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checkpoints of cells that were changed meanwhile are removed when all cells are there."""
    monkeypatch.chdir(tmp_path)
    layout = Layout(study.parse({"throughput": {"enabled": False}}, "study"))
    layout.checkpoints.mkdir(parents=True)
    (layout.checkpoints / "0-1.state").write_bytes(b"x")
    settle.make(layout)
    assert not layout.checkpoints.exists()


def test_no_number_hangs_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another interval gives the same cells, tables and figures; the report shows it."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("checkpoint: 5\n")
    assert main(["cells"]) == 0
    one, other = (Layout(study.parse({"checkpoint": value}, "study")) for value in (60, False))
    assert one.cells == other.cells
    for stage in ("collect", "answer", "figures", "timings"):
        assert one.stamp(stage) == other.stamp(stage)
