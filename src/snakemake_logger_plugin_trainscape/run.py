"""The state of a run: its jobs, as far as Snakemake's log records tell of them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from snakemake_interface_logger_plugins.common import LogEvent

from snakemake_logger_plugin_trainscape import announced, words
from snakemake_logger_plugin_trainscape.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Run:
    """The state of a run; :meth:`note` keeps it current.

    Attributes:
        started: whether Snakemake has begun to run a workflow (``--lint`` and ``--unlock`` don't).
        failed: whether an error has come since the last job that ended well; at the end of a run,
            whether it has failed.
        began: when the first job was started, or None.
        cells: how many training jobs this run has.
        finished: how many of these are done.
        tasks: the running jobs in the order of their start: rule and words, by job number.
        jobs: how many jobs of each rule the run has, as far as that is known.
        files: what the training jobs make that have begun, by job number.
    """

    def __init__(self) -> None:
        self.started = False
        self.failed = False
        self.began: float | None = None
        self.cells = 0
        self.finished = 0
        self.tasks: dict[int, tuple[str, str]] = {}
        self.jobs: Mapping[str, int] = {}
        self.files: dict[int, str] = {}
        self._logs: dict[int, str] = {}
        self._new: list[str] = []  # files of cells that are done and were not yet asked about
        self._begun: set[int] = set()
        self._pace = Pace()

    def note(self, record: logging.LogRecord, now: float) -> None:
        """Learn from a log record; those of an unknown kind are ignored.

        Args:
            record: any record of Snakemake's.
            now: seconds on a clock that never goes back.
        """
        event = getattr(record, "event", None)
        if record.levelno >= logging.ERROR:
            self.failed = True
        if event == LogEvent.WORKFLOW_STARTED:
            self.started = True
        elif event == LogEvent.RUN_INFO:
            self._plan(getattr(record, "stats", {}))
        elif event == LogEvent.RESOURCES_INFO:
            self._pace.cores = getattr(record, "cores", None) or self._pace.cores
        elif event == LogEvent.JOB_INFO:
            self._start(record, now)
        elif event == LogEvent.JOB_FINISHED:
            self._finish(getattr(record, "job_id", None), now)
        elif event == LogEvent.JOB_ERROR:
            job = getattr(record, "jobid", -1)
            self.tasks.pop(job, None)
            self._pace.drop(job)
        elif event == LogEvent.PROGRESS:
            self.failed = False

    def line(self, now: float) -> str:
        """What is going on, in one line; empty when nothing is."""
        parts = []
        if self.cells:
            left = self._pace.left(self.cells - self.finished, now)
            eta = f", {words.span(left)} left" if left and self.finished < self.cells else ""
            parts.append(f"cells {self.finished}/{self.cells}{eta}")
        named, running = self._activities()
        best = self._best() if running or not named else ""
        # a terminal may cut the end off: which cell runs is the least news
        return "  ".join(part for part in (*parts, named, best, running) if part)

    @property
    def counts(self) -> bool:
        """Whether a stage runs that takes minutes and counts what is done."""
        return any(rule in words.SLOW for rule, _ in self.tasks.values())

    def _activities(self) -> tuple[str, str]:
        """The stages that run, and of the cells the one that has run the longest."""
        named = dict.fromkeys(
            words.activity(rule, name, self._logs.get(job))
            for job, (rule, name) in self.tasks.items()
            if rule != words.TRAIN
        )
        cells = [name for rule, name in self.tasks.values() if rule == words.TRAIN]
        more = f" and {len(cells) - 1} more" if len(cells) > 1 else ""
        return ", ".join(named), f"running: {cells[0]}{more}" if cells else ""

    def _best(self) -> str:
        """What is the best so far, in words; nothing before the first training job."""
        if not self.cells:
            return ""
        new, self._new = self._new, []
        return announced.best(new)

    def _plan(self, stats: Mapping[str, int]) -> None:
        self.jobs = stats
        self.cells = stats.get(words.TRAIN, 0)

    def _start(self, record: logging.LogRecord, now: float) -> None:
        job: int = getattr(record, "jobid", -1)
        rule: str = getattr(record, "rule_name", "")
        output: Sequence[str] = getattr(record, "output", None) or ()
        if rule == "all":  # does nothing but ask for files
            return
        self.began = now if self.began is None else self.began
        self.tasks[job] = rule, words.task(rule, output)
        if log := getattr(record, "log", None):
            self._logs[job] = str(log[0])
        if rule == words.TRAIN:
            self._begun.add(job)
            if output:
                self.files[job] = str(output[0])
            self.cells = max(self.cells, len(self._begun))  # a search finds its cells on the way
            self._pace.start(job, now)

    def _finish(self, job: int | None, now: float) -> None:
        if job is None or job not in self.tasks:
            return
        rule, _ = self.tasks.pop(job)
        if rule == words.TRAIN:
            self._pace.finish(job, now)
            self._new += [self.files[job]] if job in self.files else []
            self.finished += 1
