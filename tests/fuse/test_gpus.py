"""Which GPUs a process may use."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from snakemake_executor_plugin_fuse import gpus
from snakemake_executor_plugin_fuse.gpus import visible

if TYPE_CHECKING:
    from pathlib import Path

A, B = "GPU-aa4f-01", "GPU-ab90-02"
SMI = f"""#!/bin/sh
echo >> "$0.asked"
echo 'GPU 0: NVIDIA A100-SXM4-40GB (UUID: {A})'
echo '  MIG 1g.5gb      Device  0: (UUID: MIG-c6d4-11)'
echo '  MIG 2g.10gb     Device  1: (UUID: MIG-77aa-12)'
echo 'GPU 1: NVIDIA T4 (UUID: {B})'
"""


@pytest.fixture(autouse=True)
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A driver that lists two GPUs, and a machine without nvidia-smi; gives the driver's folder."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(gpus, "DRIVER", tmp_path / "driver")
    for bus, model, uuid in (("01", "NVIDIA A100-SXM4-40GB", A), ("41", "NVIDIA T4", B)):
        file = tmp_path / "driver" / f"0000:{bus}:00.0" / "information"
        file.parent.mkdir(parents=True)
        file.write_text(f"Model: \t\t {model}\nIRQ:   \t\t 5\nGPU UUID: \t {uuid}\n")
    return tmp_path / "driver"


@pytest.fixture
def nvidia_smi(tmp_path: Path) -> Path:
    """An nvidia-smi that lists two GPUs, the first in two slices; its path."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(SMI)
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("listed", "names"),
    [
        (None, ["0", "1"]),
        ("", []),
        (" ", []),
        ("-1", []),
        ("none", []),
        ("NoDevFiles", []),
        ("-1,0", []),
        ("0", ["0"]),
        ("1,0", ["1", "0"]),
        ("0,-1,1", ["0"]),
        ("0,2,1", ["0"]),
        ("2", []),
        ("0,0", []),
        ("0,1,00", []),
        (" 1 , 0 ", ["1", "0"]),
        ("+1", ["1"]),
        ("1gpu", ["1"]),
        ("0,", ["0"]),
        (",0", []),
        (A, [A]),
        (f"{B}, {A}", [B, A]),
        ("GPU-ab", ["GPU-ab"]),
        ("GPU-a", []),  # either of the two
        (f"{A},{A}", []),
        (f"{A},GPU-aa", []),
        (f"GPU-c,{A}", []),
        (f"0,{B}", ["0"]),
        (f"{B},0", [B]),
        ("MIG-c6d4-11", []),
    ],
)
def test_the_list_is_read_as_torch_reads_it(listed: str | None, names: list[str]) -> None:
    """The list ends at its first entry that names no GPU; one named twice makes all of it void."""
    assert list(visible({} if listed is None else {"CUDA_VISIBLE_DEVICES": listed})) == names


def test_each_gpu_has_its_model() -> None:
    """In the order of the list."""
    models = {"1": "NVIDIA T4", "0": "NVIDIA A100-SXM4-40GB"}
    assert list(visible({"CUDA_VISIBLE_DEVICES": "1,0"}).items()) == list(models.items())


def test_a_driver_that_says_nothing_of_a_gpu_still_has_it(driver: Path) -> None:
    """A GPU whose file is empty counts, by its number."""
    for file in driver.glob("*/information"):
        file.write_text("")
    assert visible({}) == {"0": "GPU", "1": "GPU"}


def test_slices_are_found_by_nvidia_smi(nvidia_smi: Path) -> None:
    """A slice of a GPU is named by its UUID and has a model of its own; no number means one."""
    slices = visible({"CUDA_VISIBLE_DEVICES": "MIG-c6d4-11,MIG-77aa-12"})
    assert slices == {
        "MIG-c6d4-11": "NVIDIA A100-SXM4-40GB MIG 1g.5gb",
        "MIG-77aa-12": "NVIDIA A100-SXM4-40GB MIG 2g.10gb",
    }
    assert list(visible({})) == ["0", "1"]


@pytest.mark.usefixtures("nvidia_smi")
def test_without_the_driver_s_folder_nvidia_smi_is_asked_once(
    tmp_path: Path, nvidia_smi: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gives the same answers, and is started once a process."""
    monkeypatch.setattr(gpus, "DRIVER", tmp_path / "none")
    assert visible({}) == {"0": "NVIDIA A100-SXM4-40GB", "1": "NVIDIA T4"}
    assert list(visible({"CUDA_VISIBLE_DEVICES": f"{B},{A}"})) == [B, A]
    assert visible({"CUDA_VISIBLE_DEVICES": "2"}) == {}
    assert nvidia_smi.with_name("nvidia-smi.asked").read_text() == "\n"


@pytest.mark.parametrize("script", ["exit 9", "echo 'NVIDIA-SMI has failed'", None])
def test_no_driver_is_no_gpu(
    tmp_path: Path, nvidia_smi: Path, monkeypatch: pytest.MonkeyPatch, script: str | None
) -> None:
    """Neither is an nvidia-smi that fails, or none."""
    monkeypatch.setattr(gpus, "DRIVER", tmp_path / "none")
    nvidia_smi.write_text(f"#!/bin/sh\n{script}\n")
    if script is None:
        nvidia_smi.unlink()
    assert visible({}) == visible({"CUDA_VISIBLE_DEVICES": "0"}) == {}


def test_finding_gpus_does_not_load_snakemake() -> None:
    """Whoever imports this module alone pays for the standard library alone."""
    code = (
        "import sys\n"
        "from snakemake_executor_plugin_fuse.gpus import visible\n"
        "visible({})\n"
        "print(sorted(name for name in sys.modules if name.startswith('snakemake')))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == (
        "['snakemake_executor_plugin_fuse', 'snakemake_executor_plugin_fuse.gpus']\n"
    )
