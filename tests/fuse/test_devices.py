"""What the GPUs of bundles are called, and how much of their memory a bundle may take."""

from __future__ import annotations

import doctest
from typing import TYPE_CHECKING

import pytest

from kit.fake_gpus import Fake, install
from snakemake_executor_plugin_fuse import devices, gpus
from snakemake_executor_plugin_fuse.devices import found, lost

if TYPE_CHECKING:
    from pathlib import Path

BIG, SMALL = "NVIDIA A100-SXM4-80GB", "NVIDIA RTX 4090"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without a driver's folder; where its nvidia-smi may lie."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(gpus, "DRIVER", tmp_path / "driver")
    return tmp_path / "bin"


def shares(per_gpu: int = 1, **environment: str) -> dict[str, float]:
    """The share of each GPU's bundles, by the GPU's name."""
    return {device.name: device.share for device in found(environment, per_gpu)}


def test_the_examples_in_the_source_hold() -> None:
    """What docstrings show is what comes out."""
    result = doctest.testmod(devices)
    assert result.attempted
    assert not result.failed


def test_bundles_of_a_gpu_share_what_others_leave(folder: Path) -> None:
    """By halves of the whole: memory that is nearly free counts as free."""
    free = {0: 79000, 1: 70000, 2: 40000, 3: 9000, 4: 700, 5: 2500}
    install(folder, [Fake(n, BIG, 81000, left) for n, left in free.items()])
    assert list(shares().values()) == [1, 1, 0.5, 0.125, 0, 0.03125]
    assert list(shares(3).values())[:3] == [1 / 3, 1 / 3, 0.5 / 3]
    assert list(shares(3).values())[4:] == [0, 0]


def test_a_small_gpu_that_nobody_uses_is_used(folder: Path) -> None:
    """Little memory is no sign of others."""
    install(folder, [Fake(0, total=1000, free=950)])
    assert shares() == {"GPU-fake-0": 1}


def test_gpus_have_names_that_no_order_changes(folder: Path) -> None:
    """UUIDs, where no list says otherwise: CUDA may number GPUs with the fastest first."""
    install(folder, [Fake(0, SMALL, free=11000), Fake(1, BIG, 81000, 80000)])
    assert shares() == {"GPU-fake-0": 0.5, "GPU-fake-1": 1}
    assert shares(CUDA_VISIBLE_DEVICES="GPU-fake-1") == {"GPU-fake-1": 1}
    assert shares(CUDA_VISIBLE_DEVICES="1", CUDA_DEVICE_ORDER="PCI_BUS_ID") == {"1": 1}
    assert shares(CUDA_VISIBLE_DEVICES="1") == {"1": 0.5}  # it may be either of them
    install(folder, [Fake(0, BIG, free=11000), Fake(1, BIG)])
    gpus._listed.cache_clear()
    assert shares(CUDA_VISIBLE_DEVICES="1,0") == {"1": 1, "0": 0.5}


def test_no_gpu_may_be_seen(folder: Path) -> None:
    """An empty list hides all."""
    install(folder, [Fake(0)])
    assert shares(CUDA_VISIBLE_DEVICES="") == {}


def test_a_gpu_in_slices_stands_for_its_slices(folder: Path) -> None:
    """All of them, beside whole GPUs, by the UUIDs that CUDA knows them by."""
    install(folder, [Fake(0, BIG, slices=("1g.10gb", "3g.40gb")), Fake(1, BIG)])
    assert shares() == {"MIG-0-0": 1, "MIG-0-1": 1, "GPU-fake-1": 1}
    assert shares(2, CUDA_VISIBLE_DEVICES="0") == {"MIG-0-0": 0.5, "MIG-0-1": 0.5}
    assert shares(CUDA_VISIBLE_DEVICES="MIG-0-1") == {"MIG-0-1": 1}
    models = [device.model for device in found({}, 1)]
    assert models == [f"{BIG} MIG 1g.10gb", f"{BIG} MIG 3g.40gb", BIG]


@pytest.mark.parametrize("told", ["exit 9", "echo 'GPU 0: Old (UUID: GPU-fake-0)'"])
def test_memory_of_which_nothing_is_told_counts_as_free(folder: Path, told: str) -> None:
    """An nvidia-smi that fails at the question, or answers another."""
    install(folder, [Fake(0)])
    script = (folder / "nvidia-smi").read_text()
    (folder / "nvidia-smi").write_text(script.replace('cat "$(dirname "$0")/memory.txt"', told))
    assert shares(2) == {"GPU-fake-0": 0.5}


def test_the_driver_s_folder_alone_names_gpus(tmp_path: Path) -> None:
    """Without nvidia-smi: by UUID, or by number where the driver hides it; none counts as lost."""
    for bus, told in (("01", "GPU UUID: GPU-aa\n"), ("41", "")):
        file = tmp_path / "driver" / bus / "information"
        file.parent.mkdir(parents=True)
        file.write_text(f"Model: T4\n{told}")
    assert shares() == {"GPU-aa": 1, "1": 1}
    assert not any(lost(device) for device in found({}, 1))


def test_a_gpu_that_is_no_longer_listed_is_lost(folder: Path) -> None:
    """Asked anew; where nvidia-smi lists nothing at all, nothing is known."""
    install(folder, [Fake(0), Fake(1)])
    first, second = found({}, 1)
    assert not lost(first) and not lost(second)
    install(folder, [Fake(0)])
    assert not lost(first) and lost(second)
    install(folder, [])
    assert not lost(second)
