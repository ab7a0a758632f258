"""Check that every file of a study is the one that was made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape import datasets
from trainscape.cells.identity import digest
from trainscape.errors import UserError
from trainscape.results.cell_files import read_cell
from trainscape.results.stamps import changed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from trainscape.cells.cell import Cell


def verify(
    data: Path, names: Iterable[str], cells: Mapping[Path, Cell], stamps: Iterable[Path]
) -> list[str]:
    """What is missing, damaged or edited, one line each.

    Args:
        data: the folder of the datasets.
        names: the datasets to check.
        cells: the cells to check, by file.
        stamps: the stamps whose products to check.
    """
    found: list[str] = []
    for name in names:
        found += _refusal(datasets.load, name, data)
    for path, cell in cells.items():
        found += _refusal(read_cell, path, digest(cell))
    for stamp in stamps:
        found += changed(stamp)
    return found


def _refusal(read: Callable[..., object], *args: object) -> Iterator[str]:
    """What the reader says against a file, if anything."""
    try:
        read(*args)
    except UserError as error:
        yield str(error)
