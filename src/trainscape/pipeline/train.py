"""Train cells, or bring them back from the attic."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from trainscape import datasets, workloads
from trainscape.cells import grid
from trainscape.cells.identity import digest, identity
from trainscape.errors import Failures, UserError
from trainscape.files import write_text
from trainscape.hashing import canonical
from trainscape.pipeline.layout import DATA
from trainscape.results.attic import Attic
from trainscape.results.cell_files import CellRecord, write_cell
from trainscape.results.owner import claim, others

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trainscape.cells.cell import Cell, TrialRecord
    from trainscape.pipeline.layout import Layout

    Tell = Callable[[Sequence[str], str], None]


def say(text: str) -> None:
    """A line on stdout, at once."""
    print(text, flush=True)


def make(
    layout: Layout,
    paths: Sequence[str],
    tell: Tell = lambda _, text: say(text),
    *,
    again: bool = False,
) -> None:
    """Train the cells that are to lie at ``paths``, or bring back those that are kept.

    Args:
        layout: the study.
        paths: files of its cells.
        tell: is called with files of cells and what becomes of them.
        again: whether to train even what is kept.

    Raises:
        UserError: a path is no cell of the study, the data is damaged, or cells cannot be trained,
            when all others are.
    """
    claim(layout.output, layout.study.name)
    for path in paths:
        if path not in layout.trainable:
            raise UserError(
                f"{path}: is no cell of study {layout.study.name!r}: has a plugin or the source "
                "changed since the run began? Run again ('trainscape cells --paths' lists them)"
            )
    failures = Failures()
    missing = list(paths) if again else _not_restored(layout, paths, tell)
    missing.sort(key=lambda path: _shared(layout, path))
    for _, together in groupby(missing, lambda path: _shared(layout, path)):
        with failures.collecting():
            _train(layout, list(together), tell)
    failures.tell()


def make_listed(layout: Layout, file: Path, *, again: bool = False) -> None:
    """Train the cells of the fuse executor's list, each with a log of its own.

    Args:
        layout: the study.
        file: a JSON object a line, with the files of one job: ``output`` and ``log``.
        again: whether to train even what is kept.
    """
    jobs = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    logs = {job["output"][0]: job["log"] for job in jobs}

    said: dict[str, list[str]] = {path: [] for path in logs}

    def tell(paths: Sequence[str], text: str) -> None:
        say(text)
        for path in paths:
            said[path].append(text)
            for log in logs[path]:
                write_text(Path(log), "".join(f"{line}\n" for line in said[path]))

    make(layout, list(logs), tell, again=again)


def _not_restored(layout: Layout, paths: Sequence[str], tell: Tell) -> list[str]:
    """The cells that are to be trained: the others are brought back, or copied from a study."""
    attic, missing = Attic(layout.output, others(layout.output)), []
    for path in paths:
        cell = layout.trainable[path]
        kept = attic.restore(Path(path), digest(cell), layout.trainable)
        if kept:
            tell([path], f"restored {path} from {kept}")
        else:
            missing.append(path)
    return missing


def _shared(layout: Layout, path: str) -> tuple[str, int, str]:
    """What cells have in common that the engine trains together, to sort by and to compare."""
    cell: Cell = layout.trainable[path]
    plan = {
        "budget": dict(cell.budget),
        "evaluate_every": cell.evaluate_every,
        "trace_every": cell.trace_every,
        "detailed": cell.detailed,
        "split": cell.split,
    }
    return cell.workload, cell.batch_size, canonical(plan)


def _train(layout: Layout, paths: list[str], tell: Tell) -> None:
    """Train cells that share a workload, a batch size and a plan."""
    from trainscape.engine import device
    from trainscape.engine.run import train_cells, without_memory

    cells = [layout.trainable[path] for path in paths]
    chosen = device.choose(layout.study.device, layout.study.precision)
    steps = grid.plan(cells[0]).evaluations
    for path, cell in zip(paths, cells, strict=True):
        tell([path], f"training {cell}, seeds {', '.join(map(str, cell.seeds))}")

    def keep(i: int, trials: list[TrialRecord], backend: str) -> None:
        cell = cells[i]
        record = CellRecord(digest(cell), backend, cell.spec(), identity(cell), steps, trials)
        write_cell(Path(paths[i]), record)

    def progress(done: int, total: int) -> None:
        say(f"step {done} of {total}, {len(cells)} cells of batch size {cells[0].batch_size}")

    specs = [cell.spec() for cell in cells]
    try:
        arrays = datasets.load(workloads.registry.get(cells[0].workload).dataset, DATA)
    except MemoryError:
        without_memory(specs, chosen, keep)
        return
    train_cells(specs, arrays, chosen, progress, keep, say=lambda text: tell(paths, text))
