"""What git and DVC bring back is fresh, whatever the clock says; what changed is not."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
import yaml

from kit.project import ROOT, STAMPS, TABLES, Project

if TYPE_CHECKING:
    from pathlib import Path

# What a run reads and makes, in the order of the stages.
FLOW = (
    *("src", "workflow", "Snakefile", "params.yaml", "data", "results/cells", "results/range"),
    *(
        "results/.made",
        "results/figures",
        *(f"results/{table}" for table in TABLES),
        "results/report.html",
    ),
)


def test_clone(finished: Project, tmp_path: Path) -> None:
    """A clone is fresh for DVC without its data, and with them for both, until a value changes."""
    clone = finished.clone(tmp_path / "clone")
    assert "Running stage" not in clone.dvc("repro", "--dry", "--allow-missing")
    assert clone.git("status", "--porcelain") == ""

    clone.dvc("pull")
    assert "Nothing to be done" in clone.snakemake()
    assert "Running stage" not in clone.dvc("repro")
    assert clone.work() == set()
    assert clone.state() == ""
    assert clone.results() == finished.results()

    clone.change(budget={"epochs": 2})
    once = ("settle_cells", "collect", "answer", "draw_figures", "draw_timings", "write_report")
    assert clone.plan() == {"train": 4, **dict.fromkeys(once, 1)}


def test_older_commit(history: Project, tmp_path: Path) -> None:
    """After `git checkout` and `dvc checkout` of an older commit nothing is to be done."""
    project = history.copy(tmp_path / "project")
    assert len(project.cells()) == 2
    project.git("checkout", "--quiet", "HEAD~1")
    project.dvc("checkout")
    assert len(project.cells()) == 4
    assert project.plan() == {}
    assert "Running stage" not in project.dvc("repro")
    assert project.work() == set()
    assert project.state() == ""


@pytest.mark.parametrize("order", [1, -1], ids=["inputs oldest", "inputs newest"])
def test_touched_files(project: Project, order: int) -> None:
    """The time stamps of sources, inputs and outputs do not count."""
    shutil.rmtree(project / ".snakemake")  # where it keeps checksums of small inputs
    for number, name in enumerate(FLOW[::order]):
        for path in [project / name, *(project / name).rglob("*")]:
            os.utime(path, (1e9 + number, 1e9 + number))
    assert project.plan() == {}


def test_repro_after_snakemake(project: Project) -> None:
    """`dvc repro` after a finished `snakemake` runs no job and leaves git's files as they were."""
    (project / "results/report.html").unlink()
    project.snakemake()
    project.work()
    project.dvc("repro")
    assert project.work() == set()
    assert project.state() == ""


def test_every_output_persists() -> None:
    """DVC deletes no output before its stage runs: a failing stage leaves what was there."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    outputs = [
        output
        for stage in stages.values()
        for kind in ("outs", "metrics", "plots")
        for output in stage.get(kind, [])
    ]
    assert len(outputs) > len(stages)
    for output in outputs:
        assert isinstance(output, dict) and all(o["persist"] is True for o in output.values())


def test_every_product_is_versioned(finished: Project) -> None:
    """Git or DVC has each file of a run, so that a clone with its data lacks none."""
    every = finished.trainscape("targets", "data", "train", *sorted(STAMPS))
    every += finished.trainscape("cells", "--paths")
    tracked = finished.git("ls-files").splitlines()
    tracked += finished.dvc("list", ".", "--recursive", "--dvc-only").splitlines()
    assert set(every) <= set(tracked)
