"""Nothing is forgotten when a checkpoint ends while jobs run whose files are there already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from kit.project import Project

CONFIRM = {"cells": 2, "seeds": 2}
RANGE = {"enabled": True}
TWO = ["digits-mlp", "digits-twin"]
# A job's file is there before Snakemake knows that the job is done. Here it comes to know of some
# only once a checkpoint has ended, which in turn ends only once the files of these are there.
LATE = '''"""A second workload, and jobs that Snakemake hears of late."""

import sys
import threading
import time
from pathlib import Path

from trainscape.workloads import registry, workload

workload("digits-twin", dataset="digits", target=0.95, std=16 / 255, chance=0.103)(
    registry.get("digits-mlp").build
)

LATE, CHECKPOINT = {late!r}, {checkpoint!r}
executor = sys.modules.get("snakemake_executor_plugin_fuse.executor")


def is_over(workflow):
    return any(CHECKPOINT in file for file in workflow.checkpoints.created_output.copy())


def late_files_are_there(workflow):
    files = [file for job in workflow.scheduler.running.copy() for file in job.output]
    late = [Path(file) for file in files if LATE in file]
    return bool(late) and all(file.exists() for file in late)


def tell(self, task, done):
    is_late, limit = LATE in str(task.outputs[0]), time.monotonic() + 60
    while not is_over(self.workflow) and time.monotonic() < limit:
        if not is_late and late_files_are_there(self.workflow):
            break
        time.sleep(0.02)
    if is_late and is_over(self.workflow):
        Path("told-late").touch()
    done(self, task)


def patch(Executor):
    done = Executor.done

    def soon(self, task):
        threading.Thread(target=tell, args=(self, task, done)).start()

    Executor.done = soon


if executor:
    patch(executor.Executor)
'''
# Inputs as they were once made: Snakemake forgets what comes after them.
FORGETFUL = """

if executor:
    from snakemake.io import ancient

    run = sys.modules["trainscape.pipeline.workflow"].Run
    run.undated = lambda self, files: [ancient(file) for file in files]
"""
SLOW = pytest.mark.slow  # the scene that always runs shows the same fault
STUDIES = [
    pytest.param(
        "/range/", "/finalists/", {"confirm": CONFIRM, "range_test": RANGE}, id="range", marks=SLOW
    ),
    pytest.param(
        *("/digits-twin/", "/finalists/digits-mlp/"),
        {"confirm": CONFIRM, "workloads": TWO},
        id="workloads",
    ),
    pytest.param(
        *("/digits-twin/", "/digits-mlp/round-02"),
        {
            "design": {"method": "evolution", "trials": 4, "rounds": 2, "seed": 0},
            "lr": [0.003, 0.01, 0.03, 0.1, 0.3],
            "workloads": TWO,
        },
        id="search",
        marks=SLOW,
    ),
]


def hear_late(project: Project, late: str, checkpoint: str, more: str = "") -> None:
    """Let Snakemake hear of jobs whose files have a text in their path after a checkpoint."""
    text = LATE.format(late=late, checkpoint=checkpoint) + more
    (project / "plugins/late.py").write_text(text, encoding="utf-8")
    project.change(plugins=["plugins/late.py"])


@pytest.mark.parametrize(("late", "checkpoint", "study"), STUDIES)
def test_all_is_made(clean: Project, late: str, checkpoint: str, study: dict[str, Any]) -> None:
    """Finalists are chosen, or a round proposed, beside jobs whose files are there: all goes on."""
    hear_late(clean, late, checkpoint)
    clean.change(**study)
    targets = clean.trainscape("targets", "train")
    clean.snakemake(*targets)
    assert (clean / "told-late").exists(), "the run was not as this test means it to be"
    assert "settle" in clean.work()
    assert clean.plan(*targets) == {}


def test_a_run_that_forgets_fails(clean: Project) -> None:
    """A run that leaves out what was asked for says so, and that is no success."""
    hear_late(clean, "/range/", "/finalists/", FORGETFUL)
    clean.change(confirm=CONFIRM, range_test=RANGE)
    said = clean.fail("snakemake", "--cores", "1")
    assert (clean / "told-late").exists(), "the run was not as this test means it to be"
    (line,) = [line for line in said.splitlines() if line.startswith("trainscape: ")]
    assert "the run ended early" in line and "results/" in line and "same command again" in line
    assert "Traceback" not in said and "Done in" not in said and "Report: " not in said
    clean.edit("plugins/late.py", FORGETFUL, "")
    clean.snakemake()
    assert (clean / "results/report.html").exists()


def test_less_may_be_asked_for(project: Project) -> None:
    """A run up to a rule, or without one, makes what is left of the study and is a success."""
    page = project / "results/report.html"
    for path in (project / project.cells()[0], project / "results/metrics.json", page):
        path.unlink()
    project.work()
    project.snakemake("--until", "train")
    assert {job.split()[0] for job in project.work()} == {"train"}
    project.snakemake("--omit-from", "write_report")
    assert "answer" in project.work() and not page.exists()
    project.snakemake()
    assert project.work() == {"report"}


def test_force_forgets_nothing(project: Project) -> None:
    """A cell that is trained by force, though it is there, is not all that an unfinished run does.

    Of a finished study it is.
    """
    first = project.cells()[0]
    page = project / "results/report.html"
    page.unlink()
    project.snakemake("--forcerun", first)
    assert page.exists()
    project.work()
    project.snakemake("--forcerun", first)
    assert {job.split()[0] for job in project.work()} == {"train"}
