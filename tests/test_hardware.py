from __future__ import annotations

import json
import os
import platform
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from snakemake_executor_plugin_fuse import gpus
from trainscape import hardware, study
from trainscape.errors import UserError
from trainscape.pipeline.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path

EPYC = "avx2 fma avx512f avx512bw avx512dq avx512vl"
GIB = 2**30


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A made-up machine: four threads on two cores, 16 GiB, no GPU; gives its folder."""
    monkeypatch.setattr(hardware, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(hardware, "TOPOLOGY", tmp_path / "cpu")
    monkeypatch.setattr(gpus, "DRIVER", tmp_path / "gpus")
    monkeypatch.setattr(hardware, "usable_cores", lambda: [0, 1, 2, 3])
    monkeypatch.setattr(hardware, "torch_version", lambda: "2.11.0")
    memory = {"SC_PHYS_PAGES": 16 * GIB // 4096 - 1000, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(os, "sysconf", memory.__getitem__)
    monkeypatch.setattr(platform, "python_version_tuple", lambda: ("3", "12", "4"))
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    processor(tmp_path, f"model name\t: AMD  EPYC 9554\nflags\t\t: fpu {EPYC}\n")
    for core in range(4):
        siblings = tmp_path / "cpu" / f"cpu{core}" / "topology" / "thread_siblings_list"
        siblings.parent.mkdir(parents=True)
        siblings.write_text(f"{core % 2},{core % 2 + 2}\n")
    return tmp_path


def processor(machine: Path, text: str) -> None:
    """Let the kernel say ``text`` of the first core, and something else of the second."""
    (machine / "cpuinfo").write_text(f"processor\t: 0\n{text}\nprocessor\t: 1\nmodel name\t: no\n")


def gpu(machine: Path, *models: str) -> None:
    """Put GPUs into the machine."""
    for i, model in enumerate(models):
        information = machine / "gpus" / f"0000:0{i}:00.0" / "information"
        information.parent.mkdir(parents=True, exist_ok=True)
        information.write_text(f"Model: \t\t {model}\nIRQ:   \t\t 5\nGPU UUID: \t GPU-5f\n")


@pytest.mark.usefixtures("machine")
def test_describe() -> None:
    """The machine is described by these words and no others: no host, user or path."""
    assert hardware.describe() == {
        "cpu": "AMD EPYC 9554",
        "isa": "avx512",
        "cores": 4,
        "physical_cores": 2,
        "memory_gib": 16,
        "gpu": None,
        "torch": "2.11.0",
        "python": "3.12",
    }


def test_describes_this_machine() -> None:
    """Every word but the GPU is known of the machine that runs the tests, as strict JSON."""
    found = hardware.describe()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert all(value for name, value in found.items() if name != "gpu")
    assert 1 <= found["physical_cores"] <= found["cores"] == len(hardware.usable_cores())
    assert "+" not in found["torch"]


@pytest.mark.parametrize(
    ("text", "cpu", "isa"),
    [
        ("model name\t: Xeon\nflags\t: avx2 fma avx512f\n", "Xeon", "avx2"),
        ("model name\t: Old\nflags\t: sse2\n", "Old", "default"),
        (
            "CPU implementer\t: 0x41\nFeatures\t: fp asimd\nCPU part\t: 0xd40\n",
            "0x41:0xd40",
            "neon",
        ),
        (
            "CPU implementer\t: 0x41\nFeatures\t: asimd sve\nCPU part\t: 0xd4f\n",
            "0x41:0xd4f",
            "sve",
        ),
    ],
)
def test_processors(machine: Path, text: str, cpu: str, isa: str) -> None:
    """A processor is known by its model, or its numbers, and the set that torch's kernels use."""
    processor(machine, text)
    found = hardware.describe()
    assert found["cpu"].endswith(cpu)
    assert found["isa"] == isa


def test_silent_kernel(machine: Path) -> None:
    """Where the kernel says nothing of its cores, the machine still has a name and cores."""
    (machine / "cpuinfo").unlink()
    (machine / "cpu" / "cpu3" / "topology" / "thread_siblings_list").unlink()
    found = hardware.describe()
    assert found["cpu"]
    assert found["physical_cores"] == found["cores"] == 4


@pytest.mark.parametrize(
    ("listed", "named"),
    [
        (None, "2 × NVIDIA H200, NVIDIA L4"),
        ("1", "NVIDIA H200"),
        ("2,0", "NVIDIA H200, NVIDIA L4"),
        ("2,7", "NVIDIA L4"),
        *((nothing, None) for nothing in ("", "-1", "none", "NoDevFiles", "-1,0", "7", "0,0")),
    ],
)
def test_gpus(
    machine: Path, monkeypatch: pytest.MonkeyPatch, listed: str | None, named: str | None
) -> None:
    """GPUs are counted by their models; those that CUDA_VISIBLE_DEVICES hides do not count."""
    gpu(machine, "NVIDIA H200", "NVIDIA H200", "NVIDIA L4")
    if listed is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", listed)
    assert hardware.gpus() == hardware.describe()["gpu"] == named


def test_fingerprint_of_speed(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processor, cores and torch change the fingerprint; memory and Python's version do not."""
    first = hardware.fingerprint("cpu")
    assert len(first) == 12
    assert int(first, 16) >= 0
    changed = []
    for name, value in (
        ("usable_cores", lambda: [0, 1]),
        ("torch_version", lambda: "2.12.0"),
        ("_cpu_model", lambda _: "another"),
        ("_instruction_set", lambda _: "avx2"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(hardware, name, value)
            changed.append(hardware.fingerprint("cpu"))
    assert len({first, *changed}) == 5
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": GIB, "SC_PAGE_SIZE": 1}.__getitem__)
    monkeypatch.setattr(platform, "python_version_tuple", lambda: ("3", "11", "9"))
    assert hardware.fingerprint("cpu") == first


def test_fingerprint_of_device(machine: Path) -> None:
    """A GPU counts unless the study insists on the CPU; without one, auto is the CPU."""
    assert hardware.fingerprint("auto") == hardware.fingerprint("cpu")
    before = hardware.fingerprint("cpu")
    gpu(machine, "NVIDIA H200")
    assert hardware.fingerprint("cpu") == before
    assert hardware.fingerprint("auto") == hardware.fingerprint("cuda") != before


def test_quick() -> None:
    """Naming the machine takes under 20 ms: every parse of the Snakefile does it."""
    times = []
    for _ in range(5):
        start = time.process_time()
        hardware.fingerprint("auto")
        times.append(time.process_time() - start)
    assert min(times) < 0.02


@pytest.mark.parametrize("width", ["foo", "0", "-1", "1.5"])
def test_a_width_that_is_none_is_refused_before_any_job(
    width: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The study's files cannot be listed, and so no job starts that would fail by it."""
    monkeypatch.setenv("TRAINSCAPE_WIDTH", width)
    with pytest.raises(UserError) as refused:
        Layout(study.parse({}, "study"))
    said = f"TRAINSCAPE_WIDTH: {width!r} is no width; choose a whole number above 0"
    assert str(refused.value) == said
