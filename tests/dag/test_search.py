"""A search: cells of the grid, round by round, by the same workflow."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from kit.project import Project, made_once, scratch

if TYPE_CHECKING:
    from pathlib import Path

DESIGN = {"method": "evolution", "trials": 4, "rounds": 2, "seed": 0}
LRS = [0.003, 0.01, 0.03, 0.1, 0.3]


def searching(project: Project, **changes: int) -> None:
    """Search a grid of 20 cells instead of training it."""
    project.change(design={**DESIGN, **changes}, lr=LRS, batch_size=[128, 256])


def rounds(project: Project) -> list[str]:
    """The files of the rounds that are there."""
    return sorted(path for path in project.results() if "/search/" in path and ".json" in path)


def train(project: Project) -> set[str]:
    """Train what is to be trained, and make no table of it; the jobs that ran."""
    project.snakemake(*project.trainscape("targets", "train"))
    return project.work()


def trained(project: Project) -> dict[str, bytes]:
    """The cells and rounds that are there."""
    folders = ("results/cells", "results/search")
    return {path: made for path, made in project.results().items() if path.startswith(folders)}


@pytest.fixture(scope="session")
def searched(shared: Path) -> Project:
    """A search of two rounds whose cells are trained; tests must not change it."""

    def make(folder: Path) -> Project:
        making = scratch(folder, shared)
        searching(making)
        train(making)
        return making

    return made_once("searched", shared, make)


def test_a_killed_search_goes_on(searched: Project, clean: Project) -> None:
    """After `kill -9` in its second round, the same command ends with the same bytes.

    Two rounds of two cells are trained, told of, and no more; then nothing is to be done.
    """
    searching(clean)
    running = clean.start("snakemake", "--cores", "1")
    limit = time.monotonic() + 240
    while len(rounds(clean)) < 2:
        assert running.poll() is None and time.monotonic() < limit
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    assert len(clean.cells()) >= 2
    clean.snakemake()
    assert trained(clean) == trained(searched)
    assert (len(rounds(clean)), len(clean.cells()), clean.rows()) == (2, 4, 4)
    assert sorted(clean.trainscape("cells", "--paths"))[-4:] == clean.cells()
    page = (clean / "results/report.html").read_text(encoding="utf-8")
    assert "20 cells 4 were trained, as evolution proposed them" in page
    assert clean.plan() == {}


def test_further_rounds_keep_the_earlier(searched: Project, tmp_path: Path) -> None:
    """A third round trains its own cells alone; taken back, it leaves no trace."""
    project = searched.copy(tmp_path / "longer")
    before = trained(project)
    searching(project, trials=6, rounds=3)
    assert len([job for job in train(project) if job.startswith("train ")]) == 2
    assert (len(rounds(project)), len(project.cells())) == (3, 6)
    assert before.items() <= trained(project).items()
    searching(project)
    assert train(project) == {"settle"}
    assert trained(project) == before


def test_a_grid_knows_its_searchs_cells(searched: Project, tmp_path: Path) -> None:
    """The whole grid after a search trains what the search did not."""
    project = searched.copy(tmp_path / "grid")
    project.change(design="grid")
    planned = project.plan()
    assert planned["train"] == 16
    assert "propose_cells" not in planned


def test_a_round_that_is_not_its_own_is_proposed_again(searched: Project, tmp_path: Path) -> None:
    """A round's file with another round's cells, or cut short, is replaced; no cell is lost."""
    project = searched.copy(tmp_path / "mixed")
    before = trained(project)
    project.work()
    first, second = rounds(project)
    (project / second).write_bytes((project / first).read_bytes())
    (project / first).write_bytes((project / first).read_bytes()[:-40])
    said = project.fail("env", "PYTHONPATH=src", "python", "-m", "trainscape", "verify")
    assert first in said and second in said
    work = train(project)
    assert {job for job in work if job.startswith("round-")} and trained(project) == before
    assert not [job for job in work if job.startswith("train ")]
    (project / second).unlink()
    for cell in project.cells():  # some are of the round that is not there to name them
        (project / cell).unlink()
    train(project)
    assert trained(project) == before
