"""How much of the machine other processes use: a step time means little on a busy one."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from trainscape.hardware import usable_cores

TOO_HIGH = 0.1  # share of the cores; above it the step times are flagged as too long
GLANCE = 0.5  # seconds of watching before and after


@dataclass(frozen=True)
class Clock:
    """A reading: seconds that have passed, that the cores were busy, and that were our own."""

    wall: float
    busy: float
    own: float

    @classmethod
    def now(cls) -> Clock:
        """The reading of this moment; "own" is this process and its children that have ended."""
        return cls(time.perf_counter(), _busy(), sum(os.times()[:4]))


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


def _busy() -> float:
    """Seconds that the usable cores have been busy, with what a hypervisor took away."""
    import psutil  # here, since only a measurement needs it

    every = psutil.cpu_times(percpu=True)
    # a container may number its own cores, but be shown only some of the machine's
    ours = [every[i] for i in usable_cores() if i < len(every)] or every
    return sum(_working(core._asdict()) for core in ours)


def _working(core: dict[str, float]) -> float:
    # Linux counts the time of guests in user and nice already.
    resting = ("idle", "iowait", "guest", "guest_nice")
    return sum(seconds for name, seconds in core.items() if name not in resting)
