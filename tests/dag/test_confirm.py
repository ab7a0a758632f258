"""The confirmation: the best cells train again on fresh seeds, in the same run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from kit.project import Project, made_once, scratch
from trainscape.cells.cell import TrialRecord
from trainscape.results.cell_files import read_cell, write_cell

if TYPE_CHECKING:
    from pathlib import Path

CONFIRM = {"cells": 2, "seeds": 2}


def fresh(project: Project) -> dict[str, bytes]:
    """The finalists on fresh seeds that are there."""
    found = project.results().items()
    return {path: made for path, made in found if path.startswith("results/confirm/")}


def choices(project: Project) -> dict[str, bytes]:
    """The files that are there and name finalists."""
    found = project.results().items()
    return {
        path: made
        for path, made in found
        if path.startswith("results/finalists/") and path.endswith(".json")
    }


def train(project: Project) -> set[str]:
    """Train what is to be trained, and make no table of it; the jobs that ran."""
    project.snakemake(*project.trainscape("targets", "train"))
    return {"choose" if job.startswith("finalists-") else job for job in project.work()}


def training(jobs: set[str]) -> set[str]:
    """The jobs that train cells or bring them back."""
    return {job for job in jobs if job.startswith(("train ", "restore "))}


@pytest.fixture(scope="session")
def confirmed(shared: Path) -> Project:
    """The tiny study with its finalists, run in two parts; tests must not change it."""

    def make(folder: Path) -> Project:
        making = scratch(folder, shared)
        making.change(confirm=CONFIRM)
        making.snakemake("--batch", "settle_cells=1/2")
        assert len(making.cells()) == 2 and not fresh(making) and not choices(making)
        tables = making.trainscape("targets", "collect")
        making.snakemake("--batch", "settle_cells=2/2", *tables)
        return making

    return made_once("confirmed", shared, make)


def test_the_last_part_confirms(confirmed: Project) -> None:
    """A part of the cells has no finalists; the last trains all that is left, to the tables.

    Then nothing is to be done.
    """
    assert (len(confirmed.cells()), len(choices(confirmed)), len(fresh(confirmed))) == (4, 1, 2)
    assert (confirmed.rows("trials.csv"), confirmed.rows("confirm.csv")) == (8, 4)
    # 360 test examples of each finalist; each trial is evaluated once
    assert (confirmed.rows("examples.csv"), confirmed.rows("noise.csv")) == (2 * 360, 4)
    assert confirmed.plan(*confirmed.trainscape("targets", "collect")) == {}


def test_only_new_finalists_train(confirmed: Project, tmp_path: Path) -> None:
    """With an added rate its cells train, and of the finalists those that were none before.

    Without it the former finalists come back from the attic, with the same bytes.
    """
    project = confirmed.copy(tmp_path / "longer")
    before, chosen = fresh(project), choices(project)
    project.work()
    project.change(lr=[0.01, 0.1, 0.3])
    jobs = train(project)
    new = fresh(project).keys() - before.keys()
    again = {job for job in training(jobs) if " fresh " in job}
    assert jobs - again == {"train sgd lr0.3", "train adam lr0.3", "choose", "settle"}
    assert len(again) == len(new) == 1 and not (choices(project).keys() & chosen.keys())
    assert all(fresh(project)[path] == before[path] for path in fresh(project).keys() - new)

    project.change(lr=[0.01, 0.1])
    jobs = train(project)
    assert {job.split()[0] for job in training(jobs)} == {"restore"}
    assert jobs - training(jobs) == {"choose", "settle"}
    assert (fresh(project), choices(project)) == (before, chosen)


def test_damage_is_made_good(confirmed: Project, tmp_path: Path) -> None:
    """A cell that is damaged or missing is trained, a damaged choice made again, and no more."""
    project = confirmed.copy(tmp_path / "damaged")
    before, chosen = fresh(project), choices(project)
    project.work()
    damaged, missing = before
    (project / damaged).write_bytes(before[damaged][:-40])
    said = project.fail("env", "PYTHONPATH=src", "python", "-m", "trainscape", "verify")
    assert damaged in said
    (project / missing).unlink()
    assert {job.split()[1] for job in training(train(project))} == {"fresh"}
    assert fresh(project) == before
    (file,) = chosen
    (project / file).write_bytes(chosen[file][:-40])
    assert file in project.fail("env", "PYTHONPATH=src", "python", "-m", "trainscape", "verify")
    assert not training(train(project))
    assert (fresh(project), choices(project)) == (before, chosen)


def test_nothing_is_forgotten_beside_a_choice(confirmed: Project, tmp_path: Path) -> None:
    """Cells, a table and the choice of finalists are missing: one run makes them all again.

    Also where all other cells are there, as when a Ctrl-C came while finalists were chosen.
    """
    project = confirmed.copy(tmp_path / "gaps")
    before, chosen = project.results(), (*choices(project), next(iter(fresh(project))))
    for others in ((project.cells()[0], "results/summary.csv"), ()):
        for path in (*chosen, *others):
            (project / path).unlink()
        project.snakemake(*project.trainscape("targets", "collect"))
        assert project.results() == before


def test_tables_follow_a_cell_that_is_trained_again(confirmed: Project, tmp_path: Path) -> None:
    """Memory ran out in a cell, and tables say so; it is removed: one run makes all anew."""
    project = confirmed.copy(tmp_path / "memory")
    before, tables = project.results(), project.trainscape("targets", "collect")
    path = project / project.cells()[0]
    record = read_cell(path)
    lost = [TrialRecord.untrained(trial.seed, "oom") for trial in record.trials]
    write_cell(path, replace(record, trials=lost))
    project.snakemake(*tables)
    assert b"oom" in project.results()["results/trials.csv"]
    path.unlink()
    project.snakemake(*tables)
    assert project.results() == before


def test_a_confirmation_can_be_left_out(confirmed: Project, tmp_path: Path) -> None:
    """Without it no finalist stays; with it again, all come back from the attic."""
    project = confirmed.copy(tmp_path / "off")
    before, chosen = fresh(project), choices(project)
    project.work()
    project.change(confirm=False)
    assert train(project) == {"settle"}
    assert fresh(project) == choices(project) == {}
    project.change(confirm=CONFIRM)
    jobs = train(project)
    assert all(job.startswith("restore fresh ") for job in training(jobs))
    assert len(training(jobs)) == 2 and jobs - training(jobs) == {"choose", "settle"}
    assert (fresh(project), choices(project)) == (before, chosen)


def test_a_search_confirms(clean: Project) -> None:
    """In one run, finalists are chosen among the cells that its rounds proposed."""
    clean.change(design={"method": "random", "trials": 3}, confirm=CONFIRM)
    jobs = train(clean)
    assert len([job for job in jobs if job.startswith("train fresh ")]) == len(fresh(clean))
    assert len(clean.cells()) == 3 and 1 <= len(fresh(clean)) <= 2
    assert clean.plan(*clean.trainscape("targets", "train")) == {}
