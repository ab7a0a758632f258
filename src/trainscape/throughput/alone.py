"""The machine to itself: one measurement at a time, and what other processes use meanwhile.

A step time means little on a busy machine.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainscape.hardware import usable_cores

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK = "trainscape-throughput.lock"
TOO_HIGH = 0.1  # share of the cores; above it the step times are flagged as too long
GLANCE = 0.5  # seconds of watching before and after


@contextmanager
def alone() -> Iterator[dict[str, Any]]:
    """Hold the one lock of this machine for measurements; wait for whoever has it.

    Yields:
        An empty mapping. When the block has ended it holds the load: the shares of the usable
        cores, 0 to 1, that others used ``before``, ``during`` and ``after`` it, and whether one
        of them is ``too_high``.
    """
    from filelock import FileLock, Timeout

    # Open to every user: the machine is one, whoever measures on it.
    lock = FileLock(Path(tempfile.gettempdir(), LOCK), mode=0o666)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say("another measurement has this machine; waiting for it to end")
        lock.acquire()
    load: dict[str, Any] = {}
    try:
        before = glance()
        start = Clock.now()
        yield load
        during = share(start, Clock.now())
        load.update(before=before, during=during, after=glance())
    finally:
        lock.release()
    load["too_high"] = max(load.values()) > TOO_HIGH
    if load["too_high"]:
        say(f"others used more than {TOO_HIGH:.0%} of the machine: the times are too long")


def say(text: str) -> None:
    """A line on stderr, at once."""
    print(f"throughput: {text}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Clock:
    """A reading: seconds that have passed, that the cores were busy, and that were our own."""

    wall: float
    busy: float
    own: float

    @classmethod
    def now(cls) -> Clock:
        """The reading of this moment; "own" is this process and its children that have ended."""
        return cls(time.perf_counter(), busy(), sum(os.times()[:4]))


def share(start: Clock, end: Clock) -> float:
    """The share of the usable cores, 0 to 1, that others used between two readings."""
    others = (end.busy - start.busy) - (end.own - start.own)
    available = (end.wall - start.wall) * len(usable_cores())
    return round(min(1.0, max(0.0, others / available)), 3)


def glance() -> float:
    """The share that others use now, watched for a moment."""
    start = Clock.now()
    time.sleep(GLANCE)
    return share(start, Clock.now())


def busy() -> float:
    """Seconds that the usable cores have been busy, with what a hypervisor took away."""
    import psutil  # here, since only a measurement needs it

    every = psutil.cpu_times(percpu=True)
    # a container may number its own cores, but be shown only some of the machine's
    ours = [every[i] for i in usable_cores() if i < len(every)] or every
    return sum(working(core._asdict()) for core in ours)


def working(core: dict[str, float]) -> float:
    """The seconds that a core was not at rest, of psutil's seconds by kind."""
    # Linux counts the time of guests in user and nice already.
    resting = ("idle", "iowait", "guest", "guest_nice")
    return sum(seconds for name, seconds in core.items() if name not in resting)
