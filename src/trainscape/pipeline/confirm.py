"""Choose the finalists of a workload: the cells that train again, on fresh seeds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trainscape import analysis
from trainscape.errors import MissingFileError, UserError
from trainscape.files import sweep
from trainscape.pipeline import tables
from trainscape.results.cell_files import read_entries
from trainscape.results.finalists import write
from trainscape.results.owner import claim

if TYPE_CHECKING:
    from trainscape.pipeline.layout import Layout


def make(layout: Layout, file: str) -> None:
    """Write the file that names a workload's finalists; others of the workload are removed.

    Args:
        layout: the study, which confirms its best cells.
        file: the workload's file.

    Raises:
        UserError: it is no such file of the study, or a cell to choose from is missing or damaged.
    """
    found = [name for name, own in layout.finalists.items() if own == file]
    if not found or not layout.study.confirm:
        raise UserError(f"{file}: names no finalists of study {layout.study.name!r}")
    claim(layout.output, layout.study.name)
    workload = found[0]
    for earlier in layout.rounds.get(workload, ()):
        if not Path(earlier).exists():  # then there are cells that are not known yet
            raise MissingFileError(earlier)
    cells = {path: cell for path, cell in layout.chosen.items() if cell.workload == workload}
    entries = read_entries(cells, layout.identify)
    table = analysis.trials(entries, layout.targets_to_reach)
    own = tables.cells(layout, workload, table)
    places = analysis.finalists_of(own, layout.study.confirm.cells)
    paths = list(cells)
    write(Path(file), [paths[place] for place in places])
    sweep(Path(file).parent, "finalists-*.json", keep=[Path(file)])
    for place in places:
        print(f"chosen {cells[paths[place]]}")
    if not places:
        print(f"no cell of {workload} ended well with every seed: there are no finalists")
