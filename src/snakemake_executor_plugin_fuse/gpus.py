"""The GPUs that packs may use, without loading a GPU library."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "CUDA_VISIBLE_DEVICES"
DRIVER = Path("/proc/driver/nvidia/gpus")  # a folder per GPU


def visible(environment: Mapping[str, str], driver: Path = DRIVER) -> list[str]:
    """The GPUs by the names that ``CUDA_VISIBLE_DEVICES`` takes: numbers or UUIDs.

    Args:
        environment: whose ``CUDA_VISIBLE_DEVICES``, if it is there, is the answer.
        driver: where the driver lists its GPUs; without it ``nvidia-smi`` is asked.
    """
    listed = environment.get(VARIABLE)
    if listed is not None:
        return _named(listed)
    count = len(list(driver.iterdir())) if driver.is_dir() else _counted()
    return [str(number) for number in range(count)]


def _named(listed: str) -> list[str]:
    """The names in a list, up to the first that names no GPU, as CUDA reads it."""
    names: list[str] = []
    for name in (part.strip() for part in listed.split(",")):
        if not (name.isdigit() or name.startswith(("GPU-", "MIG-"))):
            break
        if name not in names:
            names.append(name)
    return names


def _counted() -> int:
    program = shutil.which("nvidia-smi")
    if not program:
        return 0
    try:
        told = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return sum(line.startswith("GPU ") for line in told.stdout.splitlines())
