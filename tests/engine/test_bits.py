"""A trial's numbers are the same bits whatever it was trained with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kit import examples
from kit.crowds import LOST, SIZES, WIDTHS, WORKLOADS, crowd, digest, parts, sized
from kit.examples import OPTIMIZERS, Trained, task, trained, trial
from trainscape import datasets, workloads
from trainscape.datasets import Raw

if TYPE_CHECKING:
    from trainscape.engine.task import Task


RECORDS = """
import sys
sys.path.append(sys.argv[1])
from kit.crowds import digest
print(digest())
"""


def cases() -> list[tuple[str, str]]:
    """Every workload at every size; BatchNorm takes no batch of one."""
    return [(w, s) for w in WORKLOADS for s in SIZES if (w, s) != ("batch-norm", "one")]


@pytest.mark.parametrize(("name", "size"), cases())
def test_a_trial_is_the_same_in_every_pack(name: str, size: str) -> None:
    """At widths 1 to 33, wherever it lies, beside whatever: records, weights, buffers are equal."""
    of, trials = sized(WORKLOADS[name](), size), crowd()
    together = trained(trials, of)
    assert together[LOST].record.status == "diverged"
    kept = [t.weights for t in together if t.weights]
    assert len(set(kept)) == len(kept) > 20, "trials that are equal would hide a mix-up"
    assert trained(trials[::-1], of) == together[::-1]
    for part in parts():
        assert trained(trials[part], of) == together[part]


@pytest.mark.parametrize("name", ["silu", "batch-norm"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_place_in_a_pack_is_the_same(name: str, optimizer: str) -> None:
    """One trial, repeated to fill a pack, comes out the same at every place of every width."""
    of = sized(WORKLOADS[name](), "partial")
    made: list[Trained] = []
    for width in WIDTHS[:-1]:
        made += trained([trial(optimizer, 0.01) for _ in range(width)], of)
    assert all(one == made[0] for one in made)


def test_a_narrow_batch_norm_is_the_same_in_every_pack() -> None:
    """Statistics of three channels share a vector with those of ten other trials, to no effect."""
    from torch import nn

    of = sized(
        examples.named(
            lambda: nn.Sequential(
                nn.Flatten(), nn.Linear(64, 3), nn.BatchNorm1d(3), nn.Linear(3, 10)
            )
        ),
        "partial",
    )
    trials = crowd()
    together = trained(trials, of)
    for part in parts():
        assert trained(trials[part], of) == together[part]


def losses() -> dict[str, Task]:
    """Tasks that are judged by a loss of their own: a user's, and those of the registry."""
    noisy, point = (datasets.registry.get(n).make(Raw(Path())) for n in ("regression", "point"))
    network, valley = map(workloads.registry.get, ("regression", "valley"))
    return {
        "four weights": task(examples.regression(), examples.line(), 16, {"steps": 5}, every=0.5),
        "regression": task(network, noisy, 300, {"steps": 5}, every=0.5),
        "valley": task(valley, point, 1, {"steps": 5}, validation=0),
    }


@pytest.mark.parametrize("name", ["four weights", "regression", "valley"])
def test_a_loss_of_its_own_is_the_same_in_every_pack(name: str) -> None:
    """Narrow outputs, models of two to four weights and losses of other kinds round alike."""
    of, trials = losses()[name], crowd()
    together = trained(trials, of)
    for part in parts():
        assert trained(trials[part], of) == together[part]


LARGE: dict[str, dict[str, int]] = {
    "mnist-cnn": {"side": 28},
    "cifar10-resnet": {"side": 32, "colours": 3},
}


@pytest.mark.parametrize("name", LARGE)
def test_a_large_workload_is_the_same_in_every_pack(name: str) -> None:
    """The largest networks, dropout and running statistics included, at batch 4, widths 1 to 5."""
    workload = workloads.registry.get(name)
    arrays = examples.images(8, test=4, **LARGE[name])
    of = task(workload, arrays, 4, {"steps": 2}, validation=0.25)
    trials = [trial(OPTIMIZERS[i], 0.001 * (1 + i), i % 2) for i in range(5)]
    together = trained(trials, of)
    for part in (slice(0, 1), slice(4, 5), slice(1, 3), slice(2, 5)):
        assert trained(trials[part], of) == together[part]


@pytest.mark.parametrize(("threads", "mode"), [(1, None), (2, "COMPATIBLE"), (8, "AUTO")])
def test_the_environment_decides_nothing(threads: int, mode: str | None) -> None:
    """However many threads and whatever mode of MKL the environment asks for, bits are the same."""
    environment = {k: v for k, v in os.environ.items() if k != "MKL_CBWR"}
    environment |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    if mode:
        environment["MKL_CBWR"] = mode
    command = [sys.executable, "-c", RECORDS, str(Path(__file__).parents[1])]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert ran.stdout.strip() == digest(), ran.stderr
