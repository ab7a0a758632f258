"""Processes in groups of their own: each is ended together with all that it has started."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from snakemake_executor_plugin_fuse import guard

if TYPE_CHECKING:
    from collections.abc import Mapping

GUARD = Path(guard.__file__)
# seconds from SIGTERM to SIGKILL: a job may first write down what it is amid, a GiB in some seconds
GRACE = 20.0
LAUNCHED_GRACE = 60.0  # the same for a launcher, which may have to wait for other machines
LEAVING = 5.0  # seconds that the guard may take before it is left to end by itself


@dataclass(frozen=True)
class End:
    """How a process is ended.

    Attributes:
        launched: whether it is a launcher, whose jobs may run on other machines.
        cancel: a shell command that asks these jobs to end, and succeeds once they will; empty:
            the launcher is to end them at a SIGTERM.
    """

    launched: bool = False
    cancel: str = ""

    @property
    def grace(self) -> float:
        """Seconds from the request to end to SIGKILL."""
        return LAUNCHED_GRACE if self.launched else GRACE

    @property
    def may_be_hurried(self) -> bool:
        """Whether nothing goes on elsewhere after an early SIGKILL."""
        return bool(self.cancel) or not self.launched


def bundle_command(command: str, jobs: Path, launcher: str) -> str:
    """The shell command that runs a bundle.

    Args:
        command: the rule's; its last argument is to be the file that lists the jobs.
        jobs: this file.
        launcher: a command to put in front of it, or empty.
    """
    line = f"{command.strip()} {shlex.quote(str(jobs))}"
    if not launcher.strip():
        return line
    # in a shell of its own: the launcher is to launch all parts of a command such as `a && b`.
    # The shell outlives signals: once it has ended, Slurm kills the command before it can finish.
    return f"{launcher} sh -c {shlex.quote(f'trap : TERM INT USR1 USR2; {line}')}"


class Process:
    """A shell command that runs in a process group of its own and reads no input.

    Args:
        command: for ``sh``.
        log: the file that takes what the command prints.
        extra: environment variables to add to this process's own.
        name: what the command and what cancels it know it by: ``FUSE_BUNDLE``.
        end: how it is ended.
    """

    def __init__(
        self, command: str, log: Path, extra: Mapping[str, str], name: str, end: End
    ) -> None:
        self.name = name
        self.end = end
        self._log = log
        self._cancelling: subprocess.Popen[bytes] | None = None
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                ["sh", "-c", command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **extra, guard.NAME: name},
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
        if status is None and self._cancelling is not None and self._cancelling.poll():
            self._cancelling = None  # it has failed
            self.send(signal.SIGTERM)
        if status is not None:
            if patient and _any_alive(self.group):
                return None
            self.send(signal.SIGKILL)
        return status

    def ask_to_end(self) -> None:
        """Ask it to end, and what its launcher has started."""
        if not self.end.cancel:
            self.send(signal.SIGTERM)
            return
        with self._log.open("ab") as output:
            self._cancelling = guard.cancelling(self.end.cancel, self.name, output)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to its whole group."""
        guard.send(self.group, number)


def _any_alive(group: int) -> bool:
    """Whether a process of this group has not ended; a zombie has."""
    if not guard.alive(group):
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
        end = process.end
        self._tell(watch=process.group, name=process.name, grace=end.grace, cancel=end.cancel)

    def forget(self, process: Process, killed: bool) -> None:
        """Take a process out again: it has ended, and its number may soon be another process's.

        Args:
            process: the process.
            killed: not by itself: it is cancelled once more, as what it launched may still run.
        """
        self._tell(**{"killed" if killed else "ended": process.group})

    def close(self) -> bool:
        """End what is still watched; whether the guard has ended, too.

        It has not where cancel commands fail: it tries them again, for some minutes.
        """
        with suppress(OSError):
            try:
                self._process.communicate(timeout=LEAVING)
            except subprocess.TimeoutExpired:
                return False
        return True

    def _tell(self, **line: object) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        with suppress(OSError):  # somebody has ended the guard: all goes on without one
            pipe.write(json.dumps(line).encode() + b"\n")
            pipe.flush()
