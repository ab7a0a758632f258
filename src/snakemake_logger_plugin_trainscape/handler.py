"""The log handler: decides what of Snakemake's messages is shown, and how.

It takes the place of Snakemake's own handler on the screen (``writes_to_stream``); the full log is
in ``.snakemake/log`` as ever. Snakemake attaches its filter (``--quiet``) and its formatter, and
calls :meth:`LogHandler.handle` from a thread of its own.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_trainscape import report, words
from snakemake_logger_plugin_trainscape.failure import failure
from snakemake_logger_plugin_trainscape.run import Run
from snakemake_logger_plugin_trainscape.screen import Hidden, screen

if TYPE_CHECKING:
    from collections.abc import Callable

TICK = 1.0  # seconds between looks at the clock: the time left goes down while nothing happens
# What Snakemake says of every job or every run, and progress says better.
REPLACED = {
    LogEvent.WORKFLOW_STARTED,
    LogEvent.RESOURCES_INFO,
    LogEvent.JOB_INFO,
    LogEvent.JOB_STARTED,
    LogEvent.JOB_FINISHED,
    LogEvent.GROUP_INFO,
    LogEvent.SHELLCMD,
    LogEvent.PROGRESS,
    LogEvent.RULEGRAPH,
}
ROUTINE = (
    "Assuming unrestricted shared filesystem usage",
    "Building DAG of jobs",
    "Config file ",
    "Elapsed time:",
    "Select jobs to execute",
    "Using shell:",
    "host:",
)
LOGFILE = "Complete log(s):"
RESTORED = "Restored previous version of"  # a warning a file, of what is as it should be
STOPPING = {  # by a signal, and in what way
    "Terminating processes on user request": "Stopping.",
    "Will exit after finishing currently running jobs": "Stopping when what is running is done.",
}
OUTCOME = re.compile(r"non-zero (exit status \d+)|(died with .+?)\.?$", re.MULTILINE)
STOPPED = "Stopped"  # how an executor that counts what is left begins


def _uncaught(usual: Callable[..., object], kind: type[BaseException], *rest: Any) -> None:
    """A Ctrl-C before there is anything to stop, such as while the Snakefile is read, in a word."""
    if issubclass(kind, KeyboardInterrupt):
        sys.stderr.write(f"{STOPPED}.\n")
    else:
        usual(kind, *rest)


class LogHandler(LogHandlerBase):
    """Shows progress, errors and, last of all, where the report is."""

    def __post_init__(self) -> None:
        settings = self.common_settings
        quiet = {str(getattr(q, "name", q)).lower() for q in settings.quiet or ()}
        sys.excepthook = partial(_uncaught, sys.excepthook)
        self.clock: Callable[[], float] = time.monotonic
        self._stream = sys.stdout if settings.stdout else sys.stderr
        self._silent = "all" in quiet
        # who asks for details gets Snakemake's own output
        self._verbatim = bool(
            settings.dryrun or settings.verbose or settings.debug_dag or settings.printshellcmds
        )
        hidden = self._verbatim or quiet & {"all", "progress"}
        self._screen = Hidden() if hidden else screen(self._stream)
        self._run = Run()
        self._stopped = ""  # by the user, in words: what then fails is no failure
        self._told: list[str] = []  # the end of the log that the last failure showed
        self._commands: list[str] = []  # failed commands that no failed job has claimed yet
        self._native: logging.Handler | None = None
        self._over = threading.Event()
        self._turn = threading.RLock()  # the ticking thread and Snakemake's write to one screen
        threading.Thread(target=self._tick, name="progress", daemon=True).start()

    @property
    def writes_to_stream(self) -> bool:
        return True

    @property
    def writes_to_file(self) -> bool:
        return False

    @property
    def has_filter(self) -> bool:
        return False

    @property
    def has_formatter(self) -> bool:
        return False

    @property
    def needs_rulegraph(self) -> bool:
        return False

    def filter(self, record: logging.LogRecord) -> bool | logging.LogRecord:  # type: ignore[override]
        """Snakemake's filter, but errors pass at every level of quiet."""
        return record.levelno >= logging.ERROR or super().filter(record)

    def handle(self, record: logging.LogRecord) -> bool:
        """Learn from every record, show those that pass the filter."""
        with self._turn:
            try:
                self._run.note(record, self.clock())
                shown = bool(super().handle(record))
                self._screen.show(self._run, self.clock())
            except Exception:  # would end the thread that shows messages, and with it all output
                self.handleError(record)
                return False
        return shown

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "event", None)
        if self._verbatim:
            self._pass_on(record)
        elif self._stopped:
            # the rest are errors of jobs that were ended, and of Snakemake's own end
            if record.getMessage().startswith(STOPPED):
                self._stopped = record.getMessage()
        elif told := self._stop(record):
            self._stopped = f"{STOPPED}."
            self._say(told)
        elif event == LogEvent.JOB_ERROR:
            self._say(self._failure(record))
        elif event == LogEvent.RUN_INFO:
            self._say(words.plan(getattr(record, "stats", {})))
        elif event == LogEvent.ERROR and "CalledProcessError" in record.getMessage():
            self._commands.append(record.getMessage())  # its job's error follows
        elif event not in REPLACED and not self._routine(record):
            self._pass_on(record)

    def close(self) -> None:
        """Snakemake's last call: end the live line and say where the report is."""
        if self._over.is_set():
            return
        self._over.set()
        with self._turn:
            self._screen.clear()
            for text in self._commands:
                self._say(text)
            self._farewell()
        super().close()

    def _farewell(self) -> None:
        run = self._run
        if self._stopped:
            self._say(f"{self._stopped} What is done stays; to go on, run the same command again.")
        if (
            not run.started
            or run.failed
            or self._stopped
            or self.common_settings.dryrun
            or self._silent
        ):
            return
        if run.began is not None and not self._verbatim:
            self._say(f"Done in {words.span(self.clock() - run.began)}.")
        page = report.announced()
        if page:
            self._say(f"Report: {page}")

    def _failure(self, record: logging.LogRecord) -> str:
        """The failed job in words, with how its command ended."""
        command: str = getattr(record, "shellcmd", None) or ""
        outcome = ""
        for text in self._commands:
            ending = OUTCOME.search(text)
            if command and command in text and ending:
                self._commands.remove(text)
                outcome = ending[1] or ending[2]
                break
        everything = bool(self.common_settings.show_failed_logs)
        text = failure(record, outcome, **({"tail": None} if everything else {}))
        head, *body = text.splitlines()
        told = [line for line in body if line.startswith("  | ")]
        again, self._told = bool(told) and told == self._told, told  # cells of one failed pack
        return f"{head}: as above" if again else text

    def _stop(self, record: logging.LogRecord) -> str | None:
        """What to say if the record tells that the user stops the run."""
        text = record.getMessage()
        return next((said for start, said in STOPPING.items() if text.startswith(start)), None)

    def _routine(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if record.levelno > logging.INFO:
            return text.startswith(RESTORED)
        return text.startswith(ROUTINE) or (text.startswith(LOGFILE) and not self._run.failed)

    def _pass_on(self, record: logging.LogRecord) -> None:
        """Show a record as Snakemake would."""
        if self._native is None:
            from snakemake.logging import ColorizingTextHandler  # loads plugins itself

            self._native = ColorizingTextHandler(
                self.common_settings.nocolor, self._stream, self.formatter
            )
        if record.msg not in (None, "None", "") or getattr(record, "event", None):
            self._screen.clear()
            self._native.emit(record)

    def _say(self, text: str) -> None:
        self._screen.clear()
        self._stream.write(text + "\n")
        self._stream.flush()

    def _tick(self) -> None:
        while not self._over.wait(TICK):
            with self._turn:
                self._screen.show(self._run, self.clock())
