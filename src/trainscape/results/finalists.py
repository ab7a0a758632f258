"""The finalists of a workload as a file: ``finalists/<workload>/finalists-<sha>.json``.

It names the cells of the grid that are confirmed. Its digest covers all that decides them besides
the results of the cells they are chosen from, which are decided by theirs: the cells of the grid in
order, a search's rounds, how many are wanted, and the source of the choice.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trainscape import source
from trainscape.errors import DamagedFileError
from trainscape.hashing import SHORT, sha256
from trainscape.numerals import counted
from trainscape.sealed import read_sealed, write_sealed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from trainscape.cells.cell import Cell

FOLDER = "finalists"
CHOICE = source.PACKAGE / "pipeline" / "confirm.py"  # what makes a file


def finalists_files(
    output: Path, cells: Mapping[str, Cell], wanted: int, rounds: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """The files of all workloads, by workload.

    Args:
        output: the study's folder.
        cells: the whole grid, by file.
        wanted: how many finalists.
        rounds: the files of a search's rounds by workload; none where the grid is trained.
    """
    grid: dict[str, list[str]] = {}
    for path, cell in cells.items():
        grid.setdefault(cell.workload, []).append(_sha(path))
    code = source.closure([CHOICE])
    found = {}
    for workload, own in grid.items():
        searched = [Path(file).stem for file in rounds.get(workload, ())]
        about = {"grid": own, "rounds": searched, "count": wanted, "source": code}
        file = output / FOLDER / workload / f"finalists-{sha256(about)[:SHORT]}.json"
        found[workload] = str(file)
    return found


def write_finalists(file: Path, paths: Iterable[str]) -> None:
    """Say which cells are finalists, by the digests that end the names of the grid's files."""
    write_sealed(file, {"finalists": file.stem, "cells": [_sha(path) for path in paths]})


def read_finalists(file: Path, cells: Mapping[str, Cell]) -> list[str]:
    """The files of the grid's cells that are finalists, the most promising first.

    Args:
        file: the one that names them.
        cells: the whole grid, by file.

    Raises:
        MissingFileError: it is not there.
        DamagedFileError: it is damaged, of other finalists, or names what is no cell of the grid.
    """
    known = {_sha(path): path for path in cells}
    body = read_sealed(file)
    try:
        if body["finalists"] != file.stem:
            raise DamagedFileError(file, f"holds other finalists ({body['finalists']})")
        return [known[sha] for sha in body["cells"]]
    except (KeyError, TypeError):
        raise DamagedFileError(file, "names no finalists of this grid") from None


def spread(paths: Sequence[str], count: int) -> list[str]:
    """Up to ``count`` of the files, evenly spread, to stand in for those that are not known.

    >>> spread(["a", "b", "c", "d", "e"], 2), spread(["a"], 2)
    (['a', 'c'], ['a'])
    """
    count = min(count, len(paths))
    return [paths[i * len(paths) // count] for i in range(count)]


def outlook(files: Mapping[str, str], chosen: int, wanted: int, seeds: Sequence[int]) -> str:
    """How far a confirmation is, in a line.

    Args:
        files: the finalists' files, by workload.
        chosen: how many finalists are chosen so far.
        wanted: how many a workload is to have.
        seeds: the fresh ones.
    """
    there = sum(Path(file).exists() for file in files.values())
    on = f"on {len(seeds)} fresh seeds from {seeds[0]} on"
    if there == len(files):
        return f"a confirmation: {counted(chosen, 'finalist')} {on}"
    of = "" if len(files) == 1 else f"; {there} of {len(files)} workloads have theirs"
    each = "" if len(files) == 1 else " of each workload"
    return (
        f"a confirmation: about {counted(wanted, 'finalist')}{each} {on}; which they are is known "
        f"when all other cells are trained{of}"
    )


def _sha(path: str) -> str:
    return Path(path).stem.split("-")[-1]
