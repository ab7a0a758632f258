"""Step times: the suite in its own process, with the machine to itself."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import pytest

from kit.small_study import ROOT, make
from trainscape import datasets, hardware, throughput
from trainscape.cells import grid
from trainscape.errors import UserError
from trainscape.throughput import identity as _identity
from trainscape.throughput import load as _load
from trainscape.throughput import suite as _suite
from trainscape.throughput.request import MODES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROW = {
    "workload",
    "optimizer",
    "batch_size",
    "mode",
    "step_time_s",
    "iqr_s",
    "rounds",
    "samples_per_s",
    "peak_memory_bytes",
}


def ask(folder: Path, **changes: Any) -> None:
    """Measure the tests' study with changes into ``folder/record.json``."""
    changed = make(**changes)
    throughput.measure(changed, grid.cells(changed), folder / "data", folder / "record.json")


# The machine to itself


def test_share() -> None:
    """What others used is the busy time less our own, over the cores and the time that passed."""
    cores = len(hardware.usable_cores())
    start = _load.Clock(wall=100.0, busy=50.0, own=3.0)
    half = _load.Clock(wall=102.0, busy=50.0 + 2 * cores, own=3.0 + cores)
    assert _load.share(start, half) == 0.5
    assert _load.share(start, _load.Clock(102.0, 50.0, 4.0)) == 0.0  # clocks are coarse
    assert _load.share(start, _load.Clock(102.0, 50.0 + 9 * cores, 3.0)) == 1.0


def test_working() -> None:
    """Waiting is not work, and a guest's time counts once."""
    core = {"user": 5.0, "nice": 1.0, "system": 2.0, "steal": 0.5, "guest": 3.0}
    assert _load._working({**core, "idle": 70.0, "iowait": 9.0}) == 8.5


def test_glance() -> None:
    """A process that keeps a core busy is seen."""
    busy = subprocess.Popen(
        [sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=-1
    )
    try:
        assert busy.stdout
        busy.stdout.readline()
        assert _load.glance() * len(hardware.usable_cores()) > 0.2
    finally:
        busy.kill()
        busy.communicate()


HOLD = """
from trainscape.throughput.measure import alone
with alone():
    print("in", flush=True)
    input()
"""


def hold() -> subprocess.Popen[str]:
    """A process that takes the lock, says so, and holds it until it is told to go on."""
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=-1, stdout=-1, stderr=-1, text=True, env=env
    )


@pytest.fixture
def own_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary folder of the test's own, for this process and its children."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.mark.usefixtures("own_lock")
def test_lock() -> None:
    """A second measurement says that it waits, and begins only when the first has ended."""
    first = hold()
    assert first.stdout and first.stdout.readline() == "in\n"
    second = hold()
    try:
        assert second.stdout and second.stderr
        assert "waiting" in second.stderr.readline()
        assert not select.select([second.stdout], [], [], 0.3)[0]
        first.communicate("\n", timeout=20)
        assert second.stdout.readline() == "in\n"
        second.communicate("\n", timeout=20)
        assert first.returncode == second.returncode == 0
    finally:
        for process in (first, second):
            process.kill()
            process.wait()


# The suite in its own process


@pytest.fixture
def pretend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_lock: None) -> Path:
    """A project with an empty suite that stands in for the real one; gives its file."""
    file = tmp_path / "project" / _identity.SUITE
    file.parent.mkdir(parents=True)
    shutil.copy(ROOT / _identity.SUITE.with_name("conftest.py"), file.parent)
    monkeypatch.setattr(_suite, "suite", lambda: file)
    monkeypatch.setattr(_load, "GLANCE", 0.01)
    return file


def test_failing_suite(pretend: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A failing suite is one line after its last words, and the record before it stays."""
    pretend.write_text("def test_step(benchmark):\n    raise RuntimeError('the cause of it')\n")
    (tmp_path / "record.json").write_text("the one before")
    with pytest.raises(UserError) as error:
        ask(tmp_path)
    assert re.fullmatch(
        r"throughput: tests/benchmarks/test_throughput\.py failed \(exit status 1\); .*",
        str(error.value),
    )
    assert "the cause of it" in capfd.readouterr().err
    assert (tmp_path / "record.json").read_text() == "the one before"
    assert not list(tmp_path.glob(".*.tmp"))


def test_killed_suite(pretend: Path, tmp_path: Path) -> None:
    """A suite that is killed, as for memory, fails by its signal; nothing is written."""
    pretend.write_text("import os\n\ndef test_step(benchmark):\n    os.kill(os.getpid(), 9)\n")
    with pytest.raises(UserError, match=r"\(exit status -9\)"):
        ask(tmp_path)
    assert not (tmp_path / "record.json").exists()


WRONG = """
def test_step(benchmark):
    benchmark.pedantic(print, rounds=1)
    benchmark.extra_info.update(steps=1)
"""


SKIPPING = """
import pytest

def test_step(benchmark, wanted):
    pytest.skip("does not fit")
"""


def test_short_suite(pretend: Path, tmp_path: Path) -> None:
    """A suite that leaves measurements out, unsaid, is refused; nothing is written."""
    pretend.write_text(WRONG)
    with pytest.raises(UserError, match="measured 1 of 8"):
        ask(tmp_path)
    assert not (tmp_path / "record.json").exists()


def test_wrong_suite(pretend: Path, tmp_path: Path) -> None:
    """A suite that says what cannot be made a record is refused; nothing is written."""
    pretend.write_text(WRONG.replace("(benchmark)", "(benchmark, wanted)"))
    with pytest.raises(UserError, match="the benchmark suite's record is wrong"):
        ask(tmp_path)
    assert not (tmp_path / "record.json").exists()


def test_too_large(pretend: Path, tmp_path: Path) -> None:
    """What the suite skips for memory is null in the record; other tests' conftest is not read."""
    (pretend.parents[1] / "conftest.py").write_text("raise RuntimeError")
    pretend.write_text(SKIPPING)
    ask(tmp_path, batch_size=[16], optimizer=["sgd"])
    made = json.loads((tmp_path / "record.json").read_text())
    assert [row["step_time_s"] for row in made["rows"]] == [None, None]


def test_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Threads are torch's own choice, whatever a workflow has set for its jobs."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "PYTEST_ADDOPTS"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("KEPT", "1")
    found = _suite._environment(tmp_path)
    assert not {"OMP_NUM_THREADS", "MKL_NUM_THREADS", "PYTEST_ADDOPTS"} & {*found}
    assert found["KEPT"] == "1"


def test_progress(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each measurement is counted, and the time left follows the pace so far."""
    clock: Iterator[float] = iter([10.0, 12.0, 18.0])
    monkeypatch.setattr(_suite.time, "monotonic", lambda: next(clock))  # type: ignore[attr-defined]
    progress = _suite.Progress(4)
    assert progress.where() == ""
    for name in "abc":
        progress.begin(name)
    assert capsys.readouterr().err.splitlines() == [
        "throughput: 1 of 4, a",
        "throughput: 2 of 4, b, about 6 s left",
        "throughput: 3 of 4, c, about 8 s left",
    ]
    assert progress.where() == " at c"


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


@pytest.fixture
def one_core() -> Iterator[None]:
    """One core for the test's children: two threads crawl where other tests run beside them."""
    usable = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(usable)})
    yield
    os.sched_setaffinity(0, usable)


@pytest.mark.usefixtures("own_lock", "one_core")
def test_measure(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A study's step times are measured: torch's optimizers and a plugin's, in strict JSON."""
    datasets.prepare("digits", tmp_path / "data", tmp_path / "data" / "raw")
    plugin = tmp_path / "throughput_signs.py"
    plugin.write_text(PLUGIN)
    names = [{"name": "sgd", "label": "plain"}, "signs"]
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    ask(tmp_path, optimizer=names, batch_size=[32], plugins=[str(plugin)])
    text = (tmp_path / "record.json").read_text()
    made = json.loads(text, parse_constant=pytest.fail)
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
        assert row["rounds"] == 2
        assert row["samples_per_s"] == pytest.approx(32 / row["step_time_s"])
        assert 30_000 < row["peak_memory_bytes"] < 300_000
    assert "throughput: 4 of 4, digits-mlp signs batch 32 loader, about" in capfd.readouterr().err


def test_by_hand(tmp_path: Path) -> None:
    """Plain pytest skips the benchmarks; with --benchmark-only it measures params.yaml's study."""
    shutil.copytree(ROOT / _identity.SUITE.parent, tmp_path / _identity.SUITE.parent)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "params.yaml").write_text(
        "grid: {optimizer: [sgd], batch_size: [16]}\nthroughput: {rounds: 1, block: 0.001}\n"
    )
    said = [
        subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "tests/benchmarks/test_throughput.py",
                "-p",
                "pytest_benchmark.plugin",
                *more,
            ],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for more in ([], ["--benchmark-only"])
    ]
    assert "2 skipped" in said[0]
    assert "2 passed" in said[1]
