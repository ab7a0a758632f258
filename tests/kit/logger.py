"""A log handler under test: Snakemake's records, a stream and a clock."""

from __future__ import annotations

import io
import logging
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

import snakemake_logger_plugin_trainscape as plugin
from snakemake_logger_plugin_trainscape import handler

# what a terminal acts on: plain output has none
CONTROL = re.compile(r"[\r\x1b]")


@dataclass
class Settings:
    """Snakemake's output settings."""

    quiet: set[str] = field(default_factory=set)
    dryrun: bool = False
    verbose: bool = False
    debug_dag: bool = False
    printshellcmds: bool = False
    show_failed_logs: bool = False
    nocolor: bool = True
    stdout: bool = False


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def record(event: LogEvent | str | None, text: str = "", **found: Any) -> logging.LogRecord:
    """A log record as Snakemake makes them; errors have their level."""
    wrong = event in (LogEvent.ERROR, LogEvent.JOB_ERROR)
    level = logging.ERROR if wrong else logging.INFO
    return logging.makeLogRecord({"msg": text, "levelno": level, "event": event, **found})


def cell(lr: float = 0.1) -> str:
    """The file of a cell."""
    return f"results/cells/digits-mlp/adam/bs64-lr{lr}-cosine-0123456789ab.json"


NAMES = {cell(lr): f"digits-mlp adam batch 64 lr {lr} cosine" for lr in (0.1, 0.5)}


def job(number: int, rule: str = "train", lr: float = 0.1) -> logging.LogRecord:
    """A job begins."""
    output = [cell(lr)] if rule == "train" else [f"results/{rule}"]
    return record(LogEvent.JOB_INFO, jobid=number, rule_name=rule, output=output)


def done(number: int) -> list[logging.LogRecord]:
    """A job has ended well."""
    progress = record(LogEvent.PROGRESS, "None", done=1, total=9)
    return [record(LogEvent.JOB_FINISHED, "Finished jobid", job_id=number), progress]


def plan(cells: int, cores: int = 2) -> list[logging.LogRecord]:
    """A run begins."""
    stats = {"train": cells, "write_report": 1, "all": 1, "total": cells + 2}
    return [
        record(LogEvent.WORKFLOW_STARTED, "Workflow has started!"),
        record(LogEvent.RESOURCES_INFO, "Provided cores: 2", cores=cores),
        record(LogEvent.RUN_INFO, "Job stats: …", stats=stats),
    ]


class Watched:
    """A handler, its stream and its clock.

    Args:
        stream: where it writes.
        settings: Snakemake's.
    """

    def __init__(self, stream: io.StringIO, settings: Settings) -> None:
        self.handler = handler.LogHandler(settings, None)  # type: ignore[arg-type]
        self.stream = stream
        self.now = 0.0

    def see(self, *records: logging.LogRecord, at: float | None = None) -> None:
        """Hand over records, at a time."""
        self.now = self.now if at is None else at
        for one in records:
            self.handler.handle(one)

    def end(self) -> str:
        """Close the handler; all that was written."""
        self.handler.close()
        return self.stream.getvalue()


Start = Callable[..., Watched]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Start:
    """Makes handlers that write to a stream of the test's, plain by default."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(handler, "TICK", 1e6)  # its own updates would come at any time
    monkeypatch.delenv("TERM", raising=False)
    plugin.announce([], NAMES)

    def make(stream: io.StringIO | None = None, **settings: Any) -> Watched:
        stream = stream or io.StringIO()
        monkeypatch.setattr(sys, "stderr", stream)
        seen = Watched(stream, Settings(**settings))
        monkeypatch.setattr(handler, "now", lambda: seen.now)
        return seen

    return make


@pytest.fixture
def page(start: Start) -> Path:
    """An announced report that is there, with its stamp."""
    for name in ("report.html", "stamp"):
        Path(name).touch()
    plugin.announce(["report.html", "stamp"], NAMES)
    return Path("report.html")
