"""What is to be done of a study, and how long that takes: training, then all that comes after.

A model of time: a training process costs its start-up, its cells' steps and their evaluations in
full packs; as many run side by side as there are cores. Finalists' gradients take time of their
own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trainscape import workloads
from trainscape.cells import grid
from trainscape.cells.cell import import_path
from trainscape.cells.identity import identity
from trainscape.pipeline.calibrate import pace
from trainscape.pipeline.train import kept_seeds
from trainscape.results.attic import Attic
from trainscape.results.owner import others

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trainscape.cells.cell import Cell
    from trainscape.pipeline.foresee import Foreseen
    from trainscape.pipeline.layout import Layout
    from trainscape.pipeline.speeds import Speed

AFTER = 10.0  # seconds for the tables and the report, whatever the study
FIGURE = 0.3  # seconds for a figure, on one core
# A measurement of step times, on a quiet machine.
SUITE = 8.0  # seconds to start it, and to see what else the machine does
BLOCKS = 20  # of a step time, with the steps before each; 11 where a machine is even
SETUP = 0.05  # seconds for its model and its memory
# The noise of a finalist's gradients, at every evaluation: those of 64 examples by themselves. On
# one core it took a step on as many and 4.3 ns for each of their numbers (digits-mlp 1.2 ms,
# digits-cnn 4 to 7 ms, mnist-mlp 44 ms a trial).
ASKED = 64
NUMBER = 4.3e-9
WEIGHTS = {  # of our models: counting them would load torch
    "digits-mlp": 4_810,
    "digits-cnn": 6_090,
    **dict.fromkeys(("mnist-mlp", "fashion-mlp", "kmnist-mlp"), 159_010),
    "mnist-cnn": 1_199_882,
    "cifar10-resnet": 0,  # with batch normalisation a gradient is no mean of its examples'
    "regression": 2_817,
    "quadratic": 1,
    "valley": 2,
}


@dataclass(frozen=True)
class Todo:
    """What is to be done of a study's cells.

    Args:
        missing: the cells that are to be there, by file.
        waiting: the files of those that come back from elsewhere, and are not trained.
        new: of the others, the seeds to train, by file.
    """

    missing: Mapping[str, Cell]
    waiting: set[str]
    new: Mapping[str, Sequence[int]]

    @classmethod
    def of(cls, layout: Layout, missing: Mapping[str, Cell]) -> Todo:
        """What is to be done for cells that are not there.

        Args:
            layout: the study's files.
            missing: the cells, by file.
        """
        attic = Attic(layout.output, others(layout.output))
        waiting = {path for path in missing if attic.kept(Path(path), layout.trainable)}
        new = _new_seeds(layout, {path: missing[path] for path in missing if path not in waiting})
        waiting |= {path for path, seeds in new.items() if not seeds}
        return cls(missing, waiting, new)

    @property
    def train(self) -> list[Cell]:
        """The cells to train."""
        return [cell for path, cell in self.missing.items() if path not in self.waiting]

    def shares(self, usual: int) -> list[float]:
        """How many seeds of each cell to train are new, in numbers of the study's.

        Args:
            usual: how many seeds the study has.
        """
        return [len(self.new[path]) / usual for path in self.missing if path not in self.waiting]


def _new_seeds(layout: Layout, todo: Mapping[str, Cell]) -> dict[str, list[int]]:
    """The seeds of each cell that no other cell holds, by the cell's file."""
    if not todo:
        return {}
    held = kept_seeds(layout)
    there = {path: held.there(cell.spec(), identity(cell)) for path, cell in todo.items()}
    return {path: [s for s in cell.seeds if s not in there[path]] for path, cell in todo.items()}


def training(
    layout: Layout,
    todo: Todo,
    speeds: Mapping[str, Speed],
    foreseen: Foreseen,
    number_of_noise: float,
) -> tuple[float, float]:
    """How long one process alone would train, its start-up apart.

    Cells without a speed do not count.

    Args:
        layout: the study's files.
        todo: what is to be done.
        speeds: of a cell with the study's seeds, by pace.
        foreseen: what is known of the workloads.
        number_of_noise: seconds for each number of an example's gradient.

    Returns:
        Seconds of steps and evaluations, and further seconds that measure the noise of the
        finalists' gradients.
    """
    seeds = len(layout.study.seed_list())
    work = noise = 0.0
    for cell, share in zip(todo.train, todo.shares(seeds), strict=True):
        speed = speeds.get(pace(cell))
        if speed is None:
            continue
        work += share * speed.cell(cell)
        weights = _asked_weights(cell.workload) if cell.detailed else 0
        if not weights:
            continue
        if import_path(cell.optimizer.spec()) or cell.workload in foreseen.apart:
            each = ASKED * speed.step(1)  # example by example
        else:
            each = speed.step(ASKED) + seeds * ASKED * weights * number_of_noise
        noise += share * len(grid.plan(cell).evaluations) * each
    return work, noise


def _asked_weights(workload: str) -> int:
    """The numbers in a gradient of a model whose noise is measured; 0 where it is not."""
    if workload in WEIGHTS:
        return WEIGHTS[workload]
    from torch.nn.modules.batchnorm import _BatchNorm

    entry = workloads.registry.get(workload)
    model = entry.build()
    joined = any(isinstance(module, _BatchNorm) for module in model.modules())
    if joined or not hasattr(entry.loss, "example_mean"):
        return 0
    return sum(param.numel() for param in model.parameters())


def after(layout: Layout, cores: int, jobs: Mapping[str, int] | None = None) -> float:
    """Seconds that what comes after the training takes.

    Args:
        layout: the study's files.
        cores: of this machine.
        jobs: how many jobs of each rule are run; by default all that there are.
    """
    parts = {
        "write_report": AFTER,
        "draw_figures": FIGURE * len(layout.figures) / cores,
        "measure_throughput": _measuring(layout),
    }
    return sum(seconds for rule, seconds in parts.items() if jobs is None or rule in jobs)


def _measuring(layout: Layout) -> float:
    """Seconds that the measurement of step times takes, if it is still to be made.

    A disturbed step time takes up to its patience.
    """
    if layout.throughput is None or Path(layout.throughput).exists():
        return 0.0
    setting = layout.study.throughput
    combinations = {(c.workload, c.optimizer.label, c.batch_size) for c in layout.grid}
    each = BLOCKS * setting.block + SETUP
    return SUITE + 2 * len(combinations) * each  # steps alone, and with a loader


def crowding(cores: int) -> float:
    """How many times as long all takes because of what else this machine does.

    Args:
        cores: of this machine.
    """
    return 1 + os.getloadavg()[0] / cores
