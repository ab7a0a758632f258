"""What packs leave under ``.snakemake/fuse``: lists of jobs, logs, and a timing record."""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from snakemake_executor_plugin_fuse.packs import Unit

KEPT = 5  # runs whose files are kept, this one included
TAIL = 20  # lines shown of the log of a pack that failed


class Records:
    """The folder of one run; made with its first process, when older runs' folders are swept.

    Args:
        root: the folder of all runs.
    """

    def __init__(self, root: Path) -> None:
        self._timings = root / "packs.jsonl"
        # the process: two runs may begin in one second
        self._run = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}"
        self.folder = root / self._run
        self.folder.mkdir(parents=True)
        runs = sorted(path for path in root.iterdir() if path.is_dir())
        for old in runs[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)

    def log(self, name: str) -> Path:
        """Where a process writes what it prints."""
        return self.folder / f"{name}.log"

    def write_jobs(self, name: str, unit: Unit) -> Path:
        """Write the list of a pack's jobs, one JSON object a line; its path."""
        path = self.folder / f"{name}.jobs.jsonl"
        path.write_text("".join(work.listed + "\n" for work in unit.works), encoding="ascii")
        return path

    def note(self, name: str, unit: Unit, started: float, seconds: float, status: int) -> None:
        """Add a process that has ended to the timing record.

        Args:
            name: its name in this run.
            unit: what it did.
            started: when it was started, seconds since the epoch.
            seconds: how long it ran.
            status: its exit status, negative for a signal.
        """
        line = {
            "run": self._run,
            "name": name,
            "key": unit.key,
            "jobs": len(unit.works),
            "cost": unit.cost,
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
            "seconds": round(seconds, 3),
            "exit": status,
        }
        with self._timings.open("a", encoding="ascii") as file:
            file.write(json.dumps(line) + "\n")


def job_line(outputs: list[str], logs: list[str]) -> str:
    """A job's line in the list that a pack's command reads."""
    return json.dumps({"output": outputs, "log": logs})


def point_to(log: Path, unit: Unit) -> None:
    """Write a line that names the process's log to every job's log that was left empty."""
    for path in (path for work in unit.works for path in work.logs):
        with suppress(OSError):
            if not path.exists() or not path.stat().st_size:
                path.write_text(f"What its process printed is in {log}\n", encoding="utf-8")


def tail(log: Path) -> str:
    """How a log ends, indented, its name first."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return f"  log: {log} (cannot be read)"
    head = f"  log: {log}" + (f" (its last {TAIL} lines)" if len(lines) > TAIL else "")
    return "\n".join([head if lines else f"{head} (empty)", *(f"  | {x}" for x in lines[-TAIL:])])
