"""A process while it runs, and the outputs that it still owes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from snakemake_executor_plugin_fuse.bundles import Bundle, Task
    from snakemake_executor_plugin_fuse.process import Process
    from snakemake_executor_plugin_fuse.slots import Lease


@dataclass(eq=False)
class Running:
    """A bundle and its process, while it runs.

    Attributes:
        bundle: its jobs.
        name: of its files.
        log: takes what it prints.
        lease: the slots that it holds.
        process: runs its command.
        waiting: its jobs that are not done, each with the outputs that are not there.
        started: when it was started, seconds since the epoch.
        began: when it was started, on a clock that never goes back.
        ended: when it ended, on the same clock.
        status: its exit status; None while it runs.
    """

    bundle: Bundle
    name: str
    log: Path
    lease: Lease
    process: Process
    waiting: list[tuple[Task, list[Path]]]
    started: float
    began: float
    ended: float = 0.0
    status: int | None = None

    def newly_done(self) -> list[Task]:
        """The jobs whose last output has appeared since the last call."""
        done, waiting = [], []
        for task, missing in self.waiting:
            owed = bool(missing)
            while missing and missing[-1].exists():
                missing.pop()
            if owed and not missing:
                done.append(task)
            else:
                waiting.append((task, missing))
        self.waiting = waiting
        return done

    def owes_outputs(self) -> bool:
        """Whether an output of any of its jobs is not there."""
        return any(missing for _, missing in self.waiting)
