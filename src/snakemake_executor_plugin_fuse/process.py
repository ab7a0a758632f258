"""Processes in groups of their own: start one, say how it ended, end it with all it started."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

GUARD = Path(__file__).with_name("guard.py")


def pack_command(command: str, jobs: Path, launcher: str) -> str:
    """The shell command of a pack.

    Args:
        command: a shell command that reads the list of jobs named by its last argument.
        jobs: the list of jobs.
        launcher: command put in front of it, or empty.
    """
    line = f"{command.strip()} {shlex.quote(str(jobs))}"
    # a shell of its own: the launcher launches all of a command of several parts
    return f"{launcher} sh -c {shlex.quote(line)}" if launcher.strip() else line


class Process:
    """A shell command in a process group of its own, without input, its output in a file.

    Args:
        command: for ``sh``.
        log: takes what the command prints.
        extra: environment variables beside this process's own.
    """

    def __init__(self, command: str, log: Path, extra: Mapping[str, str]) -> None:
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                ["sh", "-c", command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **extra},
                start_new_session=True,  # a Ctrl-C in the terminal reaches Snakemake alone
            )

    @property
    def group(self) -> int:
        return self._process.pid

    def exit(self, patient: bool = False) -> int | None:
        """Its exit status, negative for a signal; None while it runs.

        What it has left running when it ends is killed.

        Args:
            patient: wait for that, too: a shell ends at once when asked to, its command may not.
        """
        status = self._process.poll()
        if status is not None:
            if patient and _alive(self.group):
                return None
            self.send(signal.SIGKILL)  # would go on writing outputs that are given up
        return status

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it and all it started."""
        with suppress(ProcessLookupError, PermissionError):  # macOS says so of a group of zombies
            os.killpg(self.group, number)


def _alive(group: int) -> bool:
    """Whether a process of this group is there that has not ended: a zombie has."""
    try:
        os.killpg(group, 0)
    except OSError:
        return False
    stats = list(Path("/proc").glob("[0-9]*/stat"))
    for stat in stats:
        with suppress(OSError):
            state, _, member = stat.read_text().rpartition(")")[2].split()[:3]
            if int(member) == group and state not in "ZX":
                return True
    return not stats  # no /proc here: believe the signal


def ending(status: int) -> str:
    """How a process ended, in words.

    >>> ending(3), ending(-9), ending(137)
    ('exit status 3', 'signal SIGKILL', 'exit status 137 (128 + SIGKILL)')
    """
    try:
        name = signal.Signals(-status if status < 0 else status - 128).name
    except ValueError:
        return f"exit status {status}"
    return f"signal {name}" if status < 0 else f"exit status {status} (128 + {name})"


class Guard:
    """Ends all packs when this process dies, however it dies: a process that outlives it.

    The kernel could send packs a signal when their parent dies, but only to the shell that was
    started here, not to what that shell starts.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self, process: Process) -> None:
        """End this process, too, when the time comes."""
        self._tell(f"+{process.group}\n")

    def forget(self, process: Process) -> None:
        """Leave it alone: it has ended, and its number may be another's soon."""
        self._tell(f"-{process.group}\n")

    def close(self) -> None:
        """Go, and wait until it is gone."""
        with suppress(OSError):
            self._process.communicate()

    def _tell(self, line: str) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        with suppress(OSError):  # somebody ended the guard: packs run without one
            pipe.write(line.encode())
            pipe.flush()
