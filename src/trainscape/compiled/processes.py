"""A program that is run to its end, or stopped: a compiler, or what it has made.

Whatever goes wrong becomes one line, for an error or for the user. Which programs are run, and why,
stands elsewhere.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from trainscape.errors import cut

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 120.0  # seconds for one program; zig's first call takes many
SHOWN = 200  # characters of a program's message
TOLD: set[object] = set()  # by this process, on stderr


class CompileError(RuntimeError):
    """Some C was not compiled. Its text is one line: the compiler's first error, if it told one."""


class TooLongError(CompileError):
    """A program was stopped, as it had run for too long."""


def run(name: str, command: tuple[str, ...], folder: Path | None = None, **variables: str) -> str:
    """What a program prints; its arguments are those of :func:`ended`.

    Raises:
        CompileError: it cannot be run, failed, was killed or ran for longer than :data:`LIMIT`.
    """
    try:
        code, printed, errors = ended(name, command, folder, **variables)
    except OSError as error:
        raise CompileError(f"{name} cannot be run: {error.strerror or error}") from error
    if code < 0:
        raise CompileError(f"{name} was killed by {signal_name(-code)}")
    if code:
        told = _first_error(errors.replace(f"{folder}/", "")) or f"it ended with code {code}"
        raise CompileError(told if told.startswith(f"{name}: ") else f"{name}: {told}")
    return printed


def ended(
    name: str, command: tuple[str, ...], folder: Path | None = None, **variables: str
) -> tuple[int, str, str]:
    """Run a program to its end: its exit code and what it printed, on stdout and on stderr.

    Args:
        name: what lines call it.
        command: its words.
        folder: where it runs.
        variables: of its environment, beside this process's.

    Raises:
        OSError: it cannot be run.
        CompileError: it ran for longer than :data:`LIMIT`, and was stopped with all it had started.
    """
    with subprocess.Popen(
        command,
        cwd=folder or "/",  # no file of the user's is to be taken for one of Python's
        env={**os.environ, "LC_ALL": "C", **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            printed, errors = process.communicate(timeout=LIMIT)
        except BaseException as error:
            with suppress(OSError):  # they have all ended
                os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise TooLongError(f"{name} ran for more than {LIMIT:g} s") from error
            raise
    return process.returncode, printed, errors


def signal_name(number: int) -> str:
    """A signal's name, such as SIGKILL."""
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


def one_line(text: str) -> str:
    """A message without line breaks, cut where it is long."""
    line = " ".join(text.split())
    return cut(line, SHOWN)


def tell(about: object, line: str) -> None:
    """A line on stderr, once about each thing."""
    if about not in TOLD:
        TOLD.add(about)
        print(f"trainscape: {line}", file=sys.stderr, flush=True)


def _first_error(errors: str) -> str:
    """A program's first line that tells an error, else its last one."""
    lines = [line for line in errors.splitlines() if line.strip()]
    return one_line(next((line for line in lines if "error" in line.lower()), (lines or [""])[-1]))
