"""The logger plugin: what a run shows, by records as Snakemake makes them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from kit.logger import CONTROL, Start, Terminal, cell, done, job, plan, record
from kit.logger import page as page  # fixtures, once they are here
from kit.logger import start as start
from snakemake_logger_plugin_trainscape import announced, handler
from snakemake_logger_plugin_trainscape.failure import failure

if TYPE_CHECKING:
    from collections.abc import Iterable


def test_plain_output_says_cells_done_running_and_time_left(start: Start, page: Path) -> None:
    """Off a terminal there are plain lines: plan, cells, time left, stages, report."""
    seen = start()
    seen.see(*plan(3), job(1), job(2, lr=0.5), at=0)
    seen.see(*done(1), job(3), at=10)
    seen.see(*done(2), at=10)
    seen.see(*done(3), at=20)
    seen.see(job(4, "write_report"), at=20)
    seen.see(*done(4), at=25)
    text = seen.end()
    assert text.splitlines() == [
        "To do: training 3 cells, writing the report",
        "cells 0/3  running: digits-mlp adam batch 64 lr 0.1 cosine",
        "cells 1/3, 10 s left  running: digits-mlp adam batch 64 lr 0.5 cosine",
        "cells 2/3, 10 s left  running: digits-mlp adam batch 64 lr 0.1 cosine",
        "cells 3/3",
        "cells 3/3  writing the report",
        "Done in 25 s.",
        "Report: report.html",
    ]
    assert not CONTROL.search(text)


def test_plain_output_is_a_few_lines_however_many_cells(start: Start) -> None:
    """A thousand cells in a moment make about ten lines."""
    seen = start()
    seen.see(*plan(1000))
    for number in range(1000):
        seen.see(job(number), *done(number))
    assert 10 <= len(seen.end().splitlines()) <= 15


def test_plain_output_goes_on_while_a_long_job_runs(start: Start) -> None:
    """A job of minutes is mentioned now and then; nothing is repeated in between."""
    seen = start()
    seen.see(*plan(2), job(1), job(2), at=0)
    seen.see(*done(1), at=100)
    lines = len(seen.stream.getvalue().splitlines())
    seen.see(record(None, "None"), at=130)
    assert len(seen.stream.getvalue().splitlines()) == lines
    seen.see(record(None, "None"), at=161)
    assert len(seen.stream.getvalue().splitlines()) == lines + 1


def test_a_terminal_shows_one_live_line_and_keeps_nothing_of_it(start: Start, page: Path) -> None:
    """On a terminal one line is overwritten and erased; what stays are plan, end and report."""
    seen = start(Terminal())
    seen.see(*plan(2), job(1), job(2), at=0)
    seen.see(*done(1), at=130)
    text = seen.end()
    assert "\rcells 1/2" in text.replace("\x1b[K", "")
    kept = [line.split("\r\x1b[K")[-1] for line in text.split("\n")]
    assert kept == [
        "To do: training 2 cells, writing the report",
        "Done in 2 min 10 s.",
        "Report: report.html",
        "",
    ]
    assert all(len(part) < 80 for part in CONTROL.split(text))


def test_a_dumb_terminal_gets_plain_lines(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that cannot erase gets no control characters."""
    monkeypatch.setenv("TERM", "dumb")
    seen = start(Terminal())
    seen.see(*plan(1), job(1))
    text = seen.end()
    assert "cells 0/1" in text
    assert not CONTROL.search(text)


def test_a_failed_job_shows_its_rule_its_log_and_how_the_log_ends(start: Start) -> None:
    """An error names rule, exit status and log, and holds the log's last 20 lines."""
    Path("train.log").write_text("\n".join(f"line {n}" for n in range(100)))
    command = "python -m trainscape train x"
    error = f"CalledProcessError in file x:\nCommand '{command}' returned non-zero exit status 3."
    seen = start()
    seen.see(*plan(2), job(1))
    seen.see(record(LogEvent.ERROR, error, exception="RuleException"))
    seen.see(
        record(
            LogEvent.JOB_ERROR,
            "Error in rule train",
            jobid=1,
            rule_name="train",
            rule_msg=None,
            output=[cell()],
            log=["train.log"],
            aux={"node": "n1"},
            shellcmd=command,
        )
    )
    seen.see(record(None, "Complete log(s): x.snakemake.log"))
    last = "WorkflowError:\nAt least one job did not complete successfully."
    seen.see(record(LogEvent.ERROR, last, exception="WorkflowError"))
    lines = seen.end().splitlines()
    at = lines.index("Failed: digits-mlp adam batch 64 lr 0.1 cosine (rule train, exit status 3)")
    assert lines[at + 1 : at + 4] == [
        "  node: n1",
        "  log: train.log (its last 20 of 100 lines)",
        "  | line 80",
    ]
    assert lines[at + 22] == "  | line 99"
    assert lines[-2:] == [
        "Complete log(s): x.snakemake.log",
        "What is done stays; mend what is named above and run the same command again.",
    ]
    assert "CalledProcessError" not in "\n".join(lines)


def test_cells_that_fail_with_one_log_show_it_once(start: Start, tmp_path: Path) -> None:
    """The first cell of a failed bundle shows how the log ends; the others are a line each."""
    seen = start()
    for name, text in (("a", "no memory\n"), ("b", "no memory\n"), ("c", "another\n")):
        log = tmp_path / f"{name}.log"
        log.write_text(text, encoding="utf-8")
        seen.see(record(LogEvent.JOB_ERROR, rule_name="train", log=[log]))
    text = seen.end()
    assert text.count("| no memory") == text.count("| another") == 1
    assert text.count("Failed: training (rule train): as above\n") == 1


def test_many_cells_that_fail_alike_are_a_number(start: Start, tmp_path: Path) -> None:
    """Also where a full disk keeps them from having a log; another kind is told whole."""
    seen = start()
    for number in range(1500):
        log = tmp_path / f"{number}.log"
        seen.see(record(LogEvent.JOB_ERROR, rule_name="train", log=[log]))
    seen.see(record(LogEvent.JOB_ERROR, rule_name="collect", log=[tmp_path / "collect.log"]))
    seen.see(record(LogEvent.JOB_ERROR, rule_name="train", log=[tmp_path / "last.log"]))
    said = seen.end().splitlines()
    assert said[:2] == [
        "Failed: training (rule train)",
        f"  log: {tmp_path}/0.log (was not written)",
    ]
    assert said[2:12] == ["Failed: training (rule train): as above"] * 10
    assert said[12:] == [
        "Failed: 1,489 more: as above",
        "Failed: writing the tables (rule collect)",
        f"  log: {tmp_path}/collect.log (was not written)",
        "Failed: training (rule train)",
        f"  log: {tmp_path}/last.log (was not written)",
    ]


def test_an_error_that_no_job_claims_is_shown_in_full(start: Start) -> None:
    """A command's error is held back for its job; without one it is not lost."""
    seen = start()
    seen.see(*plan(1), record(LogEvent.ERROR, "CalledProcessError: non-zero exit status 1."))
    assert "CalledProcessError: non-zero exit status 1." in seen.end()


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "log: a.log (was not written)"), ("", "log: a.log (empty)"), ("x", "  log: a.log\n")],
)
def test_a_failure_says_what_of_its_log_there_is(
    start: Start, content: str | None, said: str
) -> None:
    """A missing and an empty log are called that; a short one is shown whole."""
    if content is not None:
        Path("a.log").write_text(content)
    assert said in failure(record(LogEvent.JOB_ERROR, rule_name="collect", log=["a.log"]))


def test_a_failure_without_a_log_shows_the_command(start: Start) -> None:
    """A rule that keeps no log has its command shown instead, and bare records do not raise."""
    text = failure(record(LogEvent.JOB_ERROR, rule_name="custom_rule", shellcmd="do it"))
    assert text.startswith("Failed: custom rule (rule custom_rule)")
    assert text.endswith("do it")
    assert "rule unknown" in failure(record(LogEvent.JOB_ERROR))


def test_snakemakes_own_errors_and_warnings_are_passed_on(start: Start, page: Path) -> None:
    """What Snakemake itself complains of is shown as it is, and a failed run names no report."""
    seen = start()
    error = record(LogEvent.ERROR, "LockException:\nDirectory cannot be locked.", exception="x")
    warning = record(None, "careful", levelno=logging.WARNING)
    seen.see(*plan(1), warning, error)
    text = seen.end()
    assert "LockException:\nDirectory cannot be locked.\n" in text
    assert "careful\n" in text
    assert "Report" not in text


def test_nothing_to_be_done_is_said_and_then_the_report(start: Start, page: Path) -> None:
    """An up-to-date study says so, and where its report is."""
    seen = start()
    seen.see(record(LogEvent.WORKFLOW_STARTED), record(None, "Nothing to be done (…)."))
    assert seen.end() == "Nothing to be done (…).\nReport: report.html\n"


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ("train", ""),
        ("report", "Nothing to be done (…).\nReport: report.html\n"),
        ("study@valley", "Nothing to be done (…).\nReport: report.html\n"),
    ],
)
def test_dvc_repro_hears_once_that_nothing_is_to_be_done(
    start: Start, page: Path, stage: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the stages that each run Snakemake, the last one says it, and where the report is."""
    monkeypatch.setenv("DVC_STAGE", stage)
    seen = start()
    seen.see(record(LogEvent.WORKFLOW_STARTED), record(None, "Nothing to be done (…)."))
    assert seen.end() == said


def test_what_stays_as_it_was_is_no_warning(start: Start) -> None:
    """A failed job's outputs are restored, a warning each: nobody needs a hundred of them."""
    seen = start()
    text = "Restored previous version of a.svg (updating job failed)."
    seen.see(record(None, text, levelno=logging.WARNING))
    assert seen.end() == ""


def test_a_run_that_goes_well_after_an_error_names_the_report(start: Start, page: Path) -> None:
    """A job that fails and then succeeds (``--retries``) leaves the run a success."""
    seen = start()
    seen.see(*plan(1), job(1), record(LogEvent.ERROR, "once"), job(1), *done(1))
    assert seen.end().endswith("Report: report.html\n")


def test_names_no_report_that_is_missing_or_of_another_study(start: Start, page: Path) -> None:
    """Without the page's stamp, as after a run of some cells only, no report is named."""
    Path("stamp").unlink()
    seen = start()
    seen.see(*plan(1), job(1), *done(1))
    assert "Report" not in seen.end()


def test_says_nothing_of_runs_that_do_not_run(start: Start, page: Path) -> None:
    """``--lint``, ``--summary``, ``--unlock`` and a dry run end as they always did."""
    seen = start()
    seen.see(record(None, "Unlocked working directory."))
    assert seen.end() == "Unlocked working directory.\n"
    dry = start(dryrun=True)
    dry.see(*plan(2), job(1))
    assert "Report" not in dry.end()


def test_verbose_runs_look_as_snakemake_makes_them(start: Start) -> None:
    """Whoever asks for details gets Snakemake's own text for every record, of dry runs, too."""
    for setting in ("verbose", "printshellcmds", "debug_dag"):
        for dry in (False, True):
            seen = start(**{setting: True, "dryrun": dry})
            seen.see(record(LogEvent.RUN_INFO, "Job stats:\ntrain 3", stats={"train": 3}))
            seen.see(record(LogEvent.RESOURCES_INFO, "Provided cores: 2", cores=2))
            assert seen.end() == "Job stats:\ntrain 3\nProvided cores: 2\n", setting


def test_a_dry_run_is_a_few_lines_however_many_jobs(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would run, how long it would take as far as somebody knows, and who tells more."""
    asked: list[object] = []

    def told(jobs: object, files: Iterable[str]) -> str:
        asked.extend((jobs, list(files)))
        return "About a day"

    def dry(**settings: Any) -> str:
        seen = start(dryrun=True, **settings)
        begun, *_, stats = plan(300)
        seen.see(begun, stats, job(1), job(2, lr=0.5), job(3, "write_report"), stats)
        seen.see(record(None, "This was a dry-run (flag -n)."), record(None, "Reasons:"))
        seen.see(record(None, "a.json: and is to be made again", levelno=logging.WARNING))
        return seen.end()

    monkeypatch.setattr(announced, "_duration", [told])
    warned, *rest = dry().splitlines()
    assert warned == "a.json: and is to be made again"
    assert rest == ["To do: training 300 cells, writing the report", "About a day", handler.DRY]
    assert "--verbose" in handler.DRY
    assert asked == [
        {"train": 300, "write_report": 1, "all": 1, "total": 302},
        [cell(0.1), cell(0.5)],
    ]
    monkeypatch.setattr(announced, "_duration", [])
    assert "About" not in dry()
    assert "To do" not in dry(quiet={"ALL"})


def test_a_dry_run_says_that_nothing_is_to_be_done(start: Start) -> None:
    """And no more."""
    seen = start(dryrun=True)
    seen.see(record(LogEvent.WORKFLOW_STARTED), record(None, "Nothing to be done (…)."))
    assert seen.end() == "Nothing to be done (…).\n"


def test_the_best_so_far_is_said_while_cells_train(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever knows it is asked with the files that have come since, each of them once."""
    asked: list[str] = []

    def best(files: Iterable[str]) -> str:
        asked.extend(files)
        return f"best so far {len(asked)}" if asked else ""

    monkeypatch.setattr(announced, "_best", [best])
    seen = start()
    seen.see(*plan(2), job(1), at=0)
    seen.see(*done(1), job(2, lr=0.5), at=10)
    seen.see(*done(2), at=20)
    seen.see(job(3, "write_report"), at=20)
    lines = seen.end().splitlines()
    assert lines[1] == "cells 0/2  running: digits-mlp adam batch 64 lr 0.1 cosine"
    assert lines[2].startswith("cells 1/2, 10 s left  best so far 1")
    assert lines[3] == "cells 2/2  best so far 2"
    assert lines[4] == "cells 2/2  writing the report"
    assert asked == [cell(0.1), cell(0.5)]


def test_step_times_say_why_they_take_long_and_the_time_left(start: Start) -> None:
    """The count and the time are the newest of the stage's log; at first there is none."""
    log = Path("throughput.log")
    begins = record(
        LogEvent.JOB_INFO, jobid=1, rule_name="measure_throughput", output=["t"], log=[str(log)]
    )
    seen = start()
    seen.see(*plan(0), begins, at=0)
    log.write_text(
        "throughput: 1 of 60, digits-mlp sgd batch 16 step\n"
        "throughput: pass 9, 12 of 60 known, about 130 s left\n"
        "others used more of the machine\n"
    )
    seen.see(record(None, "None"), at=15)
    seen.see(record(None, "None"), at=40)
    why = "one at a time, so that nothing disturbs them"
    assert seen.end().splitlines()[1:3] == [
        f"measuring step times: {why}",
        f"step times 12 of 60, about 2 min 10 s left: {why}",
    ]


def test_quiet_hides_progress_and_never_errors(start: Start, page: Path) -> None:
    """``--quiet`` shows no progress, ``--quiet all`` nothing; an error is shown by both."""
    for quiet, ends in (
        ({"PROGRESS", "RULES"}, "Done in 0 s.\nReport: report.html\n"),
        ({"ALL"}, ""),
    ):
        seen = start(quiet=quiet)
        seen.handler.addFilter(lambda found: found.levelno > logging.INFO)  # as Snakemake's
        seen.see(*plan(1), job(1), *done(1))
        assert seen.end() == ends
        seen = start(quiet=quiet)
        seen.handler.addFilter(lambda _: False)
        seen.see(record(LogEvent.ERROR, "broken"))
        assert seen.end() == "broken\n"


def test_unknown_events_and_bare_records_break_nothing(start: Start) -> None:
    """Records of any event, with none of the fields that belong to it, do not raise."""
    seen = start()
    for event in (*LogEvent, "from_the_future", None):
        seen.see(record(event, "text"))
    seen.see(record("from_the_future", "news of tomorrow"), *done(77))
    text = seen.end()
    assert "news of tomorrow\n" in text
    assert "Traceback" not in text


def test_a_bug_in_showing_a_record_does_not_silence_the_next(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception while a record is shown is reported, and later records are still shown."""
    seen = start()
    seen.see(record(LogEvent.RUN_INFO, "stats", stats={"train": "three"}))
    assert "Traceback" in seen.stream.getvalue()
    seen.see(record(None, "still here", levelno=logging.WARNING))
    assert "still here\n" in seen.end()
