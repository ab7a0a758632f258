"""Outlives Snakemake by a moment, to end the packs that it left; see ``process.Guard``.

Reads ``+GROUP`` and ``-GROUP`` lines, process groups to watch and to forget. Its input ends when
the process that writes it ends: by then every group still watched belongs to nobody.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress

GRACE = 3.0  # seconds from SIGTERM to SIGKILL


def main() -> None:
    """Watch until the input ends, then end what is left."""
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    if groups:
        end(groups, signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        while any(map(alive, groups)) and time.monotonic() < deadline:
            time.sleep(0.05)
        end(groups, signal.SIGKILL)


def end(groups: set[int], number: signal.Signals) -> None:
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
