"""Step time of every (workload, optimizer, batch size), with the machine to itself.

Torch has its own number of threads, unlike in training.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
import torch

from trainscape import datasets, workloads
from trainscape.engine.data import Split, prepare
from trainscape.memory import out_of_memory

# A record's name covers all that is imported here. By full name that would be the room's face too,
# and with it all that waits for a quiet machine, names and writes.
from .loop import Loop, device_of
from .memory import peak
from .passes import Blocks, Series, measure
from .row import row, row_of_none

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trainscape.study import Study
    from trainscape.throughput.identity import Measurement

DATA = Path("data")
WARM_UP = 5  # steps: state is made, kernels are chosen, caches fill
# Bytes of weights that loops have at once, between passes; gradients and an optimizer's state make
# it four times as much. What is more is measured when these are done.
HELD = 1 << 28


class Progress(Protocol):
    """What is told of the run: the measurement in hand, and how many there are."""

    name: str

    def begin(self, name: str) -> None:
        """A measurement is prepared."""

    def passed(self, every: Sequence[Series], passes: int) -> None:
        """A pass has ended."""


@dataclass(frozen=True)
class Ready:
    """A measurement that can begin: its loop, and the bytes that a step takes at its peak."""

    one: Measurement
    loop: Loop
    memory: int

    @property
    def weights(self) -> int:
        """The bytes of its weights."""
        return sum(param.nbytes for param in self.loop.params)


Measured = dict[str, tuple[Blocks, int] | None]  # by name; None for what does not fit the memory


@pytest.fixture(scope="session")
def measured(
    chosen: Sequence[Measurement],
    study: Study,
    others: Callable[[], float],
    progress: Progress,
) -> Measured:
    """All measurements, made together: pass by pass over as many as the memory is to hold."""
    found: Measured = {}
    held: list[Ready] = []

    def finish() -> None:
        runs = [_timed(ready, progress) for ready in held]
        blocks = measure(runs, study.throughput, others, progress.passed)
        found.update(
            (str(ready.one), (own, ready.memory)) for ready, own in zip(held, blocks, strict=True)
        )
        held.clear()

    for one in chosen:
        progress.begin(str(one))
        ready = _ready(one, study)
        if held and (ready is None or sum(r.weights for r in (*held, ready)) > HELD):
            finish()
            ready = ready or _ready(one, study)  # now that the others' memory is free
        if ready is None:
            found[str(one)] = None
        else:
            held.append(ready)
    finish()
    return found


def test_step_time(
    benchmark: Any, wanted: Measurement, measured: Measured, rows: list[dict[str, Any]]
) -> None:
    """A training step takes a finite time and some memory."""
    found = measured[str(wanted)]
    if found is None:
        rows.append(row_of_none(wanted))
        pytest.skip("does not fit the device's memory")
    blocks, memory = found
    benchmark.pedantic(int, rounds=1)  # opens its record, of what was measured with all others
    times = benchmark.stats.stats
    times.data[:] = blocks.steps
    benchmark.extra_info["blocks"] = [asdict(one) for one in blocks.made]
    rows.append(row(wanted, times, blocks, memory))


def _ready(one: Measurement, study: Study) -> Ready | None:
    """A loop that is warm; None if it does not fit the memory."""
    device = device_of(study.device)
    loads = one.mode == "loader"
    try:
        with out_of_memory():
            train = _training_split(one.workload, "cpu" if loads else device.type)
            shuffle = study.order == "shuffle"
            Loop(one, train, device, shuffle).run(WARM_UP)  # libraries take memory for good
            # The second step is the fullest: it has the state that the first one made.
            memory = peak(
                lambda: Loop(one, train if loads else _batch(train, one), device).run(2), device
            )
            loop = Loop(one, train, device, shuffle)
            loop.run(WARM_UP)
            return Ready(one, loop, memory)
    except torch.OutOfMemoryError:
        return None


def _timed(ready: Ready, progress: Progress) -> Callable[[int], float]:
    """Trains for a number of steps and returns the seconds they took."""

    def run(steps: int) -> float:
        progress.name = str(ready.one)  # should it fail
        start = time.perf_counter()
        ready.loop.run(steps)
        return time.perf_counter() - start

    return run


@cache
def _training_split(workload: str, device: str) -> Split:
    """The whole training split, scaled."""
    entry = workloads.registry.get(workload)
    return prepare(datasets.load(entry.dataset, DATA), entry, 0.0, torch.device(device)).train


def _batch(train: Split, one: Measurement) -> Split:
    """A batch with memory of its own."""
    return Split(train.x[: one.batch_size].clone(), train.y[: one.batch_size].clone())
