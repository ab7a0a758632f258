"""Which GPUs there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from snakemake_executor_plugin_fuse.gpus import visible

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("listed", "names"),
    [
        ("3,5", ["3", "5"]),
        (" 1 , GPU-8b1f0c , MIG-1/2/3 ", ["1", "GPU-8b1f0c", "MIG-1/2/3"]),
        ("", []),
        ("-1", []),
        ("0,-1,1", ["0"]),  # CUDA stops reading there
        ("2,2", ["2"]),
        ("NoDevFiles", []),
    ],
)
def test_an_existing_list_is_respected(listed: str, names: list[str]) -> None:
    """CUDA_VISIBLE_DEVICES decides, by numbers or UUIDs, whatever the machine has."""
    assert visible({"CUDA_VISIBLE_DEVICES": listed}) == names


def test_without_a_list_the_driver_is_asked(tmp_path: Path) -> None:
    """Every GPU that the driver lists, by number."""
    for name in ("0000:01:00.0", "0000:41:00.0"):
        (tmp_path / name).mkdir()
    assert visible({}, driver=tmp_path) == ["0", "1"]


def test_without_the_driver_s_list_nvidia_smi_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line of nvidia-smi -L for each GPU; no program, no GPU."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert visible({}, driver=tmp_path / "none") == []
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'GPU 0: A (UUID: GPU-1)'\necho '  MIG 1g'\n")
    program.chmod(0o755)
    assert visible({}, driver=tmp_path / "none") == ["0"]
