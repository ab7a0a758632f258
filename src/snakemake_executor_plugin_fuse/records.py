"""What processes leave under ``.snakemake/fuse``: lists of jobs, logs, and a timing record."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from snakemake_interface_common.exceptions import WorkflowError

if TYPE_CHECKING:
    from pathlib import Path

    from snakemake_executor_plugin_fuse.bundles import Bundle
    from snakemake_executor_plugin_fuse.running import Running

KEPT = 5  # runs whose files are kept, this one included
TAIL = 20  # lines shown of the log of a process that failed


class Records:
    """The folder of one run, made with its first process; folders of older runs are removed.

    Runs of other targets may go on beside this one. A run locks its folder while it lasts, so that
    no other removes it.

    Args:
        root: the folder of all runs.

    Attributes:
        run: a name for this run.
        folder: its folder.
    """

    def __init__(self, root: Path) -> None:
        self._timings = root / "bundles.jsonl"
        # the process: two runs may begin in one second
        self.run = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}"
        self.folder = root / self.run
        self.folder.mkdir(parents=True)
        with suppress(OSError):  # a file system without locks: there, no run's folder is removed
            _lock(self.folder)
        runs = sorted(path for path in root.iterdir() if path.is_dir())
        for old in runs[:-KEPT]:
            _remove_unless_locked(old)

    def log(self, name: str) -> Path:
        """Where a process writes what it prints."""
        return self.folder / f"{name}.log"

    def write_jobs(self, name: str, bundle: Bundle) -> Path:
        """Write the list of a bundle's jobs, one JSON object a line; its path."""
        path = self.folder / f"{name}.jobs.jsonl"
        path.write_text("".join(task.line + "\n" for task in bundle.tasks), encoding="ascii")
        return path

    def note(self, running: Running, status: int) -> None:
        """Add a process that has ended to the timing record.

        Args:
            running: the process, with its jobs.
            status: its exit status, negative for a signal.
        """
        line = {
            "run": self.run,
            "name": running.name,
            "key": running.bundle.key,
            "jobs": len(running.bundle.tasks),
            "cost": running.bundle.cost,
            "gpus": running.lease.names,
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(running.started)),
            "seconds": round(running.ended - running.began, 3),
            "exit": status,
        }
        with suppress(OSError), self._timings.open("a", encoding="ascii") as file:  # a full disk
            file.write(json.dumps(line) + "\n")


def _lock(folder: Path) -> int:
    """Lock a run's folder, until this process ends or the descriptor that it returns is closed.

    Raises:
        OSError: another process holds the lock, or there are no locks here.
    """
    descriptor = os.open(folder / "lock", os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _remove_unless_locked(folder: Path) -> None:
    with suppress(OSError):  # its run goes on, or another run has just removed it
        descriptor = _lock(folder)
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def in_a_line(error: Exception) -> Exception:
    """An error of the system, such as a full disk, as one that Snakemake shows without code."""
    if not isinstance(error, OSError):
        return error
    where = f"{os.path.relpath(error.filename)}: " if isinstance(error.filename, str) else ""
    return WorkflowError(
        f"{where}{error.strerror or error}: no more processes can be started; when that is mended, "
        "run the same command again"
    )


def job_line(outputs: list[str], logs: list[str]) -> str:
    """A job's line in the list that the bundle command reads."""
    return json.dumps({"output": outputs, "log": logs})


def point_to(log: Path, bundle: Bundle) -> None:
    """Write a line that names the process's log to every job's log that was left empty."""
    for path in (path for task in bundle.tasks for path in task.logs):
        with suppress(OSError):
            if not path.exists() or not path.stat().st_size:
                path.write_text(f"What its process printed is in {log}\n", encoding="utf-8")


def tail(log: Path) -> str:
    """The path of a log and how it ends, indented."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return f"  log: {log} (cannot be read)"
    head = f"  log: {log}" + (f" (its last {TAIL} lines)" if len(lines) > TAIL else "")
    return "\n".join([head if lines else f"{head} (empty)", *(f"  | {x}" for x in lines[-TAIL:])])
