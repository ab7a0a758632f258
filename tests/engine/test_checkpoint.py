"""Training that is stopped and goes on comes to the bytes of training that was never stopped."""

from __future__ import annotations

import json
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
from trainscape.engine import checkpoint, leaving, run
from trainscape.engine.checkpoint import Keeper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from trainscape.datasets import Arrays
    from trainscape.workloads import Workload

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
            made: Found = {}

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
    "batch-norm": examples.batch_norm,
    "drawing": lambda: examples.named(Drawing, "drawing"),
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


def stop(specs: Sequence[dict[str, Any]], to: Keeper, stops: Stops, after: int) -> Found:
    """Train until it is stopped; what was done before."""
    stops.left, found = after, {}
    with pytest.raises(leaving.Leaving):
        run.train_cells(
            specs,
            IMAGES,
            CPU,
            finished=lambda i, records, backend: found.update({i: (records, backend)}),
            say=print,
            keeper=to,
        )
    return found


def test_others_beside_it_make_no_difference(tmp_path: Path, stops: Stops) -> None:
    """After a stop cells train in other packs, and beside cells that were not begun."""
    specs = cells(optimizer=["adam", "sgd"], lr=[0.01, 0.02, 0.03])
    wanted = train(specs)
    assert not stop(specs[1:5], keeper(tmp_path), stops, 6)
    assert len(list(tmp_path.iterdir())) == 8
    said: list[str] = []
    assert train(specs[::-1], keeper(tmp_path, said.append), width=3) == {
        5 - i: found for i, found in wanted.items()
    }
    resumed = [line.partition(" at")[0] for line in said if line.startswith("resumed")]
    assert resumed == ["resumed 3 trials", "resumed 3 trials", "resumed 2 trials"]
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
        run.train_cells(specs, IMAGES, CPU, crash, say=print, keeper=keeper(tmp_path, every=0.0))
    said: list[str] = []
    assert train(specs, keeper(tmp_path, said.append)) == wanted
    assert any(line.startswith("resumed") for line in said)


def test_short_trials_write_nothing(tmp_path: Path) -> None:
    """What ends before its time is kept nowhere: the folder is not even made."""
    folder = tmp_path / "none"
    train(cells(split="per-seed"), keeper(folder))
    assert not folder.exists()


def test_what_is_done_is_not_trained_again(tmp_path: Path, stops: Stops) -> None:
    """The first seed's trials are done when the second's are stopped: their cells are not."""
    specs = cells(split="per-seed")
    wanted = train(specs)
    stop(specs, keeper(tmp_path), stops, 30)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".state"]
    said: list[str] = []
    stops.left = 30  # enough for the rest, not for all
    assert train(specs, keeper(tmp_path, said.append)) == wanted
    assert said[0] == "resumed with 1 trial done before"


@pytest.mark.parametrize("damage", ["cut", "turned", "empty", "foreign"])
@pytest.mark.parametrize("kind", [".state", ".json"])
def test_a_damaged_one_is_passed_over(damage: str, kind: str, tmp_path: Path, stops: Stops) -> None:
    """A line says so, and the trial begins anew."""
    specs = cells(split="per-seed")
    wanted = train(specs)
    stop(specs, keeper(tmp_path), stops, 30)
    [file] = tmp_path.glob(f"*{kind}")
    content = file.read_bytes()
    middle = len(content) // 2
    file.write_bytes(
        {
            "cut": content[:middle],
            "turned": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
            "empty": b"",
            "foreign": b"\x80\x04\x95 a pickle\n" * 20,
        }[damage]
    )
    said: list[str] = []
    stops.left = 0
    assert train(specs, keeper(tmp_path, said.append)) == wanted
    assert sum("passed over" in line for line in said) == 1, said


@pytest.mark.parametrize("other", ["form", "backend"])
def test_one_of_another_kind_is_passed_over(
    other: str, tmp_path: Path, stops: Stops, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version that writes it otherwise, or arithmetic that makes other bits."""
    specs = cells()
    wanted = train(specs)
    with monkeypatch.context() as patch:
        if other == "form":
            patch.setattr(checkpoint, "FORMAT", checkpoint.FORMAT + 1)
        else:
            patch.setattr("trainscape.engine.backend.COMPILED", "cpu-of-old")
        stop(specs, keeper(tmp_path), stops, 6)
    said: list[str] = []
    assert train(specs, keeper(tmp_path, said.append)) == wanted
    assert sum("passed over" in line for line in said) == (2 if other == "form" else 1), said


@pytest.mark.parametrize("kind", [".state", ".json"])
def test_one_of_another_trial_is_passed_over(kind: str, tmp_path: Path, stops: Stops) -> None:
    """A whole file that was renamed, or copied over another, is not taken for that trial."""
    specs = cells(split="per-seed")
    wanted = train(specs)
    stop(specs, keeper(tmp_path), stops, 30)
    [file] = tmp_path.glob(f"*{kind}")
    first, second = (keeper(tmp_path)._name(specs[0], seed) for seed in specs[0]["seeds"][:2])
    other = second if file.name.startswith(first) else first
    for old in tmp_path.glob(f"{other}.*"):
        old.unlink()
    file.rename(tmp_path / f"{other}{kind}")
    said: list[str] = []
    stops.left = 0
    assert train(specs, keeper(tmp_path, said.append)) == wanted
    [line] = [line for line in said if "passed over" in line]
    assert line.endswith(f"its trials begin anew: it holds the trials of {file.name}")


class Drawing(nn.Module):
    """Keeps a generator, which nobody can write down."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 10)
        self.generator = np.random.default_rng(0)
        self.scale = 1.0

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.scale = float(self.generator.random())
        made: Tensor = self.layer(x.flatten(1)) * self.scale
        return made


def test_what_cannot_be_kept_is_said(tmp_path: Path, stops: Stops) -> None:
    """The trial trains all the same, and begins anew after a stop."""
    specs = cells("drawing", optimizer=[torchs("torch.optim.SGD")], seeds=1)
    wanted = train(specs)
    said: list[str] = []
    stop(specs, keeper(tmp_path, said.append), stops, 6)
    assert said == ["no checkpoint of 1 trial: the state holds a Generator"]
    stops.left = 0
    assert train(specs, keeper(tmp_path)) == wanted
