"""Memory that runs out, wherever, ends in cells of status oom or in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from kit import examples
from kit.examples import CPU, task, train, trial
from kit.registries import kept
from kit.unfusable import MODELS, of_model
from trainscape import datasets, study, workloads
from trainscape.cells import grid, tryout
from trainscape.cli import main
from trainscape.engine import run
from trainscape.engine.apart import obstacle
from trainscape.engine.laid import Laid
from trainscape.engine.model import Stack
from trainscape.memory import is_lack, out_of_memory
from trainscape.pipeline import calibrate

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent
TORCHS = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"
OVERFLOW = RuntimeError("Storage size calculation overflowed with sizes=[4611686018427387904]")
PLUGIN = """
from torch import nn
from trainscape.workloads import workload


@workload("huge", dataset="digits", target=0.9, std=16 / 255)
def build():
    hidden = nn.Linear(30_000, 30_000)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 30_000), hidden, nn.Linear(30_000, 10))
"""
STUDY: dict[str, Any] = {
    "plugins": ["plugin.py"],
    "workloads": ["huge", "digits-mlp"],
    "budget": {"steps": 2},
    "seeds": 2,
    "throughput": {"enabled": False},
    "grid": {
        "optimizer": ["sgd", "lars", {"torch": "torch.optim.SGD", "label": "torchs"}],
        "batch_size": [64],
        "lr": [0.01],
        "schedule": ["constant"],
    },
}
# torch is loaded first: what it takes differs, and no limit is to stop that
LIMITED = """
import resource, sys
import torch
from pathlib import Path
from trainscape.cli import main
import trainscape.engine.run, trainscape.engine.fused, trainscape.engine.unfused
now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + (1200 << 20),) * 2)
sys.exit(main(sys.argv[1:]))
"""


def limited(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the program with 1.2 GiB above what its libraries take."""
    return subprocess.run(
        [sys.executable, "-c", LIMITED, *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux alone limits so")
def test_a_model_that_cannot_be_built_leaves_cells_and_tables(tmp_path: Path) -> None:
    """The other workload trains, the study has all its cells and tables, the estimate a line."""
    (tmp_path / "plugin.py").write_text(PLUGIN)
    (tmp_path / "params.yaml").write_text(json.dumps(STUDY))
    said = limited(tmp_path, "estimate")
    assert said.returncode == 0, said.stderr
    line = "huge: does not fit the memory here; its cells get the status oom"
    assert line in said.stdout.splitlines()
    paths = limited(tmp_path, "cells", "--paths").stdout.split()
    assert len(paths) == 6
    for words in (("data",), ("train", *paths), ("make", "settle"), ("make", "collect")):
        done = limited(tmp_path, *words)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stdout + done.stderr
    found = {path: json.loads((tmp_path / path).read_text())["trials"] for path in paths}
    for path, trials in found.items():
        wanted = "oom" if "/huge/" in path else "ok"
        assert [one["status"] for one in trials] == [wanted] * 2, path
    assert len((tmp_path / "results/summary.csv").read_text().splitlines()) == 1 + 6


def cell(**changes: Any) -> dict[str, Any]:
    """A cell of digits-mlp as plain data."""
    raw = {**STUDY, "plugins": [], "workloads": ["digits-mlp"], **changes}
    return grid.cells(study.parse(raw, "study"))[0].spec()


def fails(error: Exception) -> Callable[..., Any]:
    """A function that raises."""

    def work(*_: object, **__: object) -> None:
        raise error

    return work


KINDS = {
    "torch": RuntimeError(TORCHS),
    "python": MemoryError(),
    "c++": RuntimeError("std::bad_alloc"),
    "gpu": torch.OutOfMemoryError("CUDA out of memory"),
    "system": OSError(12, "Cannot allocate memory"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", ["load", "values", "gradients_of", "model_roles", "data"])
def test_every_place_of_the_engine_ends_in_a_status(
    kind: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Initial state, evaluation, a step, its buffers, the data on the device: all give oom."""
    if place == "data":
        monkeypatch.setattr("trainscape.engine.task.prepare", fails(KINDS[kind]))
    else:
        monkeypatch.setattr(Laid, place, fails(KINDS[kind]))
    told: list[int] = []
    steps, records = run.train_cells(
        [cell()], examples.images(60), CPU, finished=lambda i, *_: told.append(i)
    )
    assert [one.status for one in records[0]] == ["oom", "oom"]
    assert (steps, told) == ([1, 2], [0])


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError(TORCHS), OVERFLOW], ids=repr)
@pytest.mark.parametrize("detailed", [False, True])
@pytest.mark.parametrize("optimizer", ["adam", {"torch": "torch.optim.SGD"}], ids=str)
def test_a_model_that_can_be_built_some_times_alone_is_a_status(
    optimizer: Any, detailed: bool, error: Exception
) -> None:
    """Wherever building fails, in trying how models train too, trials say oom, and none raises."""
    built = 0
    fails_at = 0

    def build() -> nn.Module:
        nonlocal built
        built += 1
        if built >= fails_at:
            raise error
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

    with kept(workloads.registry):
        workloads.registry.add("some-times", examples.named(build, "some-times"), __file__)
        axes = {**STUDY["grid"], "optimizer": [optimizer]}
        raw = {**STUDY, "plugins": [], "workloads": ["some-times"], "grid": axes}
        spec = replace(grid.cells(study.parse(raw, "study"))[0], detailed=detailed).spec()
        for fails_at in (1, 3, 6):
            built = 0
            _, [records] = run.train_cells([spec], examples.images(60), CPU)
            assert {one.status for one in records} <= {"oom", "ok"}
            assert records[-1].status == "oom" or built < fails_at


def test_other_errors_are_none() -> None:
    """A user's own words on memory, or another error of torch's, are as they were raised."""
    for error in (ValueError("Cannot allocate memory"), RuntimeError("shapes"), KeyError("oom")):
        assert not is_lack(error)
        with pytest.raises(type(error)), out_of_memory():
            raise error


def test_a_rule_without_memory_is_a_status(monkeypatch: pytest.MonkeyPatch) -> None:
    """An optimizer whose state memory does not hold is not at fault."""
    monkeypatch.setattr("trainscape.optimizers.adam.Adam.init", fails(MemoryError()))
    [record] = train([trial("adam")], of_model("GRU"))
    assert record.status == "oom"


def test_lack_of_memory_takes_no_model_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether models train as one program does not hang on what else fills the memory."""
    monkeypatch.setattr(Stack, "step", fails(RuntimeError(TORCHS)))
    with pytest.raises(torch.OutOfMemoryError):
        obstacle(task(examples.named(MODELS["GRU"]), examples.images(40)))


def test_a_step_that_is_tried_without_memory_refuses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Listing a grid tries optimizers of others: lack of memory says nothing of them."""
    axes = {**STUDY["grid"], "optimizer": [{"torch": "torch.optim.SGD"}]}
    monkeypatch.setattr(tryout, "_step", fails(RuntimeError(TORCHS)))
    assert cell(grid=axes)["optimizer"]["name"] == "torch"


def test_data_that_memory_does_not_hold_is_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file stays as it is, and what reads it says that memory has run out."""
    path = datasets.prepare("digits", tmp_path, tmp_path)
    before = path.stat().st_mtime_ns
    monkeypatch.setattr("trainscape.datasets._store.digest", fails(MemoryError()))
    with pytest.raises(MemoryError):
        datasets.load("digits", tmp_path)
    with pytest.raises(MemoryError):
        datasets.prepare("digits", tmp_path, tmp_path)
    assert path.stat().st_mtime_ns == before


def test_cells_whose_data_cannot_be_loaded_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A job that cannot hold the dataset ends well, and its cell says oom."""
    monkeypatch.chdir(tmp_path)
    raw = {**STUDY, "plugins": [], "workloads": ["digits-mlp"]}
    Path("params.yaml").write_text(json.dumps(raw))
    assert main(["cells", "--paths"]) == 0
    path, *_ = capsys.readouterr().out.split()
    monkeypatch.setattr(datasets, "load", fails(MemoryError()))
    assert main(["train", path]) == 0
    trials = json.loads(Path(path).read_text())["trials"]
    assert [one["status"] for one in trials] == ["oom", "oom"]
    monkeypatch.setattr(calibrate, "arrays_of", fails(MemoryError()))
    assert main(["data"]) == 0
    monkeypatch.setattr("trainscape.pipeline.speeds.arrays_of", fails(MemoryError()))
    assert main(["estimate"]) == 0
    assert "digits-mlp: does not fit the memory here" in capsys.readouterr().out


def test_a_command_without_memory_says_so_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever it was doing."""
    monkeypatch.setattr("trainscape.study.schema", fails(MemoryError("for 8 GB")))
    assert main(["schema"]) == 2
    assert capsys.readouterr().err == "trainscape: memory ran out: MemoryError: for 8 GB\n"
