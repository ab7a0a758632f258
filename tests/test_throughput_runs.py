"""The suite of step times as the workflow runs it, in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from kit.cores import one_core as one_core  # a fixture, once it is here
from kit.own_folder import folder as folder  # autouse
from kit.own_lock import own_lock as own_lock  # another
from kit.small_study import make
from trainscape import datasets, hardware, throughput
from trainscape.cells import grid
from trainscape.study import read
from trainscape.throughput import SUITE
from trainscape.throughput import alone as alone_module
from trainscape.throughput.identity import MODES
from trainscape.throughput.suite import conftest

if TYPE_CHECKING:
    from pathlib import Path

ROW = {
    "workload",
    "optimizer",
    "batch_size",
    "mode",
    "step_time_s",
    "step_low_s",
    "step_high_s",
    "iqr_s",
    "blocks",
    "samples_per_s",
    "peak_memory_bytes",
    "passes",
    "noisy",
    "noisy_because",
    "load",
}


def suite(
    folder: Path, *options: str, suite: Path = SUITE, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a suite in ``folder`` as the workflow does; its output and errors apart."""
    outer = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-c", str(suite / "pytest.ini"), str(suite), *options],
        cwd=folder,
        env={**outer, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def pretend(tmp_path: Path, own_lock: None) -> Path:
    """A suite whose test is still to be written, below a conftest.py that must not be read."""
    folder = tmp_path / "tests" / "suite"
    shutil.copytree(SUITE, folder)
    (folder.parent / "conftest.py").write_text("raise RuntimeError('of other tests')")
    (tmp_path / "params.yaml").write_text(
        "grid: {optimizer: [sgd], batch_size: [16]}\nthroughput: {block: 0.001}\n"
    )
    return folder


FAILING = """
import os
import trainscape.throughput.suite.test_step_times as real
from trainscape.throughput.suite.test_step_times import measured, test_step_time

class Loop:
    def __init__(self, wanted, *_):
        self.params, self.steps = [], 0

    def run(self, steps):
        self.steps += steps
        if self.steps > 1e6:
            raise RuntimeError(os.environ.get("MKL_CBWR", "the cause of it"))

real.Loop = Loop
real.peak = lambda *_: 9
real._training_split = lambda *_: None
"""


def test_failing_suite(pretend: Path, tmp_path: Path) -> None:
    """A failing suite ends at once, and its last line names the measurement and the cause."""
    (pretend / "test_step_times.py").write_text(FAILING)
    done = suite(tmp_path, "--benchmark-json=made.json", suite=pretend, MKL_CBWR="AUTO,STRICT")
    assert done.returncode == 1
    assert "in run\n    raise RuntimeError" in done.stdout
    first, *_, last = done.stderr.splitlines()
    assert first == "throughput: preparing digits-mlp sgd batch 16 step"
    name, _, cause = last.removeprefix("throughput: ").partition(" failed: ")
    assert name in ("digits-mlp sgd batch 16 step", "digits-mlp sgd batch 16 loader")
    assert cause == "RuntimeError: the cause of it"
    assert json.loads((tmp_path / "made.json").read_bytes())["rows"] == []


def test_killed_suite(
    pretend: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A suite that is killed, as for memory, leaves no times, and the machine to the next."""
    (pretend / "test_step_times.py").write_text(
        "import os\n\ndef test_step_time(benchmark, wanted, progress):\n"
        "    progress.begin(str(wanted))\n    os.kill(os.getpid(), 9)\n"
    )
    done = suite(tmp_path, "--benchmark-json=made.json", suite=pretend)
    assert done.returncode == -9
    assert done.stderr == "throughput: preparing digits-mlp sgd batch 16 step\n"
    assert not (tmp_path / "made.json").exists()
    monkeypatch.setattr(alone_module, "GLANCE", 0.01)
    with alone_module.alone():
        assert "waiting" not in capsys.readouterr().err


SKIPPING = """
import torch
import trainscape.throughput.suite.test_step_times as real
from trainscape.throughput.suite.test_step_times import measured, test_step_time

def loop(wanted, *_, **__):
    if wanted.mode == "step":
        raise torch.OutOfMemoryError
    raise RuntimeError("DefaultCPUAllocator: can't allocate memory")  # the CPU's words

real.Loop = loop
real._training_split = lambda *_: None
"""


def test_too_large(pretend: Path, tmp_path: Path) -> None:
    """What does not fit the memory is skipped, counted, and null in the record."""
    (pretend / "test_step_times.py").write_text(SKIPPING)
    study = make(batch_size=[16], optimizer=["sgd"])
    given = f"--study={study.model_dump_json()}"
    done = suite(tmp_path, given, "--benchmark-json=made.json", suite=pretend)
    assert done.returncode == 0
    assert "2 skipped" in done.stdout
    made = throughput.record(study, grid.cells(study), tmp_path / "made.json")
    assert [row["step_time_s"] for row in made["rows"]] == [None, None]
    assert made["hardware"]["device"] == "cpu"
    assert {*made["load"]} == {"before", "during", "after", "too_high"}


CROWDED = """
import time, weakref
import torch
import trainscape.throughput.suite.test_step_times as real
from trainscape.throughput.suite.test_step_times import measured, test_step_time

LIVING = weakref.WeakValueDictionary()

class Loop:
    def __init__(self, wanted, *_):
        if any(mode != wanted.mode for mode in LIVING):
            raise torch.OutOfMemoryError
        LIVING[wanted.mode] = self
        self.params = []

    def run(self, steps):
        time.sleep(1e-4 * steps)

real.Loop = Loop
real.peak = lambda *_: 9
real._training_split = lambda *_: None
"""


def test_no_room_for_two(pretend: Path, tmp_path: Path) -> None:
    """What fits the memory once the loops before it are gone is measured after them."""
    (pretend / "test_step_times.py").write_text(CROWDED)
    done = suite(tmp_path, "--benchmark-json=made.json", suite=pretend)
    assert done.returncode == 0, done.stdout
    made = json.loads((tmp_path / "made.json").read_bytes())
    assert all(row["blocks"] >= 8 for row in made["rows"])
    said = done.stderr.splitlines()
    assert [line for line in said if line.startswith("throughput: pass 1, ")] == [
        "throughput: pass 1, 0 of 2 known, about 1 s left",
        "throughput: pass 1, 1 of 2 known, about 1 s left",
    ]


def test_wrong_study(tmp_path: Path) -> None:
    """A study that is wrong is refused in one line before anything is measured."""
    (tmp_path / "params.yaml").write_text("grid: {optimizer: [sdg]}\n")
    done = suite(tmp_path)
    assert done.returncode == 4
    (line,) = (line for line in done.stderr.splitlines() if line)
    assert line.startswith("ERROR: ") and "did you mean 'sgd'" in line


def test_progress(capsys: pytest.CaptureFixture[str]) -> None:
    """What is prepared is named; after a pass it says how many are known of all, and the time left.

    What was measured before, as memory did not hold all at once, is counted.
    """

    def some(*ahead: float) -> list[Any]:
        return [SimpleNamespace(known=not left, ahead=left) for left in ahead]

    progress = conftest.Progress(4)
    progress.begin("a")
    progress.passed(some(4.4, 3.0), 1)
    progress.passed(some(0.0, 0.1), 2)
    progress.passed(some(0.0, 0.0), 3)
    progress.passed(some(0.0, 2.0), 1)
    assert capsys.readouterr().err.splitlines() == [
        "throughput: preparing a",
        "throughput: pass 1, 0 of 4 known, about 7 s left",
        "throughput: pass 2, 1 of 4 known, about 1 s left",
        "throughput: pass 3, 2 of 4 known",
        "throughput: pass 1, 3 of 4 known, about 2 s left",
    ]


# For real

PLUGIN = """
from dataclasses import dataclass
from trainscape.optimizers import Optimizer, register

@register("signs")
@dataclass(frozen=True)
class Signs(Optimizer):
    def update(self, param, grad, state, lr, now):
        param.addcmul_(grad.sign_(), lr, value=-1)
"""


@pytest.mark.usefixtures("own_lock", "one_core")
def test_measure(tmp_path: Path) -> None:
    """The study in params.yaml is measured and shown: torch's optimizers and a plugin's."""
    datasets.prepare("digits", tmp_path / "data", tmp_path / "data" / "raw")
    (tmp_path / "throughput_signs.py").write_text(PLUGIN)
    (tmp_path / "params.yaml").write_text(
        "grid: {optimizer: [{name: sgd, label: plain}, signs], batch_size: [32]}\n"
        "plugins: [throughput_signs.py]\n"
        "device: cpu\n"
        "throughput: {patience: 0.01, block: 0.001}\n"
    )
    done = suite(tmp_path, "--benchmark-json=made.json", OMP_NUM_THREADS="2")
    assert done.returncode == 0, done.stdout
    assert (
        "throughput: preparing digits-mlp signs batch 32 loader\nthroughput: pass 1, "
        in done.stderr
    )
    assert "4 of 4 known\n" in done.stderr
    assert "\ntest_step_time[digits-mlp signs batch 32 loader]" in done.stdout
    json.loads((tmp_path / "made.json").read_text(), parse_constant=pytest.fail)
    study = read(tmp_path / "params.yaml")
    made = throughput.record(study, grid.cells(study), tmp_path / "made.json")
    assert {*made} == {"fingerprint", "hardware", "load", "rows"}
    assert made["fingerprint"] == hardware.fingerprint("cpu")
    # as many threads as there are cores, not as a job was told to use
    assert made["hardware"] == {**hardware.describe(), "device": "cpu", "threads": 1}
    assert {*made["load"]} == {"before", "during", "after", "too_high"}
    assert [(row["optimizer"], row["mode"]) for row in made["rows"]] == [
        (label, mode) for label in ("plain", "signs") for mode in MODES
    ]
    for row in made["rows"]:
        assert {*row} == ROW
        assert row["batch_size"] == 32
        assert 8 <= row["blocks"] <= row["passes"]
        assert row["step_low_s"] <= row["step_time_s"] <= row["step_high_s"]
        assert 0 <= row["load"] <= 1
        assert row["samples_per_s"] == pytest.approx(32 / row["step_time_s"])
        assert 30_000 < row["peak_memory_bytes"] < 300_000
