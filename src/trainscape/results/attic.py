"""Where cells wait that are in no study now: nothing that was trained is thrown away."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from trainscape.cells import range_tests
from trainscape.cells.cell import parse_path
from trainscape.errors import UserError
from trainscape.files import sweep
from trainscape.results.cell_files import read_cell

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path


class Attic:
    """The attic of an output folder, and the folders that cells leave and come back to.

    Args:
        output: the study's folder.
    """

    def __init__(self, output: Path) -> None:
        self.folder = output / ".attic"
        self.homes = (output / "cells", output / range_tests.FOLDER)

    def place(self, path: Path) -> Path:
        """Where the cell of the file ``path`` waits: named by its digest alone."""
        return self.folder / f"{_short_digest(path)}.json"

    def restore(self, path: Path, digest: str, taken: Container[str]) -> Path | None:
        """Bring a cell back, if it is whole: from the attic, or from under an earlier label.

        Args:
            path: the file that it is to be.
            digest: the cell's full digest.
            taken: files that are other cells of the study, and stay.

        Returns:
            Where the cell was; None if it is nowhere.
        """
        labelled = [p for home in self.homes for p in home.rglob(f"*-{_short_digest(path)}.json")]
        for kept in (self.place(path), *(p for p in labelled if str(p) not in taken)):
            try:
                if not kept.exists():
                    continue
                read_cell(kept, digest)
            except UserError as error:
                print(f"{error}; it is trained again", file=sys.stderr)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            kept.replace(path)
            return kept
        return None

    def take(self, study: Container[str]) -> None:
        """Move the cell files that are not the study's to the attic; other files stay.

        Args:
            study: the files of the study's cells.
        """
        for home in self.homes:
            for path in sorted(home.rglob("*.json")):
                if str(path) not in study and _is_cell(path):
                    kept = self.place(path)
                    kept.parent.mkdir(parents=True, exist_ok=True)
                    path.replace(kept)
                    print(f"moved {path} to the attic")
            sweep(home)


def _short_digest(path: Path) -> str:
    return path.stem.split("-")[-1]


def _is_cell(path: Path) -> bool:
    try:
        parse_path(path.as_posix())
    except ValueError:
        return False
    return True
