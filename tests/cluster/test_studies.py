"""Studies on a cluster: the bytes of a run on one machine, whatever happens to jobs and nodes."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from kit.project import Project, scratch
from kit.toy import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kit.slurm import Slurm

LAUNCHER = ("snakemake", "--workflow-profile", "profiles/slurm")
JOBS = (
    *("snakemake", "--workflow-profile", "profiles/slurm-jobs", "--slurm-no-account"),
    *("--slurm-status-command", "squeue"),
)
CELLS = ("--until", "settle_cells")


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for DVC's caches."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture
def project(slurm: Slurm, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A study of four cells, in a project that finds the cluster."""
    for name, value in slurm.environment.items():
        monkeypatch.setenv(name, value)
    return scratch(tmp_path / "project", shared)


def bytes_of(project: Project) -> dict[str, bytes]:
    """The cells of a project."""
    return {cell: (project / cell).read_bytes() for cell in project.cells()}


def trained_here(project: Project) -> dict[str, bytes]:
    """The cells of the same study, trained again by a run on this machine alone."""
    shutil.rmtree(project / "results")
    project.snakemake(*CELLS)
    return bytes_of(project)


def disturbed(
    project: Project, slurm: Slurm, disturb: Callable[[str], Any], *words: str
) -> subprocess.CompletedProcess[str]:
    """Run a study, and do something to the first job that runs.

    Args:
        project: has the study.
        slurm: trains it.
        disturb: is given the job's number.
        words: the command.
    """
    process = project.start(*words, *CELLS)
    until(lambda: "RUNNING" in {job.state for job in slurm.jobs()}, 60)
    job = next(job for job in slurm.jobs() if job.state == "RUNNING")
    disturb(job.number)
    said, _ = process.communicate(timeout=240)
    return subprocess.CompletedProcess(words, process.returncode, said)


def test_a_study_trains_in_jobs_on_two_nodes(project: Project, slurm: Slurm) -> None:
    """Its cells have the bytes of a run here, then nothing is to be done, and no job is left."""
    project.run(*LAUNCHER, *CELLS)
    made = bytes_of(project)
    assert len(made) == 4
    assert project.plan(*LAUNCHER[1:], *CELLS) == {}
    assert not slurm.jobs()
    assert made == trained_here(project)


@pytest.mark.slow
def test_a_cancelled_job_fails_in_a_line_and_the_next_run_goes_on(
    project: Project, slurm: Slurm
) -> None:
    """``scancel`` of a bundle: one line says so; the same command trains the rest."""
    run = disturbed(
        project, slurm, lambda job: slurm.call("scancel", job), *LAUNCHER, "--retries", "0"
    )
    assert run.returncode == 1
    assert "Traceback" not in run.stdout
    assert "CANCELLED" in run.stdout
    project.run(*LAUNCHER, *CELLS)
    made = bytes_of(project)
    assert len(made) == 4
    assert made == trained_here(project)


@pytest.mark.slow
def test_trials_in_training_go_on_after_their_job_is_cancelled(
    project: Project, slurm: Slurm
) -> None:
    """What a bundle was training is kept when Slurm ends it; the next run goes on from there."""
    longer = ("--config", "budget={steps: 12000}", "evaluate_every=200")

    def cancel(job: str) -> None:
        until(lambda: any(" steps of " in log.read_text() for log in bundles()), 60)
        slurm.call("scancel", job)

    def bundles() -> list[Path]:
        return list((project / ".snakemake/fuse").glob("*/bundle-*.log"))

    run = disturbed(project, slurm, cancel, *LAUNCHER, "--retries", "0", *longer)
    assert run.returncode == 1, run.stdout
    assert "Traceback" not in run.stdout
    said = project.run(*LAUNCHER, *CELLS, *longer)
    assert re.search(r"^To resume: \d trials?, kept part-way$", said, re.M)
    logs = [log.read_text() for log in (project / "logs").rglob("train/**/*.log")]
    assert any(
        re.search(r"^resumed \d trials?(, each)? at step [\d,]+ of 12,000$", x, re.M) for x in logs
    )
    made = bytes_of(project)
    assert len(made) == 4
    shutil.rmtree(project / "results")
    project.snakemake(*CELLS, *longer)
    assert made == bytes_of(project)


@pytest.mark.slow
def test_a_node_goes_down_and_comes_back(project: Project, slurm: Slurm) -> None:
    """Its jobs are trained again on the other node, in the same run; later it is used again."""
    run = disturbed(project, slurm, lambda job: slurm.kill_node(slurm.node_of(job)), *LAUNCHER)
    assert run.returncode == 0, run.stdout
    assert "Traceback" not in run.stdout
    made = bytes_of(project)
    assert len(made) == 4
    slurm.restore()
    assert made == trained_here(project)


@pytest.mark.slow
def test_a_preempted_bundle_is_handed_in_again(project: Project, slurm: Slurm) -> None:
    """A job of a partition that goes first takes all nodes: the run waits, and then goes on."""
    urgent = ("sbatch", "--partition=urgent", "--exclusive", "--nodes=2", "--output=/dev/null")
    run = disturbed(project, slurm, lambda _: slurm.call(*urgent, "--wrap=sleep 5"), *LAUNCHER)
    assert run.returncode == 0, run.stdout
    assert "Traceback" not in run.stdout
    assert bytes_of(project) == trained_here(project)


@pytest.mark.slow
def test_a_requeued_job_of_snakemake_s_own_executor_makes_its_cell(
    project: Project, slurm: Slurm
) -> None:
    """A job for each cell, one of which Slurm starts twice: the same bytes."""
    pytest.importorskip("snakemake_executor_plugin_slurm", reason="pip install trainscape[slurm]")
    run = disturbed(project, slurm, lambda job: slurm.call("scontrol", "requeue", job), *JOBS)
    assert run.returncode == 0, run.stdout
    made = bytes_of(project)
    assert len(made) == 4
    assert made == trained_here(project)
