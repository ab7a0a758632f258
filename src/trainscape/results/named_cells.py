"""Files that name cells of a grid, by the digests that end their files' names.

Rounds of a search and finalists are such files. They are sealed, and hold their own name.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trainscape.errors import DamagedFileError, shown
from trainscape.sealed import read_sealed, write_sealed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


def write(file: Path, kind: str, paths: Iterable[str]) -> None:
    """Say which cells a file names.

    Args:
        file: the file.
        kind: what it is: the word that its own name is kept under.
        paths: the files of the cells, in an order that counts.
    """
    write_sealed(file, {kind: file.stem, "cells": [sha(path) for path in paths]})


def read(file: Path, kind: str, cells: Collection[str], nothing: str) -> list[str]:
    """The files of the cells that a file names, in its order.

    Args:
        file: the file.
        kind: what it is.
        cells: the files of the whole grid.
        nothing: what is said of a file that names what is no cell of the grid.

    Raises:
        MissingFileError: it is not there.
        DamagedFileError: it is damaged, another than its name says, or names no cells of the grid.
    """
    known = {sha(path): path for path in cells}
    body = read_sealed(file)
    try:
        if body[kind] != file.stem:
            raise DamagedFileError(file, f"holds another one ({shown(body[kind])})")
        return [known[one] for one in body["cells"]]
    except (KeyError, TypeError):
        raise DamagedFileError(file, nothing) from None


def sha(path: str) -> str:
    """The digest that ends the name of a cell's file."""
    return Path(path).stem.split("-")[-1]
