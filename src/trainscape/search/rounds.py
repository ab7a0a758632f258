"""The rounds of a search as files, each a list of cells: ``search/<workload>/round-01-<sha>.json``.

A round's digest covers all that decides it besides the results of the rounds before, which are
decided by theirs: the cells of the grid in order, method, seed, the sizes of the rounds up to it,
the source of the search and the versions of what proposes. So further rounds leave the earlier
ones as they are.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from trainscape import source
from trainscape.hashing import SHORT, sha256
from trainscape.results import named_cells

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trainscape.cells.cell import Cell
    from trainscape.study.design import Design

PACKAGES = ("optuna", "cmaes")


def packages() -> dict[str, str]:
    """The versions of what proposes cells."""
    return {name: version(name) for name in PACKAGES}


def round_files(design: Design, output: Path, cells: Mapping[str, Cell]) -> dict[str, list[str]]:
    """The files of all rounds in order, by workload.

    Args:
        design: the search.
        output: the study's folder.
        cells: the whole grid, by file.
    """
    fixed = {
        "source": source.closure([source.PACKAGE / "search" / "__init__.py"]),
        "packages": packages(),
        "method": design.method,
        "seed": design.seed,
    }
    found: dict[str, list[str]] = {}
    for workload, paths in by_workload(cells).items():
        grid = [named_cells.sha(path) for path in paths]
        for n in range(1, len(design.sizes()) + 1):
            sha = sha256({**fixed, "grid": grid, "sizes": design.sizes()[:n]})[:SHORT]
            file = output / "search" / workload / f"round-{n:02d}-{sha}.json"
            found.setdefault(workload, []).append(str(file))
    return found


def by_workload(cells: Mapping[str, Cell]) -> dict[str, list[str]]:
    """The files of each workload's cells, in grid order."""
    found: dict[str, list[str]] = {}
    for path, cell in cells.items():
        found.setdefault(cell.workload, []).append(path)
    return found


def stand_ins(design: Design, cells: Mapping[str, Cell], proposed: list[str]) -> dict[str, Cell]:
    """The proposed cells, and others spread over the grid for those that are yet to be.

    Args:
        design: the search.
        cells: the whole grid, by file.
        proposed: the files of the cells of the rounds so far.
    """
    found = {path: cells[path] for path in proposed}
    for paths in by_workload(cells).values():
        rest = [path for path in paths if path not in found]
        missing = design.trials - (len(paths) - len(rest))
        spread = (rest[i * len(rest) // missing] for i in range(missing))
        found |= {path: cells[path] for path in spread}
    return found


def progress(
    design: Design, cells: Mapping[str, Cell], rounds: Mapping[str, list[str]], proposed: int
) -> str:
    """How far a search is, and how much of the grid it trains.

    Args:
        design: the search.
        cells: the whole grid, by file.
        rounds: the files of the rounds, by workload.
        proposed: how many cells are proposed so far.
    """
    files = [Path(file) for own in rounds.values() for file in own]
    there = sum(file.exists() for file in files)
    return (
        f"a search by {design.method}: {design.trials * len(rounds)} of the {len(cells)} cells of "
        f"the grid; {proposed} are proposed, in {there} of {len(files)} rounds"
    )


def write_round(file: Path, paths: Sequence[str]) -> None:
    """Say which cells a round proposes, by the digests that end their files' names."""
    named_cells.write(file, "round", paths)


def read_round(file: Path, cells: Mapping[str, Cell]) -> list[str]:
    """The files of the cells that a round proposes.

    Args:
        file: the round's.
        cells: the whole grid, by file.

    Raises:
        MissingFileError: it is not there.
        DamagedFileError: it is damaged, another round's, or names what is no cell of the grid.
    """
    return named_cells.read(file, "round", cells, "is no round of this search")
