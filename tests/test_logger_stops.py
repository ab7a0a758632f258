"""What is said of a run that the user stops."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from snakemake_interface_logger_plugins.common import LogEvent

from kit.logger import Start, plan, record
from kit.logger import page as page  # fixtures, once they are here
from kit.logger import start as start

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_stopped_run_says_so_and_nothing_of_what_was_ended(start: Start, page: Path) -> None:
    """What jobs and Snakemake itself complain of after a Ctrl-C is no failure of anything."""
    ended = record(LogEvent.ERROR, "CalledProcessError: died with <Signals.SIGINT: 2>.")
    on = "What is done stays; to go on, run the same command again.\n"
    for signalled, said in (
        ("Terminating processes on user request, this might take some time.", "Stopping."),
        (
            "Will exit after finishing currently running jobs (scheduler).",
            "Stopping when what is running is done.",
        ),
    ):
        seen = start()
        seen.see(*plan(3), record(None, signalled), ended, record(None, signalled))
        seen.see(record(LogEvent.JOB_ERROR, rule_name="collect"))
        assert seen.end().endswith(f"report\n{said}\nStopped. {on}")
    seen = start()
    left = record(None, "Stopped: 2 of 3 jobs are not done.", levelno=logging.WARNING)
    seen.see(*plan(3), record(None, signalled), left)
    assert seen.end().endswith(f"Stopped: 2 of 3 jobs are not done. {on}")


def test_an_early_interrupt_is_a_word(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Ctrl-C while the Snakefile is read stops nothing yet; other errors are told as ever."""
    told: list[type] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, *_: told.append(kind))
    seen = start()
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    sys.excepthook(ValueError, ValueError(), None)
    assert seen.end() == "Stopped.\n"
    assert told == [ValueError]
