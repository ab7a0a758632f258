"""How many trials a pack holds on a GPU, whose memory and neighbours are made up."""

from __future__ import annotations

import pytest
import torch

from kit import examples
from trainscape import workloads
from trainscape.cells.budget import Plan
from trainscape.engine import device, width
from trainscape.engine.data import prepare
from trainscape.engine.task import Task

GIB = 1 << 30
MIB = 1 << 20


def memory(monkeypatch: pytest.MonkeyPatch, free: float, total: float, share: str | None) -> None:
    """Let a GPU have so many GiB, and this process be told its share."""
    told = int(free * GIB), int(total * GIB)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: told)
    if share is None:
        monkeypatch.delenv("FUSE_GPU_SHARE", raising=False)
    else:
        monkeypatch.setenv("FUSE_GPU_SHARE", share)


@pytest.mark.parametrize(
    ("free", "total", "share", "most"),
    [
        (79, 80, None, 8),  # one bound for all GPUs that have memory enough
        (23, 24, "1", 8),
        (23, 24, "0.5", 6),
        (14, 24, "0.5", 6),  # a neighbour has taken its own by now
        (17, 24, "0.333333", 4),
        (7.5, 8, "1", 4),
        (7.1, 8, "1", 4),  # whatever the CUDA context takes
        (5, 24, "0.25", 3),
        (1, 24, "1", 1),  # others came meanwhile
        (6, 24, None, 3),
    ],
)
def test_a_pack_takes_half_of_the_share(
    monkeypatch: pytest.MonkeyPatch, free: float, total: float, share: str | None, most: float
) -> None:
    """And 8 GiB at most: the same in every process with this share, whatever neighbours do."""
    memory(monkeypatch, free, total, share)
    for each in (MIB, 20 * MIB, 100 * MIB):
        found = width._fitting(each, width._room(*torch.cuda.mem_get_info("cuda")))
        assert found in {2**power for power in range(10)}
        assert found == 512 or found * each <= most * GIB * 1.01 < 2 * found * each
    assert width._fitting(each, int(0.01 * GIB)) == 1


def test_packs_are_foretold_on_any_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small model takes the widest packs, a larger one narrower ones, or what is asked for."""
    found = {}
    for name in ("digits-mlp", "mnist-cnn"):
        workload = workloads.registry.get(name)
        arrays = examples.images(40) if name == "digits-mlp" else examples.images(40, side=28)
        plan = Plan(30, 256, {"epochs": 1}, 1.0)
        task = Task(workload, prepare(arrays, workload, 0.1, torch.device("cpu")), plan)
        found[name] = width.on_a_gpu(task)
    assert found["digits-mlp"] == 512
    assert found["mnist-cnn"] < 512
    monkeypatch.setenv("TRAINSCAPE_WIDTH", "8")
    assert width.on_a_gpu(task) == 8


@pytest.mark.parametrize(("share", "limits"), [(None, []), ("1", []), ("0.25", [0.25])])
def test_a_process_is_held_to_its_share(
    monkeypatch: pytest.MonkeyPatch, share: str | None, limits: list[float]
) -> None:
    """What it would take beyond it is its neighbours'."""
    memory(monkeypatch, 20, 24, share)
    set_to: list[float] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", set_to.append)
    assert device.choose("auto").type == "cuda"
    assert set_to == limits
