"""Step time of every (workload, optimizer, batch size), each alone on the machine.

Torch has its own number of threads, unlike in training.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from trainscape import datasets, workloads
from trainscape.engine.data import Split, prepare
from trainscape.memory import out_of_memory

# A record's name covers all that is imported here. By full name that would be the room's face too,
# and with it all that waits for a quiet machine, names and writes.
from .loop import Loop, device_of
from .memory import peak
from .rounds import Patience, measure
from .row import row, row_of_none

if TYPE_CHECKING:
    from collections.abc import Callable

    from trainscape.study import Study
    from trainscape.throughput.identity import Measurement

DATA = Path("data")
WARM_UP = 5  # steps: state is made, kernels are chosen, caches fill
SHORTEST = 0.25  # of a block, in the trial run that the length of a block is reckoned from
PATIENCE = Patience()  # of the run


def test_step_time(
    benchmark: Any,
    wanted: Measurement,
    study: Study,
    rows: list[dict[str, Any]],
    others: Callable[[], float],
) -> None:
    """A training step takes a finite time and some memory."""
    device = device_of(study.device)
    try:
        with out_of_memory():
            train = _training_split(wanted.workload)
            shuffle = study.order == "shuffle"
            loop = Loop(wanted, train, device, shuffle=shuffle)
            loop.run(WARM_UP)
            benchmark.pedantic(loop.run, (1,), rounds=1)  # opens its record
            run = partial(_seconds, loop)
            length = partial(_steps_lasting, loop, study.throughput.block)
            rounds = study.throughput.rounds
            found = measure(run, length, rounds, PATIENCE, time.sleep, others)
            del loop, run, length
            # The second step is the fullest: it has the state that the first one made.
            memory = peak(lambda: Loop(wanted, train, device, batches=1).run(2), device)
    except torch.OutOfMemoryError:
        rows.append(row_of_none(wanted))
        pytest.skip("does not fit the device's memory")
    # pytest-benchmark runs as many rounds as it is told to; here the times say how many.
    times = benchmark.stats.stats
    times.data[:] = found.kept.seconds
    benchmark.extra_info["steps"] = found.kept.steps
    benchmark.extra_info["attempts"] = [asdict(one) for one in found.attempts]
    rows.append(row(wanted, times, found, memory))


def _seconds(loop: Loop, steps: int) -> float:
    """How long a block takes."""
    start = time.perf_counter()
    loop.run(steps)
    return time.perf_counter() - start


def _steps_lasting(loop: Loop, seconds: float) -> int:
    """How many steps take ``seconds``, at least one."""
    steps = 1
    while True:
        taken = _seconds(loop, steps)
        if taken >= seconds * SHORTEST:
            return max(1, round(steps * seconds / taken))
        steps *= 2


@cache
def _training_split(workload: str) -> Split:
    """The whole training split, scaled, on the CPU."""
    entry = workloads.registry.get(workload)
    return prepare(datasets.load(entry.dataset, DATA), entry, 0.0, torch.device("cpu")).train
