"""Training that is stopped and goes on comes to the bytes of training that was never stopped."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kit import examples
from kit.examples import CPU
from kit.registries import kept
from trainscape import study, workloads
from trainscape.cells import grid
from trainscape.engine import leaving, run
from trainscape.engine.checkpoint import Keeper
from trainscape.workloads import Workload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from trainscape.datasets import Arrays

IMAGES = examples.images(60)
GRID: dict[str, Any] = {
    "optimizer": ["adam"],
    "batch_size": [16],
    "lr": [0.01],
    "schedule": ["cosine"],
}
STUDY: dict[str, Any] = {
    "workloads": ["digits-mlp"],
    "budget": {"epochs": 4},
    "seeds": 2,
    "evaluate_every": 0.75,
}


def cells(workload: str = "digits-mlp", **changes: Any) -> list[dict[str, Any]]:
    """Cells as plain data; what is no key of a study is an axis of the grid."""
    axes = {key: changes.pop(key) for key in GRID if key in changes}
    detailed = changes.pop("detailed", False)
    raw = {**STUDY, "workloads": [workload], "grid": {**GRID, **axes}, **changes}
    made = grid.cells(study.parse(raw, "study"))
    return [replace(cell, detailed=detailed).spec() for cell in made]


Found = dict[int, tuple[list[Any], str]]


def train(
    specs: Sequence[dict[str, Any]],
    keeper: Keeper | None = None,
    arrays: Arrays = IMAGES,
    width: int | None = None,
) -> Found:
    """The records and the backend of every cell, by its place."""
    found: Found = {}

    def keep(i: int, records: list[Any], backend: str) -> None:
        found[i] = records, backend

    run.train_cells(specs, arrays, CPU, finished=keep, width=width, say=print, keeper=keeper)
    return found


class Stops:
    """Asks to leave at the n-th of the places where a run in training can be left."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = 0
        monkeypatch.setattr(leaving, "check", self._check)

    def _check(self) -> None:
        if leaving._Now.deferred:
            self.left -= 1
            if self.left == 0:
                raise leaving.Leaving(15)


def keeper(folder: Path, said: Callable[[str], None] = print, every: float = 1e9) -> Keeper:
    """What keeps trials in a folder."""

    def name(spec: Any, seed: int) -> str:
        rest = {key: value for key, value in spec.items() if key != "seeds"}
        return f"{abs(hash(json.dumps(rest, sort_keys=True)))}-{seed}"

    return Keeper(folder, every, name, CPU, said)


def stopped(
    specs: Sequence[dict[str, Any]],
    folder: Path,
    stops: Stops,
    every: int,
    arrays: Arrays = IMAGES,
    width: int | None = None,
) -> tuple[Found, int, list[str]]:
    """Train, stopped after every so many places; the outcome, how often, and what was said."""
    found: Found = {}
    said: list[str] = []
    for times in range(200):
        stops.left = every
        places = [i for i in range(len(specs)) if i not in found]
        try:
            made = {}

            def keep(i: int, records: list[Any], backend: str, made: Found = made) -> None:
                made[i] = records, backend

            run.train_cells(
                [specs[i] for i in places],
                arrays,
                CPU,
                finished=keep,
                width=width,
                say=print,
                keeper=keeper(folder, said.append),
            )
        except leaving.Leaving:
            found.update((places[i], one) for i, one in made.items())
            continue
        found.update((places[i], one) for i, one in made.items())
        return found, times, said
    raise AssertionError("it never ends")


@pytest.fixture(name="stops")
def _stops(monkeypatch: pytest.MonkeyPatch) -> Stops:
    return Stops(monkeypatch)


class Remembering(nn.Module):
    """Keeps a number, a tensor and a buffer that it puts in the place of the one before."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 10))
        self.calls = 0
        self.last = torch.zeros(12)
        self.register_buffer("mean", torch.zeros(12))

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.layers[2](self.layers[1](x.flatten(1)))
        if self.training:
            self.calls += 1
            self.mean = 0.9 * self.mean + 0.1 * hidden.detach().mean(0)
            self.last = hidden.detach()[0]
        return self.layers[3](hidden + 0.01 * self.mean + 0.001 * self.calls * self.last)


class Recurrent(nn.Module):
    """Torch cannot run several as one program."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.last = nn.GRU(8, 6, batch_first=True), nn.Linear(6, 10)
        self.drop = nn.Dropout(0.3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.drop(self.cell(x)[0][:, -1]))


MODELS: dict[str, Callable[[], Workload]] = {
    "dropout": lambda: examples.named(examples.dropout, "dropout"),
    "recurrent": lambda: examples.named(Recurrent, "recurrent"),
    "remembering": lambda: examples.named(Remembering, "remembering"),
    "batch-norm": examples.batch_norm,
}


@pytest.fixture(autouse=True)
def _known() -> Iterator[None]:
    with kept(workloads.registry):
        for make in MODELS.values():
            made = make()
            if made.name not in workloads.registry.names():
                workloads.registry.add(made.name, made, __file__)
        yield


def torchs(path: str, **params: Any) -> dict[str, Any]:
    """An optimizer by its import path."""
    return {"torch": path, "label": path.rpartition(".")[2], **params}


CASES: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "compiled, some rules": lambda: cells(optimizer=["adam", "muon", "sgd"], lr=[0.01, 0.02]),
    "clipped": lambda: cells(optimizer=[{"name": "lamb", "clip_norm": 0.5}]),
    "plateau": lambda: cells(
        schedule=[{"name": "plateau", "patience": 0, "gamma": 0.5}, "constant"], lr=[0.3]
    ),
    "dropout": lambda: cells("dropout"),
    "batch norm": lambda: cells("batch-norm", optimizer=["momentum"]),
    "a traced one": lambda: cells(trace_every=3),
    "in detail": lambda: cells(detailed=True),
    "split by seed": lambda: cells(split="per-seed", lr=[0.01, 0.02]),
    "diverging among others": lambda: cells(optimizer=["sgd"], lr=[0.01, 1e30], trace_every=1),
    "schedule-free": lambda: cells(optimizer=["schedule_free_adamw", "schedule_free_sgd"]),
    "no validation": lambda: cells(validation=0),
    "one by one": lambda: cells("recurrent", optimizer=["adam", "schedule_free_sgd"]),
    "one by one, in detail": lambda: cells("recurrent", detailed=True, split="per-seed"),
    "a model that remembers": lambda: cells("remembering", seeds=3),
    "torch.optim": lambda: cells(
        optimizer=[torchs("torch.optim.AdamW", amsgrad=True), "adam"],
        schedule=[{"name": "plateau", "patience": 0}],
        trace_every=2,
    ),
    "torch.optim.LBFGS": lambda: cells(optimizer=[torchs("torch.optim.LBFGS")], lr=[0.1]),
    "torch, diverging": lambda: cells(optimizer=[torchs("torch.optim.SGD")], lr=[1e30, 0.1]),
    "torch, in detail": lambda: cells(
        "dropout", optimizer=[torchs("torch.optim.RAdam")], detailed=True
    ),
    "torch, a model that remembers": lambda: cells(
        "remembering", optimizer=[torchs("torch.optim.SGD", momentum=0.9)]
    ),
    "a package's": lambda: cells(optimizer=[torchs("schedulefree.AdamWScheduleFree")]),
}


@pytest.mark.parametrize("case", CASES)
def test_it_goes_on_with_the_same_bits(case: str, tmp_path: Path, stops: Stops) -> None:
    """Whatever is trained, and wherever it is stopped, it comes to the same records."""
    specs = CASES[case]()
    wanted = train(specs)
    found, times, said = stopped(specs, tmp_path, stops, 6)
    assert found == wanted
    assert times > 1
    assert any(line.startswith("resumed") for line in said)
    assert not any("anew" in line or line.startswith("no checkpoint") for line in said), said
    assert list(tmp_path.iterdir()) == []
