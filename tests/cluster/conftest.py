"""A Slurm cluster of two nodes for each process of the test session that needs one."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kit.slurm import Slurm, missing
from kit.toy import Toy

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this folder runs whole workflows, and is left out where Slurm is missing."""
    reason = missing()
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.dag)
            if reason:
                item.add_marker(pytest.mark.skip(reason))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Slurm]:
    """Two nodes, with four cores each."""
    # not pytest's own folder: a socket's path has at most 107 letters
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder:
        slurm = Slurm(Path(folder) / "cluster", kill_wait=5)
        slurm.start()
        try:
            yield slurm
        finally:
            slurm.end()


@pytest.fixture
def slurm(cluster: Slurm) -> Iterator[Slurm]:
    """The cluster, with no jobs and both nodes up; both is so again for the next test."""
    yield cluster
    cluster.restore()


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    """A workflow of twelve jobs that share processes."""
    return Toy(tmp_path / "toy")
