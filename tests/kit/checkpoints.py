"""Training that is stopped and goes on, to be compared with training that was never stopped."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kit import examples
from kit.examples import CPU
from trainscape import study
from trainscape.cells import grid
from trainscape.engine import leaving, run
from trainscape.engine.checkpoint import Keeper
from trainscape.hashing import sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
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


def torchs(path: str, **params: Any) -> dict[str, Any]:
    """An optimizer by its import path."""
    return {"torch": path, "label": path.rpartition(".")[2], **params}


class Stops:
    """Asks to leave at the n-th of the places where a run in training can be left."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left, self.asked = 0, False
        self._really = leaving.check
        monkeypatch.setattr(leaving, "check", self._check)

    def _check(self, between_steps: bool = False) -> None:
        if leaving._Now.deferred:
            self.left -= 1
            self.asked = self.asked or self.left == 0
        leaving._Now.asked = 15 if self.asked else None
        try:
            self._really(between_steps)
        except leaving.Leaving:
            self.asked = False
            raise
        finally:
            leaving._Now.asked = None


def keeper(
    folder: Path,
    specs: Sequence[dict[str, Any]],
    said: Callable[[str], None] = print,
    every: float = 1e9,
) -> Keeper:
    """What keeps trials of cells in a folder."""

    def name(place: int, seed: int) -> str:
        return f"{sha256({**specs[place], 'seeds': []})}-{seed}"

    return Keeper(folder, every, name, CPU, said)


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

            left = [specs[i] for i in places]
            run.train_cells(
                left,
                arrays,
                CPU,
                finished=keep,
                width=width,
                say=print,
                keeper=keeper(folder, left, said.append),
            )
        except leaving.Leaving:
            found.update((places[i], one) for i, one in made.items())
            continue
        found.update((places[i], one) for i, one in made.items())
        return found, times, said
    raise AssertionError("it never ends")
