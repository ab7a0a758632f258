"""Shows progress: as one live line on a terminal, elsewhere as a plain line now and then."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol, TextIO

from snakemake_logger_plugin_trainscape import words

if TYPE_CHECKING:
    from snakemake_logger_plugin_trainscape.run import Run

EVERY = 10.0  # seconds between plain lines while cells finish
COUNTED = 30.0  # seconds between plain lines while a stage counts what is done
SILENCE = 60.0  # seconds after which a plain line is shown though no cell has finished


class Screen(Protocol):
    """Shows progress beside lasting text."""

    def show(self, run: Run, now: float) -> None:
        """Bring the progress up to date."""

    def clear(self) -> None:
        """Erase the progress, so that lasting text or the shell's prompt can follow."""


def screen(stream: TextIO) -> Screen:
    """Live progress on a terminal that can erase a line, plain progress elsewhere."""
    live = stream.isatty() and os.environ.get("TERM") != "dumb"
    return Live(stream) if live else Plain(stream)


class Hidden:
    """Shows nothing: for ``--quiet``."""

    def show(self, run: Run, now: float) -> None:
        pass

    def clear(self) -> None:
        pass


class Live:
    """One line that is overwritten, cut to the terminal's width."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = ""

    def show(self, run: Run, now: float) -> None:
        line = run.line(now)[: self._width() - 1]  # a full last column would wrap
        if line != self._shown:
            self.clear()
            self._stream.write(line)
            self._stream.flush()
            self._shown = line

    def clear(self) -> None:
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._shown = ""

    def _width(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or 80
        except (OSError, ValueError):
            return 80


class Plain:
    """A line when a stage begins, and one for every tenth of the cells or every 10 seconds."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._stages: set[str] = set()
        self._cells_shown = 0
        self._shown_at: float | None = None

    def show(self, run: Run, now: float) -> None:
        since = SILENCE if self._shown_at is None else now - self._shown_at
        new = {name for rule, name in run.tasks.values() if rule != words.TRAIN} - self._stages
        finished = run.finished - self._cells_shown
        due = (
            bool(new)
            or (run.finished == run.cells and finished)
            or finished >= max(run.cells / 10, 1)
            or (finished and since >= EVERY)
            or (run.counts and since >= COUNTED)
            or (run.tasks and since >= SILENCE)
        )
        if due:
            self._stages |= new
            self._cells_shown, self._shown_at = run.finished, now
            self._stream.write(run.line(now) + "\n")
            self._stream.flush()

    def clear(self) -> None:
        pass
