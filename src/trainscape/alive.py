"""Whether the process that left something still runs: numbers of processes are given out again."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from pathlib import Path

from trainscape.hashing import sha256

PROC = Path("/proc")
UNKNOWN = "unknown"  # when a process started, where the system has no /proc or hides the process


@cache
def machine() -> str:
    """8 hex digits for this machine, or for this container, which numbers processes by itself."""
    with suppress(OSError):
        return sha256([os.uname().nodename, str((PROC / "self/ns/pid").readlink())])[:8]
    return sha256(os.uname().nodename)[:8]


def runs(process: int, start: str) -> bool:
    """Whether the process of this number, on this machine, is the one that started then.

    Args:
        process: its number.
        start: what :func:`started` said of it.
    """
    try:
        os.kill(process, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:  # it is another user's
        pass
    return started(process) in (start, UNKNOWN)


def started(process: int) -> str:
    """When a process of this machine started, in 8 hex digits; ``ended`` if it is a zombie."""
    try:
        # after the program's name, which may hold anything
        fields = (PROC / str(process) / "stat").read_text().rpartition(")")[2].split()
        boot = (PROC / "sys/kernel/random/boot_id").read_text()
    except OSError:
        return UNKNOWN
    state, ticks = fields[0], fields[19]  # ticks of the clock since the machine was started
    return "ended" if state in "ZX" else sha256([boot, ticks])[:8]
