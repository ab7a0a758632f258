"""Write every cell of a study without training it: valid files, made-up curves.

Run in a scratch project: ``python stub.py params.yaml``, its source on PYTHONPATH.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

from trainscape import study
from trainscape.cells import grid
from trainscape.cells.cell import Cell, TrialRecord
from trainscape.cells.identity import digest, identity
from trainscape.pipeline.layout import Layout
from trainscape.results.cell_files import CellRecord, write_cell
from trainscape.results.owner import claim

BACKEND = "stub"


def main(file: str) -> None:
    """Write the cells of the study in ``file``."""
    layout = Layout(study.read(Path(file)))
    claim(layout.output, layout.study.name)
    for path, cell in layout.cells.items():
        steps = grid.plan(cell).evaluations
        trials = [_trial(cell, seed, len(steps)) for seed in cell.seeds]
        record = CellRecord(digest(cell), BACKEND, cell.spec(), identity(cell), steps, trials)
        write_cell(Path(path), record)


def _trial(cell: Cell, seed: int, length: int) -> TrialRecord:
    """A curve that rises towards an accuracy that falls off around a rate of 0.03."""
    top = 0.98 - 0.02 * math.log10(cell.lr / 0.03) ** 2 - 0.001 * seed
    metric = [round(top * (1 - 0.5 ** (k + 1)), 6) for k in range(length)]
    loss = [round(1.1 - value, 6) for value in metric]
    return TrialRecord(seed, "ok", None, loss, loss[-1:], metric[-1:], loss, metric, loss, metric)


if __name__ == "__main__":
    main(sys.argv[1])
