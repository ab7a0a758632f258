"""The finalists of a workload as a file: ``finalists/<workload>/finalists-<sha>.json``.

It names the cells of the grid that are confirmed. Its digest covers all that decides them besides
the results of the cells they are chosen from, which are decided by theirs: the cells of the grid in
order, a search's rounds, how many are wanted, and the source of the choice.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trainscape import source
from trainscape.hashing import SHORT, sha256
from trainscape.results import named_cells

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from trainscape.cells.cell import Cell

FOLDER = "finalists"
CHOICE = source.PACKAGE / "pipeline" / "confirm.py"  # what makes a file


def files(
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
        grid.setdefault(cell.workload, []).append(named_cells.sha(path))
    code = source.closure([CHOICE])
    found = {}
    for workload, own in grid.items():
        searched = [Path(file).stem for file in rounds.get(workload, ())]
        about = {"grid": own, "rounds": searched, "count": wanted, "source": code}
        file = output / FOLDER / workload / f"finalists-{sha256(about)[:SHORT]}.json"
        found[workload] = str(file)
    return found


def write(file: Path, paths: Iterable[str]) -> None:
    """Say which cells are finalists, by the digests that end the names of the grid's files."""
    named_cells.write(file, "finalists", paths)


def read(file: Path, cells: Mapping[str, Cell]) -> list[str]:
    """The files of the grid's cells that are finalists, the most promising first.

    Args:
        file: the one that names them.
        cells: the whole grid, by file.

    Raises:
        MissingFileError: it is not there.
        DamagedFileError: it is damaged, of other finalists, or names what is no cell of the grid.
    """
    return named_cells.read(file, "finalists", cells, "names no finalists of this grid")
