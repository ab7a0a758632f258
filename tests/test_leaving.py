"""A process that is asked to leave keeps what it trains, says so in a line, and goes on later."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kit.own_folder import folder as folder  # autouse, once it is here
from trainscape import study
from trainscape.cli import main
from trainscape.pipeline import settle
from trainscape.pipeline.layout import Layout
from trainscape.pipeline.train import part_way

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
# the loss asks the process to leave, once for each file that says at which call
PLUGIN = """
import os
from pathlib import Path
from torch import nn
from torch.nn.functional import cross_entropy
from trainscape.workloads import workload

calls = []


def loss(output, y):
    for file in Path().glob("*.signals"):
        if output.requires_grad:
            calls.append(file)
        if len(calls) == 25:
            calls.clear()
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
    "budget": {"steps": 90},
    "seeds": 1,
    "throughput": {"enabled": False},
    "grid": {
        "optimizer": [{"torch": "torch.optim.Adam", "label": "torchs"}],
        "batch_size": [64],
        "lr": [0.01],
        "schedule": ["constant"],
    },
}


@pytest.fixture
def heeded() -> Iterator[None]:
    """Ctrl-C is heeded: a shell's background job, as a test session may be, has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(name="cell")
def _cell(folder: Path) -> str:
    """The study's one cell, in a folder with its data."""
    (folder / "plugin.py").write_text(PLUGIN)
    (folder / "params.yaml").write_text(json.dumps(STUDY))
    assert main(["data"]) == 0
    [path] = Layout(study.read(folder / "params.yaml")).cells
    return path


@pytest.mark.usefixtures("heeded")
def test_a_signal_keeps_what_is_trained(
    folder: Path, cell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each of the signals does; the run after the last comes to the bytes of a quiet one."""
    assert main(["train", cell]) == 0
    wanted = Path(cell).read_bytes()
    Path(cell).unlink()
    before = 0
    for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT):
        Path("once.signals").write_text(str(int(number)))
        capsys.readouterr()
        assert main(["train", cell]) == 128 + number
        said = capsys.readouterr()
        assert said.err == f"trainscape: {number.name}: left; run again to go on\n"
        step = before + 25
        assert f"{number.name}: kept 1 trial at step {step} of 90; run again to go on" in said.out
        assert not before or f"resumed 1 trial at step {before} of 90" in said.out
        assert not Path(cell).exists()
        assert part_way(Layout(study.read(folder / "params.yaml"))) == "1 trial"
        before = step
    assert main(["train", cell]) == 0
    assert f"resumed 1 trial at step {before} of 90" in capsys.readouterr().out
    assert Path(cell).read_bytes() == wanted
    assert not list((folder / "results/.checkpoints").iterdir())


def test_two_signals_end_it_at_once(folder: Path, cell: str) -> None:
    """Nothing is kept, and the process ends by the signal."""
    Path("once.signals").write_text("15 15")
    left = subprocess.run(
        [sys.executable, "-m", "trainscape", "train", cell],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert left.returncode == -signal.SIGTERM
    assert not (folder / "results/.checkpoints").exists()


def test_without_checkpoints_it_leaves_and_keeps_nothing(
    folder: Path, cell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With ``checkpoint: false`` the line is there, and no file."""
    (folder / "params.yaml").write_text(json.dumps({**STUDY, "checkpoint": False}))
    Path("once.signals").write_text("15")
    assert main(["train", cell]) == 128 + signal.SIGTERM
    assert capsys.readouterr().err == "trainscape: SIGTERM: left; run again to go on\n"
    assert not (folder / "results/.checkpoints").exists()


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


def test_what_is_left_over_goes_when_the_study_is_done(folder: Path) -> None:
    """Checkpoints of cells that were changed meanwhile are removed when all cells are there."""
    layout = Layout(study.parse({"throughput": {"enabled": False}}, "study"))
    layout.checkpoints.mkdir(parents=True)
    (layout.checkpoints / "0-1.state").write_bytes(b"x")
    settle.make(layout)
    assert folder.joinpath("results").exists()
    assert not layout.checkpoints.exists()


def test_what_is_kept_is_counted_by_what_a_run_would_resume(folder: Path, cell: str) -> None:
    """A file of other code counts for nothing, nor does any where none is kept."""
    layout = Layout(study.read(folder / "params.yaml"))
    Path("once.signals").write_text("15")
    assert main(["train", cell]) == 128 + signal.SIGTERM
    pack = layout.checkpoints / "pack-0.state"
    pack.touch()
    assert part_way(layout) == "1 trial and 1 pack"
    off = {**STUDY, "checkpoint": False}
    (folder / "params.yaml").write_text(json.dumps(off))
    assert part_way(Layout(study.read(folder / "params.yaml"))) == ""
    pack.unlink()
    [file] = layout.checkpoints.iterdir()
    file.rename(file.with_name(f"{'0' * 40}-0.state"))
    assert part_way(layout) == ""


def test_no_number_hangs_on_it(folder: Path) -> None:
    """Another interval gives the same cells, tables and figures; the report shows it."""
    one, other = (Layout(study.parse({"checkpoint": value}, "study")) for value in (60, False))
    assert one.cells == other.cells
    for stage in ("collect", "answer", "figures", "timings"):
        assert one.stamp(stage) == other.stamp(stage)
    assert one.stamp("report") != other.stamp("report")
    assert not list(folder.iterdir())
