"""What is kept and cannot be used is passed over, and what cannot be kept is said."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from torch import Tensor, nn

from kit import examples
from kit.checkpoints import Stops, cells, keeper, stop, torchs, train
from kit.registries import kept
from trainscape import workloads
from trainscape.engine import checkpoint

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO


@pytest.fixture(name="stops")
def _stops(monkeypatch: pytest.MonkeyPatch) -> Stops:
    return Stops(monkeypatch)


@pytest.mark.parametrize("damage", ["cut", "turned", "empty", "foreign"])
@pytest.mark.parametrize("kind", [".state", ".json"])
def test_a_damaged_one_is_passed_over(damage: str, kind: str, tmp_path: Path, stops: Stops) -> None:
    """A line says so, and the trial begins anew."""
    specs = cells(split="per-seed")
    wanted = train(specs)
    stop(specs, keeper(tmp_path, specs), stops, 30)
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
    assert train(specs, keeper(tmp_path, specs, said.append)) == wanted
    assert sum("passed over" in line for line in said) == 1, said


def test_one_of_another_form_is_passed_over(
    tmp_path: Path, stops: Stops, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version of this project may write it otherwise."""
    specs = cells()
    wanted = train(specs)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "FORMAT", checkpoint.FORMAT + 1)
        stop(specs, keeper(tmp_path, specs), stops, 6)
    said: list[str] = []
    assert train(specs, keeper(tmp_path, specs, said.append)) == wanted
    assert sum("passed over" in line for line in said) == 2, said


@pytest.mark.parametrize("optimizer", ["adam", torchs("schedulefree.AdamWScheduleFree")], ids=str)
def test_one_of_another_backend_is_passed_over(
    optimizer: Any, tmp_path: Path, stops: Stops, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where arithmetic made other bits, trials are as new: also an optimizer that has modes."""
    specs = cells(optimizer=[optimizer], seeds=1)
    wanted = train(specs)
    with monkeypatch.context() as patch:
        patch.setattr("trainscape.engine.backend.COMPILED", "cpu-of-old")
        patch.setattr("trainscape.engine.backend.name", lambda *_: "cpu-of-old")
        stop(specs, keeper(tmp_path, specs), stops, 6)
    said: list[str] = []
    stops.left = 0
    assert train(specs, keeper(tmp_path, specs, said.append)) == wanted
    assert sum("passed over" in line for line in said) == 1, said


@pytest.mark.parametrize("kind", [".state", ".json"])
def test_one_of_another_trial_is_passed_over(kind: str, tmp_path: Path, stops: Stops) -> None:
    """A whole file that was renamed, or copied over another, is not taken for that trial."""
    specs = cells(split="per-seed")
    wanted = train(specs)
    stop(specs, keeper(tmp_path, specs), stops, 30)
    [file] = tmp_path.glob(f"*{kind}")
    first, second = (keeper(tmp_path, specs).name((0, seed)) for seed in specs[0]["seeds"][:2])
    other = second if file.name.startswith(first) else first
    for old in tmp_path.glob(f"{other}.*"):
        old.unlink()
    file.rename(tmp_path / f"{other}{kind}")
    said: list[str] = []
    stops.left = 0
    assert train(specs, keeper(tmp_path, specs, said.append)) == wanted
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
    said: list[str] = []
    with kept(workloads.registry):
        workloads.registry.add("drawing", examples.named(Drawing, "drawing"), __file__)
        specs = cells("drawing", optimizer=[torchs("torch.optim.SGD")], seeds=1)
        wanted = train(specs)
        stop(specs, keeper(tmp_path, specs, said.append), stops, 6)
        stops.left = 0
        assert train(specs, keeper(tmp_path, specs)) == wanted
    assert said == ["no checkpoint of 1 trial: the state holds a Generator"]


def test_what_cannot_be_written_is_said_once(
    tmp_path: Path, stops: Stops, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at each interval: again where it could be written in between, and when it is the last."""
    monkeypatch.setattr(checkpoint._Now, "unwritten", "")
    tries = itertools.count()

    def write(to: BinaryIO, value: object) -> None:
        if next(tries) not in (0, 3):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "write", write)
    said: list[str] = []
    specs = cells(seeds=1)
    stop(specs, keeper(tmp_path, specs, said.append, every=0.0), stops, 14)
    assert next(tries) == 6
    [first, second, last] = said
    assert first.startswith("no checkpoint of 1 trial: ")
    assert first.endswith("cannot be written: No space left on device")
    assert first == second == last
