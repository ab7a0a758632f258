"""GPUs that are not there: an ``nvidia-smi`` that lists them, for processes that look for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """#!/bin/sh
case "$1" in
-L) cat "$(dirname "$0")/gpus.txt" ;;
--query-gpu=uuid,memory.total,memory.free) cat "$(dirname "$0")/memory.txt" ;;
*) exit 2 ;;
esac
"""


class Fake(NamedTuple):
    """A GPU.

    Attributes:
        number: its place; its UUID is ``GPU-fake-<number>``.
        model: such as ``NVIDIA T4``.
        total: its memory, in MiB.
        free: what others leave of it.
        slices: the names of its slices (MIG); each has the UUID ``MIG-<number>-<place>``.
    """

    number: int
    model: str = "Fake"
    total: int = 24000
    free: int = 23500
    slices: tuple[str, ...] = ()

    @property
    def uuid(self) -> str:
        return f"GPU-fake-{self.number}"


def install(folder: Path, gpus: list[Fake]) -> None:
    """Write an ``nvidia-smi`` that lists these GPUs, or change what one there lists."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "nvidia-smi"
    program.write_text(SCRIPT)
    program.chmod(0o755)
    listed, memory = [], []
    for gpu in gpus:
        listed.append(f"GPU {gpu.number}: {gpu.model} (UUID: {gpu.uuid})")
        listed += [
            f"  MIG {name}      Device  {place}: (UUID: MIG-{gpu.number}-{place})"
            for place, name in enumerate(gpu.slices)
        ]
        free = "[N/A]" if gpu.slices else gpu.free
        memory.append(f"{gpu.uuid}, {gpu.total}, {free}")
    (folder / "gpus.txt").write_text("".join(f"{line}\n" for line in listed))
    (folder / "memory.txt").write_text("".join(f"{line}\n" for line in memory))
