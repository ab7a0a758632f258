"""Step times: the suite as the workflow runs it, with the machine to itself, and its record."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from kit.cores import one_core as one_core  # a fixture, once it is here
from kit.small_study import make
from trainscape import datasets, hardware, throughput
from trainscape.cells import grid
from trainscape.cli import main
from trainscape.sealed import read_sealed
from trainscape.study import read
from trainscape.throughput import SUITE
from trainscape.throughput import alone as alone_module
from trainscape.throughput.identity import MODES, wanted
from trainscape.throughput.suite import conftest

if TYPE_CHECKING:
    from pathlib import Path

    from trainscape.study import Study

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


# The machine to itself


def test_share() -> None:
    """What others used is the busy time less our own, over the cores and the time that passed."""
    cores = len(hardware.usable_cores())
    start = alone_module.Clock(wall=100.0, busy=50.0, own=3.0)
    half = alone_module.Clock(wall=102.0, busy=50.0 + 2 * cores, own=3.0 + cores)
    assert alone_module.share(start, half) == 0.5
    clock = alone_module.Clock
    assert alone_module.share(start, clock(102.0, 50.0, 4.0)) == 0.0  # clocks are coarse
    assert alone_module.share(start, clock(102.0, 50.0 + 9 * cores, 3.0)) == 1.0


def test_working() -> None:
    """Waiting is not work, and a guest's time counts once."""
    core = {"user": 5.0, "nice": 1.0, "system": 2.0, "steal": 0.5, "guest": 3.0}
    assert alone_module.working({**core, "idle": 70.0, "iowait": 9.0}) == 8.5


def test_glance() -> None:
    """A process that keeps a core busy is seen."""
    busy = subprocess.Popen(
        [sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=-1
    )
    try:
        assert busy.stdout
        busy.stdout.readline()
        assert alone_module.glance() * len(hardware.usable_cores()) > 0.2
    finally:
        busy.kill()
        busy.communicate()


@pytest.fixture
def own_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary folder of the test's own, for this process and its children."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.mark.usefixtures("own_lock")
@pytest.mark.parametrize(("others", "too_high"), [(0.1, False), (0.101, True)])
def test_load(
    others: float,
    too_high: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A measurement beside others is flagged, and said to be, from a tenth of the machine on."""
    monkeypatch.setattr(alone_module, "glance", lambda: 0.0)
    monkeypatch.setattr(alone_module, "share", lambda *_: others)
    with alone_module.alone() as load:
        assert load == {}
    assert load == {"before": 0.0, "during": others, "after": 0.0, "too_high": too_high}
    said = "throughput: others used more than 10% of the machine: the times are too long\n"
    assert capsys.readouterr().err == (said if too_high else "")


HOLD = """
from trainscape.throughput.alone import alone
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


# From what was measured to the record


def benchmarks(study: Study) -> dict[str, Any]:
    """What the suite writes for a study."""
    cells = grid.cells(study)
    numbers = {"step_time_s": 0.001, "iqr_s": 0.0, "samples_per_s": 1e3, "peak_memory_bytes": 9}
    return {
        "machine_info": {"cpu": "any", "device": "cpu", "threads": 2},
        "benchmarks": [],
        "digest": throughput.digest(study, cells),
        "load": {"before": 0.0, "during": 0.2, "after": 0.0, "too_high": True},
        "rows": [{**one.key(), **numbers, "blocks": 8} for one in wanted(cells)],
    }


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place of the record of the tests' study, in an empty project."""
    monkeypatch.chdir(tmp_path)
    study = make()
    path = tmp_path / study.output / throughput.path(study, grid.cells(study))
    path.parent.mkdir(parents=True)
    (tmp_path / study.output / ".study").write_text(study.name)
    return path


def ask(made: object) -> int:
    """Make the record of the tests' study from what a suite wrote: the exit status."""
    with open("benchmarks.json", "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(made if isinstance(made, str) else json.dumps(made))
    study = make().model_dump_json()
    return main(["make", "throughput", "--study", study, "--benchmarks", "benchmarks.json"])


def test_record(record: Path) -> None:
    """A record has the machine, its load and the rows; records of old times go, others' stay."""
    old = record.with_name(f"{record.stem.partition('-')[0]}-000000000000.json")
    other = record.with_name(f"000000000000-{record.stem.partition('-')[2]}.json")
    for file in (old, other):
        file.write_text("{}")
    made = benchmarks(make())
    assert ask(made) == 0
    assert read_sealed(record) == {
        "record": record.stem,
        "fingerprint": hardware.fingerprint("cpu"),
        "hardware": made["machine_info"],
        "load": made["load"],
        "rows": made["rows"],
    }
    assert sorted(record.parent.iterdir()) == sorted([record, other])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda _: "", "cannot be read: "),
        (lambda made: {**made, "digest": "0" * 64}, "is of another study or source; run"),
        (lambda _: {"benchmarks": []}, "is of another study or source; run"),
        (lambda made: {**made, "rows": made["rows"][:3]}, "has 3 of 8 measurements"),
        (lambda made: {**made, "rows": made["rows"][1:] * 2}, "has 14 of 8 measurements"),
    ],
)
def test_no_record(
    change: Any, complaint: str, record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Times that are damaged, of something else or incomplete are refused; the old record stays."""
    record.write_text("the one before")
    assert ask(change(benchmarks(make()))) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"trainscape: throughput: benchmarks.json {complaint}")
    assert said.count("\n") == 1
    assert record.read_text() == "the one before"
    assert [*record.parent.iterdir()] == [record]


def test_nothing_measured(record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """To make a record without saying what was measured is refused in one line."""
    assert main(["make", "throughput", "--study", make().model_dump_json()]) == 2
    assert capsys.readouterr().err == (
        "trainscape: make throughput: --benchmarks must name what the suite has measured\n"
    )


# The suite in its own process


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
    study = read(tmp_path / "params.yaml", {"plugins": [str(tmp_path / "throughput_signs.py")]})
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
