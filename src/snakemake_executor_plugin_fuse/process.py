"""Processes in groups of their own: each is ended together with all that it has started."""

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


def bundle_command(command: str, jobs: Path, launcher: str) -> str:
    """The shell command that runs a bundle.

    Args:
        command: the rule's; its last argument is to be the file that lists the jobs.
        jobs: this file.
        launcher: a command to put in front of it, or empty.
    """
    line = f"{command.strip()} {shlex.quote(str(jobs))}"
    # in a shell of its own: the launcher is to launch all parts of a command such as `a && b`
    return f"{launcher} sh -c {shlex.quote(line)}" if launcher.strip() else line


class Process:
    """A shell command that runs in a process group of its own and reads no input.

    Args:
        command: for ``sh``.
        log: the file that takes what the command prints.
        extra: environment variables to add to this process's own.
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

        Processes of its group that outlive it are killed: they would go on to write outputs that
        have been given up.

        Args:
            patient: let them end by themselves: a shell that is asked to end does so at once, the
                command that it has started may take a while.
        """
        status = self._process.poll()
        if status is not None:
            if patient and _any_alive(self.group):
                return None
            self.send(signal.SIGKILL)
        return status

    def send(self, number: signal.Signals) -> None:
        """Send a signal to its whole group."""
        with suppress(ProcessLookupError, PermissionError):  # macOS: all of the group have ended
            os.killpg(self.group, number)


def _any_alive(group: int) -> bool:
    """Whether a process of this group has not ended; a zombie has."""
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
    return not stats  # where there is no /proc, some process took the signal above


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
    """A process that outlives this one and then ends the processes that it is told to watch.

    The kernel, too, can send a signal to a process whose parent dies. But that reaches only the
    shells that are started here, not the commands that they start.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(GUARD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self, process: Process) -> None:
        """Add a process to those that are ended when this one dies."""
        self._write(f"+{process.group}\n")

    def forget(self, process: Process) -> None:
        """Take a process out again: it has ended, and its number may soon be another process's."""
        self._write(f"-{process.group}\n")

    def close(self) -> None:
        """End what is still watched, and wait until the guard itself has ended."""
        with suppress(OSError):
            self._process.communicate()

    def _write(self, line: str) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        with suppress(OSError):  # somebody has ended the guard: all goes on without one
            pipe.write(line.encode())
            pipe.flush()
