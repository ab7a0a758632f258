"""A process while it runs, and what it still owes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from snakemake_executor_plugin_fuse.packs import Unit, Work
    from snakemake_executor_plugin_fuse.process import Process
    from snakemake_executor_plugin_fuse.slots import Lease


@dataclass(eq=False)
class Running:
    """A unit and its process, while it runs.

    Attributes:
        name: of its files.
        waiting: its jobs that are not done, each with the outputs that are not there.
        started: when it was started, seconds since the epoch.
        began: the same on a clock that never goes back; so is ``ended``.
        status: its exit status, when it has ended.
    """

    unit: Unit
    name: str
    log: Path
    lease: Lease
    process: Process
    waiting: list[tuple[Work, list[Path]]]
    started: float
    began: float
    ended: float = 0.0
    status: int | None = None

    def appeared(self) -> list[Work]:
        """Jobs of a pack whose last output has appeared since the last call."""
        done, waiting = [], []
        for work, missing in self.waiting:
            before = bool(missing)
            while missing and missing[-1].exists():
                missing.pop()
            if before and not missing:
                done.append(work)
            else:
                waiting.append((work, missing))
        self.waiting = waiting
        return done
