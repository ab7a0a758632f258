"""Where cells wait that are in no study now: nothing that was trained is thrown away."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from trainscape.cells import confirm, range_tests
from trainscape.cells.cell import parse_path
from trainscape.files import copy, make_own, sweep
from trainscape.results.cell_files import read_kept

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator
    from pathlib import Path


class Attic:
    """The attic of an output folder, and the folders that cells leave and come back to.

    Args:
        output: the study's folder.
        others: other studies' folders, whose cells are as good.
    """

    def __init__(self, output: Path, others: Iterable[Path] = ()) -> None:
        self.output, self.others = output, tuple(others)
        self.folder, *self.homes = _folders(output)

    def place(self, path: Path) -> Path:
        """Where the cell of the file ``path`` waits: named by its digest alone."""
        return self.folder / f"{_short_digest(path)}.json"

    def kept(self, path: Path, taken: Container[str]) -> list[Path]:
        """The files that hold the cell of the file ``path`` by their names, the nearest first.

        Args:
            path: the file that it is to be.
            taken: files that are other cells of the study, and stay.
        """
        sha = _short_digest(path)
        found = [p for p in self._here.get(sha, []) if str(p) not in taken]
        return [p for p in [*found, *self._elsewhere.get(sha, [])] if p.exists()]

    def files(self, taken: Container[str]) -> Iterator[Path]:
        """All files that cells are kept in, the nearest first.

        Args:
            taken: files that are left out.
        """
        for found in (self._here, self._elsewhere):
            for paths in found.values():
                yield from (path for path in paths if str(path) not in taken)

    def restore(self, path: Path, digest: str, taken: Container[str]) -> Path | None:
        """Bring a cell back, if it is whole: from the attic, an earlier label or another study.

        Another study keeps its own file.

        Args:
            path: the file that it is to be.
            digest: the cell's full digest.
            taken: files that are other cells of the study, and stay.

        Returns:
            Where the cell was; None if it is nowhere.

        Raises:
            UserError: the file cannot be written.
        """
        for kept in self.kept(path, taken):
            if read_kept(kept, digest) is None:
                continue
            if kept.is_relative_to(self.output):
                path.parent.mkdir(parents=True, exist_ok=True)
                kept.replace(path)
                make_own(path)
            else:
                copy(kept, path)
            return kept
        return None

    @cached_property
    def _here(self) -> dict[str, list[Path]]:
        return _by_digest([self.folder, *self.homes])

    @cached_property
    def _elsewhere(self) -> dict[str, list[Path]]:
        return _by_digest(folder for output in self.others for folder in _folders(output))

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


def _folders(output: Path) -> tuple[Path, ...]:
    """Where cells lie in an output folder: the attic, then the folders of a study's own."""
    homes = ("cells", range_tests.FOLDER, confirm.FOLDER)
    return output / ".attic", *(output / home for home in homes)


def _by_digest(folders: Iterable[Path]) -> dict[str, list[Path]]:
    """All files below folders by the digest that ends their names."""
    found: dict[str, list[Path]] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*.json")):
            found.setdefault(_short_digest(path), []).append(path)
    return found


def _short_digest(path: Path) -> str:
    return path.stem.split("-")[-1]


def _is_cell(path: Path) -> bool:
    try:
        parse_path(path.as_posix())
    except ValueError:
        return False
    return True
