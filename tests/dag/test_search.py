"""A search: cells of the grid, round by round, by the same workflow."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from kit.project import AGGREGATES, Project, scratch

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


@pytest.fixture(scope="session")
def searched(shared: Path) -> Project:
    """A finished search of two rounds; tests must not change it."""
    with FileLock(shared / "searched.lock"):
        project = Project(shared / "searched", shared)
        if not project.root.exists():
            making = scratch(shared / "making-searched", shared)
            searching(making)
            making.snakemake()
            making.work()
            making.root.rename(project.root)
    return project


def test_a_search_trains_its_cells_and_no_more(searched: Project) -> None:
    """Two rounds of two cells are trained and told of; then nothing is to be done."""
    assert len(rounds(searched)) == 2
    assert (len(searched.cells()), searched.rows()) == (4, 4)
    assert sorted(searched.trainscape("cells", "--paths"))[-4:] == searched.cells()
    page = (searched / "results/report.html").read_text(encoding="utf-8")
    assert "20 cells 4 were trained, as evolution proposed them" in page
    assert searched.plan() == {}


def test_further_rounds_keep_the_earlier(searched: Project, tmp_path: Path) -> None:
    """A third round trains its own cells alone; taken back, it leaves no trace."""
    project = searched.copy(tmp_path / "longer")
    before = project.results()
    searching(project, trials=6, rounds=3)
    project.snakemake()
    work = project.work()
    assert len([job for job in work if job.startswith("train ")]) == 2
    assert rounds(project)[:2] == rounds(searched)
    kept = [path for path in before if path.startswith(("results/cells", "results/search"))]
    assert all(project.results()[path] == before[path] for path in kept)
    searching(project)
    project.snakemake()
    assert project.work() == AGGREGATES
    assert project.results() == before


def test_a_killed_search_goes_on(searched: Project, clean: Project) -> None:
    """After `kill -9` in its second round, the same command ends with the same bytes."""
    searching(clean)
    running = clean.start("snakemake", "--cores", "1")
    limit = time.monotonic() + 240
    while len(rounds(clean)) < 2:
        assert running.poll() is None and time.monotonic() < limit
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGKILL)
    running.communicate()
    assert len(clean.cells()) >= 2
    clean.run("snakemake", "--unlock")
    clean.snakemake()
    assert clean.results() == searched.results()


def test_a_grid_knows_its_searchs_cells(searched: Project, tmp_path: Path) -> None:
    """The whole grid after a search trains what the search did not."""
    project = searched.copy(tmp_path / "grid")
    project.change(design="grid")
    assert project.plan()["train"] == 16
    assert "propose_cells" not in project.plan()
