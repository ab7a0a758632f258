"""What a study's training would run into, for ``trainscape estimate``, before any job starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trainscape import workloads
from trainscape.cells import grid
from trainscape.cells.cell import import_path
from trainscape.memory import out_of_memory
from trainscape.pipeline.calibrate import arrays_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainscape.cells.cell import Cell
    from trainscape.pipeline.layout import Layout


@dataclass
class Foreseen:
    """What is known of the workloads before they train.

    Args:
        apart: by workload, the line on why its trials train one by one.
        full: workloads of which memory holds no model.
    """

    apart: dict[str, str] = field(default_factory=dict)
    full: set[str] = field(default_factory=set)


def foresee(layout: Layout, train: Sequence[Cell]) -> Foreseen:
    """Try the models of plugins, and those that are to train on a batch of one example.

    Our own models are known to train together: for them torch is not loaded.

    Args:
        layout: the study's files.
        train: the cells that are to be trained.

    Raises:
        UserError: a model cannot train.
    """
    found = Foreseen()
    for name in dict.fromkeys(cell.workload for cell in train):
        cells = [cell for cell in train if cell.workload == name]
        single = {cell.batch_size: cell for cell in cells if grid.plan(cell).meets_single}
        fused = [cell for cell in cells if not import_path(cell.optimizer.spec())]
        ours = workloads.registry.ships(name)
        if ours:
            fused = []
        if single or not ours:
            _look(layout, name, list(single.values()), fused[:1], found)
    return found


def _look(
    layout: Layout, name: str, single: Sequence[Cell], fused: Sequence[Cell], found: Foreseen
) -> None:
    import torch

    from trainscape.engine import device
    from trainscape.engine.foresight import check_single, why_apart
    from trainscape.engine.outputs import check_labels
    from trainscape.engine.task import Task

    on = device.choose(layout.study.device, layout.study.precision)
    try:
        with out_of_memory():
            arrays = arrays_of(name)
            if arrays is None:
                return
            check_labels(workloads.registry.get(name), arrays)  # before a model meets them
            for cell in single:
                check_single(Task.of(cell.spec(), arrays, on))
            for cell in fused:
                if line := why_apart(Task.of(cell.spec(), arrays, on)):
                    found.apart[name] = line
    except torch.OutOfMemoryError:
        found.full.add(name)
