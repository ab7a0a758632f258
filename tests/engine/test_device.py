"""Where a pack runs, and what is promised of it there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict

import pytest
import torch

from kit import examples
from kit.examples import OPTIMIZERS, train, trial
from trainscape import workloads
from trainscape.cells.budget import Plan
from trainscape.engine import device
from trainscape.engine.data import prepare
from trainscape.engine.task import Task
from trainscape.errors import UserError

no_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA GPU")

PREPARED = """
import json, os
import torch
from trainscape.engine import device
chosen = device.choose("cpu")
print(json.dumps({
    "device": chosen.type,
    "threads": torch.get_num_threads(),
    "deterministic": torch.are_deterministic_algorithms_enabled(),
    "mkl": os.environ["MKL_CBWR"],
}))
"""


def test_a_cpu_pack_is_prepared_whatever_the_environment_says() -> None:
    """One thread, deterministic algorithms and MKL's strict mode, against an environment's own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "8", "MKL_CBWR": "COMPATIBLE"}
    command = [sys.executable, "-c", PREPARED]
    ran = subprocess.run(command, env=environment, capture_output=True, timeout=120, check=True)
    assert json.loads(ran.stdout) == {
        "device": "cpu",
        "threads": 1,
        "deterministic": True,
        "mkl": "AUTO,STRICT",
    }


def test_cuda_is_refused_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line names the key, the value and what there is."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError) as refused:
        device.choose("cuda")
    said = "device: 'cuda' is not available on this machine; choose 'auto' or 'cpu'"
    assert str(refused.value) == said


def test_auto_takes_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a GPU auto is the CPU, with one it is CUDA, and cpu stays the CPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device.choose("auto").type == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device.choose("auto").type == "cuda"
    assert device.choose("cpu").type == "cpu"


@no_gpu
@pytest.mark.parametrize("name", ["digits-mlp", "digits-cnn"])
def test_cuda_agrees_with_the_cpu_and_with_itself(name: str) -> None:
    """Losses agree to float32's tolerance over two epochs, and two runs on the GPU are equal."""
    workload = workloads.registry.get(name)
    trials = [trial(optimizer, 0.003, 1) for optimizer in OPTIMIZERS]

    def run(on: torch.device) -> list[dict[str, object]]:
        splits = prepare(examples.images(200), workload, 0.1, on)
        plan = Plan(len(splits.train.y), 32, {"epochs": 2}, 1.0)
        return [asdict(record) for record in train(trials, Task(workload, splits, plan))]

    cuda = run(device.choose("cuda"))
    assert cuda == run(device.choose("cuda"))
    for ours, theirs in zip(cuda, run(device.choose("cpu")), strict=True):
        assert ours["train_loss"] == pytest.approx(theirs["train_loss"], rel=1e-3)
