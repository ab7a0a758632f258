"""What is said of a run that the user stops."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from snakemake_interface_logger_plugins.common import LogEvent

import snakemake_logger_plugin_trainscape as plugin
from kit.logger import Start, plan, record
from kit.logger import page as page  # fixtures, once they are here
from kit.logger import start as start
from snakemake_logger_plugin_trainscape import announced

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
    waits = "Waiting up to 50 s more for 2 processes to end."
    tries = "The launcher's jobs are not cancelled yet; a process goes on trying."
    told = [record(None, text, levelno=logging.WARNING) for text in (waits, tries)]
    seen.see(*plan(3), record(None, signalled), *told, left)
    assert seen.end().endswith(f"{waits}\n{tries}\nStopped: 2 of 3 jobs are not done. {on}")


def test_what_is_kept_part_way_is_told_twice(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the run is stopped, and when the next one begins."""
    monkeypatch.setattr(announced, "_part_way", [])
    kept = [""]
    seen = start()
    plugin.inform(part_way=lambda: kept[0])
    seen.see(*plan(3))
    assert "resume" not in seen.stream.getvalue()
    kept[0] = "20 trials"
    seen.see(record(None, "Terminating processes on user request"))
    assert seen.end().endswith(
        "Stopped. What is done stays, also what 20 trials had trained; to go on, run the same "
        "command again.\n"
    )
    seen = start()
    seen.see(*plan(3))
    assert seen.end().splitlines()[1] == "To resume: 20 trials, kept part-way"


def test_an_early_interrupt_is_a_word(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Ctrl-C while the Snakefile is read stops nothing yet; other errors are told as ever."""
    told: list[type] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, *_: told.append(kind))
    seen = start()
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    sys.excepthook(ValueError, ValueError(), None)
    assert seen.end() == "Stopped.\n"
    assert told == [ValueError]
