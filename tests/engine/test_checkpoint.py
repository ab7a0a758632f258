"""Training that is stopped and goes on comes to the bytes of training that was never stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn

from kit import examples
from kit.checkpoints import IMAGES, Stops, cells, keeper, stop, stopped, torchs, train
from kit.examples import CPU
from kit.registries import kept
from trainscape import workloads
from trainscape.engine import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from trainscape.workloads import Workload


@pytest.fixture(name="stops")
def _stops(monkeypatch: pytest.MonkeyPatch) -> Stops:
    return Stops(monkeypatch)


class Remembering(nn.Module):
    """Keeps a number, a tensor and a buffer that it puts in the place of the one before."""

    mean: Tensor

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
        made: Tensor = self.layers[3](hidden + 0.01 * self.mean + 0.001 * self.calls * self.last)
        return made


class Counting(nn.Module):
    """Counts its calls, those that score it among them, in a buffer and beside it."""

    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.calls = nn.Linear(64, 10), 0
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.count.add_(1)
        made: Tensor = self.layer(x.flatten(1)) * (1 + 0.01 * self.calls + 0.01 * self.count)
        return made


class Recurrent(nn.Module):
    """Torch cannot run several as one program."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.last = nn.GRU(8, 6, batch_first=True), nn.Linear(6, 10)
        self.drop = nn.Dropout(0.3)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.last(self.drop(self.cell(x)[0][:, -1]))
        return made


MODELS: dict[str, Callable[[], Workload]] = {
    "dropout": lambda: examples.named(examples.dropout, "dropout"),
    "recurrent": lambda: examples.named(Recurrent, "recurrent"),
    "remembering": lambda: examples.named(Remembering, "remembering"),
    "counting": lambda: examples.named(Counting, "counting"),
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


CASES: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "compiled, some rules": lambda: cells(
        optimizer=["adam", "muon", {"name": "lamb", "clip_norm": 0.5}, "schedule_free_adamw"],
        lr=[0.01, 0.02],
    ),
    "plateau": lambda: cells(
        schedule=[{"name": "plateau", "patience": 0, "gamma": 0.5}, "constant"], lr=[0.3]
    ),
    "dropout, in detail": lambda: cells("dropout", detailed=True),
    "batch norm, split by seed": lambda: cells("batch-norm", split="per-seed", lr=[0.01, 0.02]),
    "diverging among others": lambda: cells(optimizer=["sgd"], lr=[0.01, 1e30], trace_every=3),
    "one by one": lambda: cells(
        "recurrent", optimizer=["adam", "schedule_free_sgd"], trace_every=1
    ),
    "one by one, in detail": lambda: cells("recurrent", detailed=True, split="per-seed"),
    "a model that remembers": lambda: cells("remembering", seeds=3, validation=0),
    "a model that changes as it is scored": lambda: cells("counting"),
    "torch.optim": lambda: cells(
        "dropout",
        optimizer=[torchs("torch.optim.AdamW", amsgrad=True), "adam"],
        schedule=[{"name": "plateau", "patience": 0}],
        trace_every=2,
        seeds=1,
    ),
    "torch.optim.LBFGS": lambda: cells(
        optimizer=[torchs("torch.optim.LBFGS", max_iter=3)], lr=[0.1], seeds=1
    ),
    "torch, diverging": lambda: cells(optimizer=[torchs("torch.optim.SGD")], lr=[1e30, 0.1]),
    "torch, in detail": lambda: cells(optimizer=[torchs("torch.optim.NAdam")], detailed=True),
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
    found, times, said = stopped(specs, tmp_path, stops, 8)
    assert found == wanted
    assert times
    assert any(line.startswith("resumed") for line in said)
    assert not any("anew" in line or line.startswith("no checkpoint") for line in said), said
    assert list(tmp_path.iterdir()) == []


def test_others_beside_it_make_no_difference(tmp_path: Path, stops: Stops) -> None:
    """After a stop cells train in other packs, and beside cells that were not begun."""
    specs = cells(optimizer=["adam", "sgd"], lr=[0.01, 0.02, 0.03])
    wanted = train(specs)
    assert not stop(specs[1:5], keeper(tmp_path, specs[1:5]), stops, 6)
    assert len(list(tmp_path.iterdir())) == 8
    said: list[str] = []
    assert train(specs[::-1], keeper(tmp_path, specs[::-1], said.append), width=3) == {
        5 - i: found for i, found in wanted.items()
    }
    resumed = [line.partition(" at")[0] for line in said if line.startswith("resumed")]
    assert resumed == [f"resumed {count} trials, each" for count in (3, 3, 2)]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("optimizer", ["adam", torchs("torch.optim.Adam")], ids=str)
def test_a_crash_costs_what_came_after_the_last_checkpoint(optimizer: Any, tmp_path: Path) -> None:
    """Without any signal states are kept from time to time."""
    specs = cells(optimizer=[optimizer])
    wanted = train(specs)

    def crash(step: int, _: int) -> None:
        if step >= 10:
            raise OSError("pulled out")

    with pytest.raises(OSError, match="pulled out"):
        run.train_cells(
            specs, IMAGES, CPU, crash, say=print, keeper=keeper(tmp_path, specs, every=0.0)
        )
    said: list[str] = []
    assert train(specs, keeper(tmp_path, specs, said.append)) == wanted
    assert any(line.startswith("resumed") for line in said)


def test_short_trials_write_nothing(tmp_path: Path) -> None:
    """What ends before its time is kept nowhere: the folder is not even made."""
    folder = tmp_path / "none"
    specs = cells(split="per-seed")
    train(specs, keeper(folder, specs))
    assert not folder.exists()


def test_what_is_done_is_not_trained_again(tmp_path: Path, stops: Stops) -> None:
    """The first seed's trials are done when the second's are stopped: their cells are not."""
    specs = cells(split="per-seed")
    wanted = train(specs)
    stop(specs, keeper(tmp_path, specs), stops, 30)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".state"]
    said: list[str] = []
    stops.left = 30  # enough for the rest, not for all
    assert train(specs, keeper(tmp_path, specs, said.append)) == wanted
    assert said[0] == "resumed with 1 trial done before"


@pytest.mark.parametrize("split", ["fixed", "per-seed"])
def test_steps_are_counted_between_evaluations(split: str, tmp_path: Path, stops: Stops) -> None:
    """Of all trials together, those that are done among them, as at evaluations."""
    specs = cells(optimizer=["adam", torchs("torch.optim.SGD")], split=split)
    to, found, between = keeper(tmp_path, specs), [], 0

    def stepped(done: int, total: int) -> None:
        nonlocal between
        between += 1
        found.append((done, total))

    to._stepped = stepped
    stop(specs, to, stops, 40)
    again = keeper(tmp_path, specs)
    again._stepped = stepped
    begun = len(found)
    run.train_cells(specs, IMAGES, CPU, lambda *pair: found.append(pair), say=print, keeper=again)
    assert found[0] == (0, 48) and found[-1] == (48, 48)
    assert found[:begun] == sorted(found[:begun]) and found[begun:] == sorted(found[begun:])
    if split == "per-seed":  # else the cell that was done is trained again
        assert found[begun] >= found[begun - 1]
    assert len(set(found)) > 20 and between > 20
