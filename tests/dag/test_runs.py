"""Equal runs give equal bytes, whatever comes between; a clean run is the grid and no more."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from typing import TYPE_CHECKING

import lint_workflow

if TYPE_CHECKING:
    from dag.project import Project

# What a run leaves that is killed in the very moment of writing.
LEFT = (
    "results/.summary.csv.1.tmp",
    "results/.report.html.1.tmp",
    "results/figures/digits-mlp/curves/.sgd.svg.1.tmp",
    "results/cells/digits-mlp/sgd/.bs256.json.1.tmp",
)


def test_dry_run_lists_the_grid(clean: Project) -> None:
    """On a clean tree `snakemake -n` lists a job per cell, and no other than the aggregates."""
    said = clean.run("snakemake", "--dry-run")
    listed = re.findall(r"output: (results/cells/\S+)$", said, flags=re.MULTILINE)
    assert sorted(listed) == sorted(clean.trainscape("cells", "--paths"))
    assert len(listed) == 4
    others = ("make_dataset_digits", "settle_cells", "collect", "draw_figures", "collect_timings")
    assert clean.plan() == {"train": 4, **dict.fromkeys((*others, "write_report"), 1)}
    assert not (clean / "results").exists()


def test_second_clean_run(finished: Project, clean: Project) -> None:
    """A clean run in another folder, by plain snakemake on one core, gives the same bytes."""
    clean.run("snakemake", "--cores", "1")
    assert clean.results() == finished.results()


def test_killed_run(finished: Project, clean: Project) -> None:
    """After `kill -9` amid training and the unlock, the same command ends with the same bytes."""
    clean.trainscape("data")
    running = clean.start("snakemake", "--cores", "1")
    limit = time.monotonic() + 120
    while not clean.cells():  # the first cell is done: the second is being trained
        assert running.poll() is None and time.monotonic() < limit
        time.sleep(0.05)
    time.sleep(1.5)
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    assert 1 <= len(clean.cells()) < 4
    assert "--unlock" in clean.fail("snakemake", "--cores", "all")

    for name in LEFT:
        (clean / name).parent.mkdir(parents=True, exist_ok=True)
        (clean / name).write_text("half a file", encoding="utf-8")

    clean.run("snakemake", "--unlock")
    clean.snakemake()
    assert clean.results() == finished.results()
    assert not list(clean.root.rglob("*.tmp"))
    assert clean.plan() == {}


def test_environment_of_the_user(finished: Project, project: Project) -> None:
    """Thread counts in the environment, and another copy on the path, change no byte of a cell."""
    path = project.cells()[0]
    (project / path).unlink()
    away = f"PYTHONPATH={project / 'plugins'}"
    project.run("env", "OMP_NUM_THREADS=7", "MKL_NUM_THREADS=7", away, "snakemake", "-j2", path)
    assert (project / path).read_bytes() == (finished / path).read_bytes()


def test_lint(clean: Project) -> None:
    """`snakemake --lint` misses nothing but a container for each rule, and the check can fail."""
    check = (sys.executable, "tests/lint_workflow.py")
    assert clean.run(*check) == ""
    clean.edit("workflow/rules/report.smk", '    log:\n        f"{LOGS}/report.log",\n', "")
    assert "No log directive" in clean.fail(*check)
    assert not lint_workflow.acceptable("NameError in file Snakefile")


def test_snakemake_report(project: Project) -> None:
    """Snakemake's own report files every product under a category, with its caption."""
    project.run("snakemake", "--report", "out.html")
    page = (project / "out.html").read_text(encoding="utf-8")
    for words in ("Figures", "Tables", "digits-mlp: test metric", "digits-mlp: curves"):
        assert words in page
    seconds = ("throughput", "time-to-target")  # which this study has none of
    captions = [p for p in (project / "workflow/report").glob("*.rst") if p.stem not in seconds]
    for text in [path.read_text(encoding="utf-8") for path in captions]:
        assert text.split(":")[0].split("``")[0].strip() in page
