"""How long the cells that are left will take, from those that have finished."""

from __future__ import annotations

from collections import deque

WINDOW = 24  # the last jobs, whose durations count: jobs differ, and neighbours are most alike
EARLY = 0.05  # of all jobs: until so many have finished, nothing is said where many run together
REST = 0.1  # of a job's expected time is taken to be left when it takes longer than expected


class Pace:
    """The speed at which jobs of one kind finish; times are seconds on any one clock.

    While every running job has a core of its own, what counts is how long jobs take. Where more
    jobs run than there are cores, some executor runs many in one process: then a job's own duration
    says little, and what counts is how many have finished since the first was started.

    Args:
        cores: jobs that can run at the same time; may be set later.
    """

    def __init__(self, cores: int = 1) -> None:
        self.cores = cores
        self.done = 0
        self._began: dict[int, float] = {}
        self._durations: deque[float] = deque(maxlen=WINDOW)
        self._peak = 0
        self._first = self._last = 0.0

    def start(self, job: int, now: float) -> None:
        """A job begins, or begins again after an error."""
        if not self._began and not self.done:
            self._first = now
        self._began[job] = now
        self._peak = max(self._peak, len(self._began))

    def drop(self, job: int) -> None:
        """A job ends without a result."""
        self._began.pop(job, None)

    def finish(self, job: int, now: float) -> None:
        """A job ends well."""
        self._durations.append(now - self._began.pop(job, now))
        self._last = now
        self.done += 1

    def left(self, remaining: int, now: float) -> float | None:
        """Seconds until ``remaining`` further jobs are done; None if too few have finished."""
        if not remaining:
            return 0.0
        together = self._peak > self.cores
        if not self.done or (together and self.done < EARLY * (self.done + remaining)):
            return None
        if together:
            each = (self._last - self._first) / self.done
            return max(remaining * each - (now - self._last), each * REST)
        each = sum(self._durations) / len(self._durations)
        running = sum(max(each - (now - began), each * REST) for began in self._began.values())
        waiting = max(remaining - len(self._began), 0) * each
        side_by_side = (running + waiting) / max(min(self._peak, remaining), 1)
        return max(side_by_side, each) if waiting else side_by_side  # the last is yet to start
