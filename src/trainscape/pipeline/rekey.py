"""Carry cells over a change of code that changes no number, by a sample that is trained again.

Nothing is taken on trust: cells of a workload and an optimizer take their new digest only if every
cell that was trained again has the bytes of its older file, and each says that it was carried over.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trainscape.cells.identity import identity
from trainscape.columns import aligned
from trainscape.errors import DamagedFileError, MissingFileError, UserError
from trainscape.numerals import counted
from trainscape.pipeline.estimate import foretold
from trainscape.pipeline.train import kept_seeds
from trainscape.results.attic import Attic
from trainscape.results.carrying import (
    Older,
    Pair,
    besides_code,
    carry,
    difference,
    likeliest,
    older,
    sample,
)
from trainscape.results.cell_files import read_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from trainscape.cells.cell import Cell
    from trainscape.pipeline.layout import Layout

LISTED = 5  # cells that differ are named, of each workload and optimizer


@dataclass(frozen=True)
class Group:
    """The cells of a workload and an optimizer that are there with older code.

    Args:
        name: the workload and the optimizer's label.
        pairs: the cells that are not carried over yet.
        sample: those of them that are to be compared.
        differing: how cells that today's code has trained already differ, by cell. With any, no
            other is trained or carried over.
    """

    name: str
    pairs: Sequence[Pair]
    sample: Sequence[Pair]
    differing: Mapping[str, str]

    @property
    def to_train(self) -> list[Pair]:
        """The sample's cells that today's code has not trained yet."""
        return [] if self.differing else [pair for pair in self.sample if not pair.trained]

    @property
    def compared(self) -> list[Pair]:
        """The cells that are compared: the sample, and all that today's code has trained."""
        return [*(pair for pair in self.pairs if pair.trained), *self.to_train]

    @property
    def others(self) -> list[Pair]:
        """The cells that are carried over if all that are compared are the same."""
        sampled = {pair.path for pair in self.sample}
        others = [pair for pair in self.pairs if not pair.trained and pair.path not in sampled]
        return [] if self.differing else others


def groups(layout: Layout, k: int) -> list[Group]:
    """What there is to carry over, and what is to be trained again for it.

    Args:
        layout: the study.
        k: how many cells of each workload and optimizer are compared at least.

    Raises:
        UserError: ``k`` is less than one.
    """
    if k < 1:
        raise UserError(f"--sample: {k} compares nothing; choose 1 or more")
    attic = Attic(layout.output)
    there = older(attic.files(layout.trainable), attic.folder, kept_seeds(layout).fits)
    found: dict[tuple[str, str], list[Pair]] = {}
    for pair in likeliest(_pairs(layout.trainable, there)):
        found.setdefault(pair.group, []).append(pair)
    return [
        Group(" ".join(name), pairs, sample(pairs, k), _differing(p for p in pairs if p.trained))
        for name, pairs in found.items()
        if not all(pair.trained for pair in pairs)
    ]


def planned(layout: Layout, todo: Sequence[Group]) -> list[str]:
    """What is to be done, in lines."""
    to_train = [pair for group in todo for pair in group.to_train]
    others = [pair for group in todo for pair in group.others]
    head = ("workload and optimizer", "of older code", "compared", "to train", "to carry over")
    rows = [(group.name, *(f"{len(cells):,}" for cells in _columns(group))) for group in todo]
    lines = aligned([head, *rows])
    for group in todo:
        if group.differing:
            lines += _refusal(group, group.differing)
    if to_train:
        files = [pair.path for pair in to_train]
        lines.append(
            f"training {counted(len(files), 'cell')}: "
            + foretold(layout, {"train": len(files)}, files)
        )
    if others:
        cells = counted(len(others), "cell")
        lines.append(f"{cells} to carry over, if these have the same numbers")
    return lines


def retrain(study: str, files: Sequence[str]) -> None:
    """Train cells by force, as a run of Snakemake does.

    Args:
        study: the parameter file.
        files: where the cells are to lie.

    Raises:
        UserError: not all were trained, or the run was stopped.
    """
    command = [sys.executable, "-m", "snakemake", "--configfile", study, "--cores", "all"]
    # Ctrl-C is for the run, which ends in its own time; a handler, unlike SIG_IGN, is not inherited
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        ended = subprocess.Popen([*command, *files, "--forcerun", *files]).wait()
    finally:
        signal.signal(signal.SIGINT, before)
    if ended:
        raise UserError(
            "rekey: not all of the sample was trained, so nothing is carried over; "
            "the same command goes on from there"
        )


def rekey(todo: Sequence[Group], tell: Callable[[str], None] = print) -> int:
    """Compare what was trained again with the older files, and carry the others over.

    Args:
        todo: the groups; their samples are trained.
        tell: is called with each line of what is done.

    Returns:
        The number of cells that differ.

    Raises:
        UserError: a file is missing or damaged, or cannot be written.
    """
    count = 0
    for group in todo:
        found = {**group.differing, **_differing(group.to_train)}
        count += len(found)
        if found:
            for line in _refusal(group, found):
                tell(line)
            continue
        compared, others = group.compared, group.others
        for pair in others:
            carry(pair, identity(pair.cell), compared)
        same = counted(len(compared), "cell")
        tell(f"{group.name}: {same} the same, {len(others):,} carried over")
    return count


def _differing(pairs: Iterable[Pair]) -> dict[str, str]:
    """How cells that are trained differ from their older files, by cell; none that do not."""
    found = {}
    for pair in pairs:
        before = read_cell(pair.older.path, pair.older.digest)
        if how := difference(before, read_cell(Path(pair.path), pair.digest)):
            found[str(pair.cell)] = how
    return found


def _refusal(group: Group, differing: Mapping[str, str]) -> list[str]:
    """Why nothing of a group is carried over, in lines."""
    compared = counted(len(group.compared), "cell")
    named = [f"  {cell}: {how}" for cell, how in list(differing.items())[:LISTED]]
    more = len(differing) - LISTED
    return [
        f"{group.name}: {compared} compared, {len(differing)} not the same: none carried over",
        *named,
        *([f"  and {counted(more, 'more cell')}"] if more > 0 else []),
    ]


def _pairs(trainable: Mapping[str, Cell], there: Mapping[str, list[Older]]) -> Iterable[Pair]:
    """The cells of a study with each of their older files.

    Left out are cells that were carried over already, and those that are kept as they are.
    """
    for path, cell in trainable.items():
        own = identity(cell)
        digest = cell.digest(own)
        files = there.get(besides_code(cell.spec(), own["data"]), [])
        if not files or any(one.digest == digest for one in files):
            continue
        try:
            record = read_cell(Path(path), digest)
        except (MissingFileError, DamagedFileError):
            trained = False
        else:
            trained = True
            if record.carried:
                continue
        for one in files:
            yield Pair(path, cell, digest, one, trained)


def _columns(group: Group) -> tuple[Sequence[Pair], ...]:
    """What a group's row of the plan counts."""
    return group.pairs, group.compared, group.to_train, group.others
