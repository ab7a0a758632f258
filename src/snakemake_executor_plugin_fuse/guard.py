"""The program behind ``process.Guard``: it outlives Snakemake and ends what Snakemake has left.

It reads lines: ``+NUMBER`` is a process group to watch, ``-NUMBER`` one to forget. Its input ends
when the process that writes it dies; whatever is watched then is ended.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress

GRACE = 3.0  # seconds from SIGTERM to SIGKILL


def main() -> None:
    """Read until the input ends, then end the groups that are still watched."""
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    if groups:
        send(groups, signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        while any(map(alive, groups)) and time.monotonic() < deadline:
            time.sleep(0.05)
        send(groups, signal.SIGKILL)


def send(groups: set[int], number: signal.Signals) -> None:
    """Send a signal to every group that is still there."""
    for group in groups:
        with suppress(OSError):
            os.killpg(group, number)


def alive(group: int) -> bool:
    """Whether any process of a group is there."""
    try:
        os.killpg(group, 0)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
