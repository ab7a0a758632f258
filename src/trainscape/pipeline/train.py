"""Train cells, or bring them back from the attic."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from trainscape import datasets, hardware, workloads
from trainscape.cells import grid
from trainscape.cells.identity import digest, identity
from trainscape.errors import Failures, UserError
from trainscape.files import write_text
from trainscape.hashing import sha256
from trainscape.numerals import counted
from trainscape.pipeline.layout import DATA
from trainscape.pipeline.packs import shared
from trainscape.pipeline.progress import Progress
from trainscape.results.attic import Attic
from trainscape.results.cell_files import CellRecord, write_cell
from trainscape.results.owner import claim, others
from trainscape.results.seeds import Seeds, Taken, kin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import torch

    from trainscape.cells.cell import Cell, TrialRecord
    from trainscape.engine.checkpoint import Keeper
    from trainscape.pipeline.layout import Layout
    from trainscape.results.cell_files import Carried

    Tell = Callable[[Sequence[str], str], None]


INDEX = Path(".snakemake/trainscape/seeds.json")
NAME = 40  # letters of a digest in a checkpoint's name


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
    taken = {} if again else _taken(layout, missing, tell)
    missing = [path for path in missing if not _kept_whole(layout, path, taken)]
    missing.sort(key=lambda path: shared(layout.trainable[path]))
    for _, together in groupby(missing, lambda path: shared(layout.trainable[path])):
        with failures.collecting():
            _train(layout, list(together), tell, taken, again)
    failures.tell()


def make_listed(layout: Layout, file: Path, *, again: bool = False) -> None:
    """Train the cells of the fuse executor's list, each with a log of its own.

    Args:
        layout: the study.
        file: a JSON object a line, with the files of one job: ``output`` and ``log``.
        again: whether to train even what is kept.

    Raises:
        UserError: it is no such list.
    """
    try:
        jobs = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        logs = {str(job["output"][0]): list(map(str, job["log"])) for job in jobs}
    except OSError as error:
        raise UserError(f"--jobs: {file} cannot be read: {error.strerror}") from None
    except (ValueError, LookupError, TypeError, RecursionError):
        raise UserError(f"--jobs: {file} is no list of the fuse executor's") from None

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


def kept_seeds(layout: Layout) -> Seeds:
    """The seeds of the study's cells that are kept in files of other cells."""
    kernels = "cuda" if layout.gpu else f"cpu-torch-{hardware.describe()['isa']}"

    def fits(backend: str) -> bool:
        return backend.startswith(kernels) or (backend == "cpu" and not layout.gpu)

    attic = Attic(layout.output, others(layout.output))
    return Seeds(attic, layout.trainable, fits, INDEX)


def _taken(layout: Layout, paths: Sequence[str], tell: Tell) -> dict[str, Taken]:
    """The trials of cells that other cells hold, by the cell's file."""
    seeds, found = kept_seeds(layout), {}
    for path in paths:
        cell = layout.trainable[path]
        taken = seeds.take(cell.spec(), identity(cell))
        if taken:
            found[path] = taken
            for source, own in taken.sources.items():
                tell([path], f"took seeds {', '.join(map(str, own))} of {cell} from {source}")
    return found


def _kept_whole(layout: Layout, path: str, taken: Mapping[str, Taken]) -> bool:
    """Write the cell at ``path`` if all of its trials were taken; whether they were."""
    cell = layout.trainable[path]
    if path not in taken or len(taken[path].trials) < len(cell.seeds):
        return False
    _write(path, cell, taken[path].trials, taken[path].backend, taken[path].carried)
    return True


def _write(
    path: str,
    cell: Cell,
    trials: Mapping[int, TrialRecord],
    backend: str,
    carried: Sequence[Carried] = (),
) -> None:
    """Write a cell's file, its trials in the order of its seeds."""
    steps = grid.plan(cell).evaluations
    ordered = [trials[seed] for seed in cell.seeds]
    about = digest(cell), backend, cell.spec(), identity(cell), steps, ordered
    write_cell(Path(path), CellRecord(*about, list(carried)))


def _keeper(
    layout: Layout,
    cells: Sequence[Cell],
    on: torch.device,
    tell: Callable[[str], None],
    progress: Progress,
    again: bool,
) -> Keeper | None:
    """What keeps trials of cells in training, unless the study wants none kept."""
    from trainscape.engine.checkpoint import Keeper

    if not layout.study.checkpoint:
        return None

    def name(place: int, seed: int) -> str:
        return f"{_family(cells[place], on.type)}-{seed}"

    every = layout.study.checkpoint
    return Keeper(layout.checkpoints, every, name, on, tell, again, progress.stepped)


def part_way(layout: Layout) -> str:
    """What is kept of trials whose cells are not done, in words such as ``20 trials``.

    Returns:
        Text, which is empty for nothing. A pack of a GPU is one file, which is not read.
    """
    there = {file.stem for file in layout.checkpoints.glob("*")}
    if not there or not layout.study.checkpoint:
        return ""
    kind, trials = "cuda" if layout.gpu else "cpu", 0
    for path, cell in layout.trainable.items():
        if not Path(path).exists():
            family = _family(cell, kind)
            trials += sum(f"{family}-{seed}" in there for seed in cell.seeds)
    counts = {"trial": trials, "pack": sum(name.startswith("pack-") for name in there)}
    return " and ".join(counted(count, noun) for noun, count in counts.items() if count)


def _family(cell: Cell, kind: str) -> str:
    """What the trials of a cell are kept by on a kind of device; the seed comes behind it."""
    return sha256([kin(cell.spec(), identity(cell)), kind])[:NAME]


def _train(
    layout: Layout,
    paths: list[str],
    tell: Tell,
    taken: Mapping[str, Taken],
    again: bool = False,
) -> None:
    """Train cells that share a workload, a batch size and a plan.

    Args:
        layout: the study.
        paths: the cells' files.
        tell: is called with files of cells and what becomes of them.
        taken: by file, trials that need no training. Where the others turn out to be another
            backend's, all are trained: a file holds trials of one.
        again: whether to begin anew what was left in training.
    """
    from trainscape.engine import device
    from trainscape.engine.run import train_cells, without_memory

    cells = [layout.trainable[path] for path in paths]
    chosen = device.choose(layout.study.device, layout.study.precision)
    old = [taken[path].trials if path in taken else {} for path in paths]
    new = [
        [seed for seed in cell.seeds if seed not in own]
        for cell, own in zip(cells, old, strict=True)
    ]
    for path, cell, seeds in zip(paths, cells, new, strict=True):
        tell([path], f"training {cell}, seeds {', '.join(map(str, seeds))}")
    whole: list[str] = []  # cells whose seeds do not go together

    def keep(i: int, trials: list[TrialRecord], backend: str) -> None:
        path, fresh = paths[i], {trial.seed: trial for trial in trials}
        if old[i] and backend != taken[path].backend:
            tell([path], f"kept seeds are of {taken[path].backend}, these of {backend}: all train")
            whole.append(path)
        elif old[i] and any(trial.status == "oom" for trial in trials):
            whole.append(path)
        else:
            carried = taken[path].carried if old[i] else []
            _write(path, cells[i], {**old[i], **fresh}, backend, carried)

    def said(text: str) -> None:
        tell(paths, text)

    progress = Progress(cells, sum(map(len, new)), say)
    specs = [{**cell.spec(), "seeds": own} for cell, own in zip(cells, new, strict=True)]
    failures = Failures()
    try:
        arrays = datasets.load(workloads.registry.get(cells[0].workload).dataset, DATA)
    except MemoryError:
        without_memory(specs, chosen, keep)
    else:
        with failures.collecting():
            keeper = _keeper(layout, cells, chosen, said, progress, again)
            train_cells(specs, arrays, chosen, progress.evaluated, keep, say=said, keeper=keeper)
    if whole:
        with failures.collecting():
            _train(layout, whole, tell, {})
    failures.tell()
