"""What a study's training would run into, for ``trainscape estimate``, before any job starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trainscape import optimizers, workloads
from trainscape.cells import grid
from trainscape.cells.cell import import_path
from trainscape.compiled.compiler import NoCompiler, compiler
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
        slow: a line for each update rule, and for models, that no compiled step trains.
        full: workloads of which memory holds no model.
        compiles: whether steps are compiled here.
    """

    apart: dict[str, str] = field(default_factory=dict)
    slow: list[str] = field(default_factory=list)
    full: set[str] = field(default_factory=set)
    compiles: bool = True


def foresee(layout: Layout, train: Sequence[Cell]) -> Foreseen:
    """Try the models and update rules of plugins, and models with batches of one example.

    Our own are known to train together, and to be compiled: for them torch is not loaded.

    Args:
        layout: the study's files.
        train: the cells that are to be trained.

    Raises:
        UserError: a model cannot train.
    """
    found = Foreseen()
    if layout.gpu:
        found.compiles = False
    elif train:
        try:
            compiler()
        except NoCompiler as error:
            found.compiles = False
            found.slow.append(f"trials train by torch's kernels and more slowly: {error}")
    for name in dict.fromkeys(cell.workload for cell in train):
        cells = [cell for cell in train if cell.workload == name]
        single = {cell.batch_size: cell for cell in cells if grid.plan(cell).meets_single}
        fused = [cell for cell in cells if not import_path(cell.optimizer.spec())]
        by_rule = list({str(cell.optimizer): cell for cell in fused}.values())
        ours = workloads.registry.ships(name)
        to_try = [
            cell
            for i, cell in enumerate(by_rule)
            if (i == 0 and not ours) or not optimizers.registry.ships(cell.optimizer.spec()["name"])
        ]
        if single or to_try or not ours:
            _look(layout, name, list(single.values()), to_try, found)
    return found


def _look(
    layout: Layout, name: str, single: Sequence[Cell], fused: Sequence[Cell], found: Foreseen
) -> None:
    """Try a workload's models.

    Args:
        layout: the study's files.
        name: of the workload.
        single: cells to try on a batch of one example.
        fused: cells to try as they would train, one for each update rule that is not known.
        found: what is known is added to it.
    """
    import torch

    from trainscape.engine import device
    from trainscape.engine.foresight import check_single, why_apart, why_not_compiled
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
            for i, cell in enumerate(fused):
                task = Task.of(cell.spec(), arrays, on)
                if i == 0 and not task.ships and (line := why_apart(task)):
                    found.apart[name] = line
                    break
                rule = optimizers.registry.make(cell.optimizer.spec())
                if found.compiles and (line := why_not_compiled(task, rule)):
                    found.slow.append(line)
    except torch.OutOfMemoryError:
        found.full.add(name)
