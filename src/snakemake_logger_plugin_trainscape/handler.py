"""The log handler: decides which of Snakemake's messages are shown, and how.

It takes the place of Snakemake's own handler on the screen (``writes_to_stream``). The full log is
in ``.snakemake/log`` as ever. Snakemake attaches its filter (``--quiet``) and its formatter, and
calls :meth:`LogHandler.handle` from a thread of its own.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import traceback
from functools import partial
from time import monotonic as now
from typing import TYPE_CHECKING, Any

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_trainscape import announced, words
from snakemake_logger_plugin_trainscape.failure import Failures, failure
from snakemake_logger_plugin_trainscape.faults import FULL, full_disk, in_a_line
from snakemake_logger_plugin_trainscape.run import Run
from snakemake_logger_plugin_trainscape.screen import Hidden, screen

if TYPE_CHECKING:
    from collections.abc import Callable

TICK = 1.0  # seconds between updates of the progress, whose time left goes down by itself
REPLACED = {  # messages about every job or every run, in whose place progress is shown
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
ROUTINE = (  # how messages begin that are left out
    "Assuming unrestricted shared filesystem usage",
    "Building DAG of jobs",
    "Config file ",
    "DAG of jobs will be updated after completion",
    "Failed to set marker file for job started",
    "Elapsed time:",
    "Select jobs to execute",
    "Updating checkpoint dependencies",
    "Using shell:",
    "host:",
)
LOGFILE = "Complete log(s):"
FAILURES = (  # how warnings begin that are given for each output of a job that failed
    "Restored previous version of",
    "Cannot restore ",
    "--keep-incomplete mode is set",
)
STOPPING = {  # how messages begin that say that the user stops the run, and what is shown
    "Terminating processes on user request": "Stopping.",
    "Will exit after finishing currently running jobs": "Stopping when what is running is done.",
}
FAILED = (  # what Snakemake says once failed jobs are named, in whose place stands how to go on
    "Exiting because a job execution failed",
    "At least one job did not complete successfully",
)
NOTHING = "Nothing to be done"
DRY = "Nothing was run. Every job, and why it would run: snakemake -n --verbose"
# stages of a dvc.yaml after which others come: of these `dvc repro` needs no word that all is done
EARLIER = ("data", "train", "throughput", "collect", "answer", "replay", "figures")
OUTCOME = re.compile(r"non-zero (exit status \d+)|(died with .+?)\.?$", re.MULTILINE)
STOPPED = "Stopped"  # how the message of an executor begins that counts what is not done
# how its messages begin on what takes so long to end, or goes on after the run
ENDING = ("Waiting up to ", "The launcher's jobs are not cancelled yet")


def _show_uncaught(usual: Callable[..., object], kind: type[BaseException], *rest: Any) -> None:
    """Show a word instead of a traceback for a Ctrl-C while the Snakefile is read."""
    if issubclass(kind, KeyboardInterrupt):
        sys.stderr.write(f"{STOPPED}.\n")
    else:
        usual(kind, *rest)


def _others_follow() -> bool:
    """Whether DVC runs a stage after which it runs others, each with a Snakemake of its own."""
    return os.environ.get("DVC_STAGE") in EARLIER


class LogHandler(LogHandlerBase):
    """Shows progress, errors and, as the last line, where the report is."""

    def __post_init__(self) -> None:
        settings = self.common_settings
        quiet = {str(getattr(q, "name", q)).lower() for q in settings.quiet or ()}
        sys.excepthook = partial(_show_uncaught, sys.excepthook)
        # where Snakemake's full log cannot be written, on a full disk, each message would be shown
        # as an error of its own
        logging.raiseExceptions = False
        self._stream = sys.stdout if settings.stdout else sys.stderr
        self._silent = "all" in quiet
        # whoever asks for details gets Snakemake's own output
        self._verbatim = bool(settings.verbose or settings.debug_dag or settings.printshellcmds)
        self._foretells = bool(settings.dryrun) and not self._verbatim
        hidden = self._verbatim or settings.dryrun or quiet & {"all", "progress"}
        self._screen = Hidden() if hidden else screen(self._stream)
        self._run = Run()
        self._stopped = ""  # what is said of a run that the user has stopped; empty if nobody has
        self._said_full = False  # whether it has been said that the disk is full
        self._failures = Failures()
        self._failed_commands: list[str] = []  # errors of commands whose jobs' errors are to follow
        self._snakemakes: logging.Handler | None = None
        self._ended = threading.Event()
        self._writing = threading.RLock()  # Snakemake's thread and our own write to one screen
        threading.Thread(target=self._keep_current, name="progress", daemon=True).start()

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
        """Snakemake's filter, except that errors pass however quiet the run is."""
        return record.levelno >= logging.ERROR or super().filter(record)

    def handle(self, record: logging.LogRecord) -> bool:
        """Learn from every record, and show those that pass the filter."""
        with self._writing:
            try:
                self._run.note(record, now())
                shown = bool(super().handle(record))
                self._screen.show(self._run, now())
            except Exception:  # would end the thread that shows messages, and so all output
                traceback.print_exc()
                return False
        return shown

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "event", None)
        verbose = self.common_settings.verbose or self.common_settings.debug_dag
        if self._failures.any and any(said in record.getMessage() for said in FAILED):
            return
        if event == LogEvent.ERROR and not (self._stopped or verbose):
            fault = in_a_line(record.getMessage())
            if fault is not None:
                if not (FULL in fault and self._said_full):  # each job may say so
                    self._write(fault)
                self._said_full = self._said_full or FULL in fault
                return
        if self._verbatim:
            self._show_as_snakemake_does(record)
        elif self._foretells:
            # a dry run tells of every job, and of the plan twice: it is summed up at its end
            if record.levelno > logging.INFO or record.getMessage().startswith(NOTHING):
                self._show_as_snakemake_does(record)
        elif self._stopped:
            # whatever else comes are errors of the jobs that were ended, and of Snakemake itself
            text = record.getMessage()
            if text.startswith(STOPPED):
                self._stopped = text
            elif text.startswith(ENDING):
                self._write(text)
        elif stopping := self._words_if_user_stops(record):
            self._stopped = f"{STOPPED}."
            self._write(stopping)
        elif event == LogEvent.JOB_ERROR:
            if text := self._failure(record):
                self._write(text)
        elif event == LogEvent.RUN_INFO:
            self._write(words.plan(getattr(record, "stats", {})))
            if kept := announced.part_way():
                self._write(f"To resume: {kept}, kept part-way")
        elif event == LogEvent.ERROR and "CalledProcessError" in record.getMessage():
            self._failed_commands.append(record.getMessage())
        elif event not in REPLACED and not self._is_routine(record):
            self._show_as_snakemake_does(record)

    def close(self) -> None:
        """Snakemake's last call: erase the progress and say how the run ended."""
        if self._ended.is_set():
            return
        self._ended.set()
        with self._writing:
            self._screen.clear()
            for text in filter(None, (self._failures.unnamed(), *self._failed_commands)):
                self._write(text)
            self._write_ending()
        super().close()

    def _write_ending(self) -> None:
        run = self._run
        if self._foretells and run.jobs and not (run.failed or self._silent):
            self._write(words.plan(run.jobs))
            foretold = announced.duration(run.jobs, run.files.values())
            for line in filter(None, (foretold, DRY)):
                self._write(line)
        if run.failed and not (self._stopped or self._said_full) and (full := full_disk()):
            self._write(full)
        named = run.started and run.failed and self._failures.any
        if self._stopped or named:
            kept = announced.part_way()
            also = f", also what {kept} had trained" if kept else ""
            how = "to go on," if self._stopped else "mend what is named above and"
            stays = f"What is done stays{also}; {how} run the same command again."
            self._write(f"{self._stopped} {stays}".lstrip())
        if (
            not run.started
            or run.failed
            or self._stopped
            or self.common_settings.dryrun
            or self._silent
        ):
            return
        if run.began is not None and not self._verbatim:
            self._write(f"Done in {words.span(now() - run.began)}.")
        page = announced.report()
        if page and not _others_follow():
            self._write(f"Report: {page}")

    def _failure(self, record: logging.LogRecord) -> str:
        """A failed job in words; empty for one of many that fail alike."""
        command: str = getattr(record, "shellcmd", None) or ""
        outcome = ""
        for text in self._failed_commands:
            ending = OUTCOME.search(text)
            if command and command in text and ending:
                self._failed_commands.remove(text)
                outcome = ending[1] or ending[2]
                break
        everything = bool(self.common_settings.show_failed_logs)
        return self._failures.told(
            failure(record, outcome, **({"tail": None} if everything else {}))
        )

    def _words_if_user_stops(self, record: logging.LogRecord) -> str | None:
        """What to show if the record says that the user stops the run."""
        text = record.getMessage()
        return next((shown for start, shown in STOPPING.items() if text.startswith(start)), None)

    def _is_routine(self, record: logging.LogRecord) -> bool:
        """Whether the record says nothing that the user needs to know."""
        text = record.getMessage()
        if record.levelno > logging.INFO:
            return text.startswith(FAILURES)
        if text.startswith(NOTHING):
            return _others_follow()
        return text.startswith(ROUTINE) or (text.startswith(LOGFILE) and not self._run.failed)

    def _show_as_snakemake_does(self, record: logging.LogRecord) -> None:
        if self._snakemakes is None:
            # late: that module itself loads logger plugins
            from snakemake.logging import ColorizingTextHandler

            self._snakemakes = ColorizingTextHandler(
                self.common_settings.nocolor, self._stream, self.formatter
            )
        if record.msg not in (None, "None", "") or getattr(record, "event", None):
            self._screen.clear()
            self._snakemakes.emit(record)

    def _write(self, text: str) -> None:
        """Show lasting text."""
        self._screen.clear()
        self._stream.write(text + "\n")
        self._stream.flush()

    def _keep_current(self) -> None:
        """Update the progress from time to time, until the handler is closed."""
        while not self._ended.wait(TICK):
            with self._writing:
                self._screen.show(self._run, now())
