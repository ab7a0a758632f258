"""Step time of every (workload, optimizer, batch size), each alone on the machine.

The workflow's throughput stage runs this for a study; by hand, for params.yaml:
`pytest tests/benchmarks --benchmark-only --confcutdir=tests/benchmarks` (the other tests'
conftest.py sets MKL up for equal bits). Torch has its own number of threads, unlike in training.
"""

from __future__ import annotations

import math
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from trainscape import datasets, workloads
from trainscape.engine.data import Split, prepare
from trainscape.throughput.loop import Loop
from trainscape.throughput.memory import peak

if TYPE_CHECKING:
    from trainscape.throughput.request import Measurement, Request

WARM_UP = 5  # steps: state is made, kernels are chosen, caches fill
SHORTEST = 0.25  # of a block, in the trial run that the length of a block is reckoned from


def test_step_time(benchmark: Any, wanted: Measurement, asked: Request) -> None:
    """A training step takes a finite time and some memory."""
    device = _device(asked.device)
    train = _train(wanted.workload, Path(asked.data))
    try:
        loop = Loop(wanted, train, device)
        loop.run(WARM_UP)
        steps = _steps(loop, asked.block)
        benchmark.pedantic(loop.run, (steps,), rounds=asked.rounds, warmup_rounds=1)
        del loop
        # The second step is the fullest: it has the state that the first one made.
        memory = peak(lambda: Loop(wanted, train, device, batches=1).run(2), device)
    except torch.OutOfMemoryError:
        pytest.skip("does not fit the device's memory")
    benchmark.extra_info.update(
        key=wanted.key(),
        steps=steps,
        peak_memory_bytes=memory,
        device=device.type,
        threads=torch.get_num_threads(),
    )
    assert 0 < benchmark.stats.stats.median / steps < math.inf
    assert memory > 0


def _steps(loop: Loop, seconds: float) -> int:
    """How many steps take ``seconds``, at least one."""
    steps = 1
    while True:
        start = time.perf_counter()
        loop.run(steps)
        taken = time.perf_counter() - start
        if taken >= seconds * SHORTEST:
            return max(1, round(steps * seconds / taken))
        steps *= 2


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


@cache
def _train(workload: str, data: Path) -> Split:
    """The whole training split, scaled, on the CPU."""
    entry = workloads.registry.get(workload)
    return prepare(datasets.load(entry.dataset, data), entry, 0.0, torch.device("cpu")).train
