"""Toy workflows in folders of their own. Most tests here run Snakemake, and are marked so."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.toy import Toy

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test of this folder that uses a toy runs a whole workflow."""
    for item in items:
        if HERE in item.path.parents and "toy" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.dag)


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    """A workflow of twelve jobs that share processes, in a folder with an awkward name."""
    return Toy(tmp_path / 'a toy\'s "folder"')
