"""Bundles on GPUs that differ, that others use, and that are lost."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from kit.fake_gpus import Fake

if TYPE_CHECKING:
    from kit.toy import Toy


@pytest.fixture
def gpu_toy(toy: Toy) -> Toy:
    """The toy, whose jobs need a GPU each."""
    toy.edit("    shell:", "    resources:\n        gpu=1,\n    shell:")
    return toy


def most_at_once(toy: Toy) -> dict[str, int]:
    """How many bundles ran at the same time on each GPU at most."""
    most: dict[str, int] = {}
    for gpu in {name for record in toy.records() for name in record["gpus"]}:
        own = [call for call in toy.calls() if call["gpu"] == gpu]
        most[gpu] = max(
            sum(one["began"] <= call["began"] < one["ended"] for one in own) for call in own
        )
    return most


def test_gpus_that_differ_take_what_they_can(gpu_toy: Toy) -> None:
    """Every GPU with memory left is used, none beyond its slots, and each bundle knows its share.

    A fast GPU takes what a slow one has not begun: there are more bundles than slots.
    """
    gpu_toy.add_gpus(
        Fake(0, "NVIDIA A100-SXM4-80GB", 81000, 80000),
        Fake(1, "NVIDIA RTX 4090", free=11000),
        Fake(2, "NVIDIA RTX 4090", free=600),
    )
    gpu_toy.plan(**{f"n{n}": "nap" for n in range(12)})
    said = gpu_toy.run("--fuse-per-gpu", "2", cores=1)
    assert "GPU GPU-fake-2 (NVIDIA RTX 4090) is not used: others take its memory." in said
    shares = {(call["gpu"], call["share"]) for call in gpu_toy.calls()}
    assert shares == {("GPU-fake-0", "0.5"), ("GPU-fake-1", "0.25")}
    assert most_at_once(gpu_toy) == {"GPU-fake-0": 2, "GPU-fake-1": 2}
    assert len(gpu_toy.calls()) > 4
    jobs = Counter(name for call in gpu_toy.calls() for name in call["outputs"])
    assert jobs == Counter(map(str, range(12)))


def test_eight_gpus_share_packs(gpu_toy: Toy) -> None:
    """Jobs of a pack stay together, as many as fill it; GPUs that are alike get a bundle each."""
    pack = 'bundle_pack=lambda w: "ab"[int(w.n) % 2], bundle_fill=1 / 3, bundle='
    gpu_toy.edit("bundle=", pack)
    gpu_toy.add_gpus(*map(Fake, range(8)))
    gpu_toy.run(cores=1)
    assert gpu_toy.shapes() == [[0, 2, 4], [1, 3, 5], [6, 8, 10], [7, 9, 11]]
    assert len({call["gpu"] for call in gpu_toy.calls()}) == 4


def test_the_jobs_of_a_lost_gpu_go_on_at_the_others(gpu_toy: Toy) -> None:
    """It falls out in the middle: its bundle ends, and the run ends well without a retry."""
    gpu_toy.add_gpus(Fake(0), Fake(1))
    gpu_toy.plan(lost="GPU-fake-1")
    said = gpu_toy.run(cores=1)
    assert "GPU GPU-fake-1 is lost, nvidia-smi no longer lists it; its 6 jobs go on" in said
    assert "| CUDA error: device lost" in said
    assert "made all its outputs" not in said
    assert len(gpu_toy.outputs()) == 12
    calls = [(call["gpu"], len(call["outputs"])) for call in gpu_toy.calls()]
    assert sorted(calls) == [("GPU-fake-0", 6), ("GPU-fake-0", 6), ("GPU-fake-1", 6)]


def test_the_last_gpu_that_is_lost_fails_its_jobs(gpu_toy: Toy) -> None:
    """Nothing waits for a GPU that is not there: jobs that are tried again fail, too."""
    gpu_toy.add_gpus(Fake(0), Fake(7))
    gpu_toy.plan(lost="GPU-fake-0")
    said = gpu_toy.fail("--retries", "1", cores=1, CUDA_VISIBLE_DEVICES="GPU-fake-0")
    assert "GPU GPU-fake-0 is lost, nvidia-smi no longer lists it; its jobs cannot go on" in said
    assert "it needs GPUs: 1; not lost are: 0" in said
    assert set(gpu_toy.failures(said)) == set(range(12))
    assert len(gpu_toy.calls()) == 1


def test_a_gpu_whose_memory_is_others_is_refused(gpu_toy: Toy) -> None:
    """Where no GPU is left, the run ends in one line before anything starts."""
    gpu_toy.add_gpus(Fake(0, free=300))
    said = gpu_toy.fail()
    assert (
        "Rule make asks for 1 GPU (resource gpu), but 1 can be seen here, and others take the "
        "memory of 1 (see nvidia-smi and CUDA_VISIBLE_DEVICES)." in said
    )
    assert not gpu_toy.calls()
