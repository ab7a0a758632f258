"""Scratch projects: one is run to its end once per test session, the others are made from it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kit.project import Project, made_once, scratch

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this folder runs the workflow, and is marked so."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.dag)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of a parallel test session share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


@pytest.fixture(scope="session")
def finished(shared: Path) -> Project:
    """The tiny study after `dvc repro`, committed and pushed; tests must not change it."""

    def make(folder: Path) -> Project:
        making = scratch(folder, shared)
        making.use_remote()
        making.dvc("repro")
        making.work()
        making.commit("Results")
        making.dvc("push")
        return making

    return made_once("finished", shared, make)


@pytest.fixture(scope="session")
def history(finished: Project, shared: Path) -> Project:
    """Two commits with results, the newer with one learning rate less; not to be changed."""

    def make(folder: Path) -> Project:
        making = finished.copy(folder)
        making.change(lr=[0.1])
        making.snakemake()
        making.work()
        making.dvc("commit", "--force")
        making.commit("One rate less")
        return making

    return made_once("history", shared, make)


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished project, for one test to change."""
    return finished.copy(tmp_path / "project")


@pytest.fixture
def clean(tmp_path: Path, shared: Path) -> Project:
    """The project before its first run."""
    return scratch(tmp_path / "clean", shared)
