"""Write all that a study would train, without training it: valid files, lifelike curves.

Run in a scratch project: ``python -m benchmarks.untrained params.yaml``, with src/ and tests/ on
PYTHONPATH. The grid, the range tests, the finalists on fresh seeds and the step times are there
afterwards; tables, figures and page are Snakemake's to make.

Accuracy falls off parabolically in log lr around each optimizer's best rate, which grows with the
batch; seeds far above it diverge. All noise comes from generators that are named after the trial.
"""

from __future__ import annotations

import math
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from kit import synthetic
from trainscape import datasets, study, workloads
from trainscape.cells import grid
from trainscape.cells.cell import TrialRecord
from trainscape.cells.identity import digest, identity
from trainscape.cells.outcomes import packed
from trainscape.pipeline import confirm
from trainscape.pipeline.layout import Layout
from trainscape.results.cell_files import CellRecord, Entry, write_cell
from trainscape.results.owner import claim
from trainscape.sealed import write_sealed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trainscape.cells.cell import Cell

BACKEND = "stub"
CHANCE = 0.1  # the accuracy of a trial that learns nothing


def main(file: str) -> None:
    """Write what the study in ``file`` would train."""
    layout = Layout(study.read(Path(file)))
    claim(layout.output, layout.study.name)
    _write({**layout.cells, **layout.range_tests})
    for finalists in layout.finalists.values():
        confirm.make(layout, finalists)
    _write(layout.confirmed())
    if layout.throughput is not None:
        path = Path(layout.throughput)
        entries = [Entry(cell, _record(cell, [])) for cell in layout.grid]
        write_sealed(path, {"record": path.stem, **synthetic.throughput(entries)})


def _write(cells: Mapping[str, Cell]) -> None:
    for path, cell in cells.items():
        write_cell(Path(path), _record(cell, [_trial(cell, seed) for seed in cell.seeds]))


def _record(cell: Cell, trials: list[TrialRecord]) -> CellRecord:
    steps = grid.plan(cell).evaluations
    return CellRecord(digest(cell), BACKEND, cell.spec(), identity(cell), steps, trials)


def _trial(cell: Cell, seed: int) -> TrialRecord:
    """What training would leave of a seed."""
    draw = random.Random(f"{cell} {seed}")
    plan = grid.plan(cell)
    if cell.trace_every:
        return TrialRecord(seed, "ok", None, trace=_rising(cell, plan.total, draw))
    # the best rate is between 0.003 and 0.3, by the optimizer's name, for a batch of 64
    peak = random.Random(cell.optimizer.label).uniform(-2.5, -0.5)
    off = math.log10(cell.lr) - peak - 0.5 * math.log10(cell.batch_size / 64)
    late = 0.01 * random.Random(cell.schedule.label).random()
    top = max(CHANCE, 0.985 - late - 0.05 * off**2)
    diverged = off + draw.uniform(-0.2, 0.2) > 1.5
    reached = [
        min(1.0, max(0.0, top - (top - CHANCE) * math.exp(-0.6 * k) + draw.gauss(0, 0.004)))
        for k in range(1, 1 + (2 if diverged else len(plan.evaluations)))
    ]
    loss = [2.3 * (1.02 - value) for value in reached]
    known = cell.detailed and not diverged
    return TrialRecord(
        seed,
        "diverged" if diverged else "ok",
        plan.evaluations[1] + 1 if diverged else None,
        train_loss=[0.95 * value for value in loss],
        fit_loss=loss[-1:],
        fit_metric=reached[-1:],
        val_loss=loss,
        val_metric=reached,
        test_loss=[1.05 * value for value in loss],
        test_metric=[0.99 * value for value in reached],
        outcomes=packed(_hits(cell, reached[-1], draw)) if known else "",
        noise=[[2 * value, value] for value in loss] if known else [],
    )


def _rising(cell: Cell, steps: int, draw: random.Random) -> list[float]:
    """The losses of a range test: they fall, and rise again."""
    return [
        0.2 + 2.1 * abs(k / steps - 0.7) + (k / steps) ** 20 + draw.gauss(0, 0.02)
        for k in range(steps)
    ]


def _hits(cell: Cell, share: float, draw: random.Random) -> list[float]:
    """Which test examples are told right."""
    dataset = datasets.registry.get(workloads.registry.get(cell.workload).dataset)
    return [float(draw.random() < share) for _ in range(dataset.test)]


if __name__ == "__main__":
    main(sys.argv[1])
