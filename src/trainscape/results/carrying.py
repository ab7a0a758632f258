"""Cells of older code: found by all else that decides them, compared, and carried over.

A cell's digest covers the source and the torch that it was trained with. After a change of these
that should change no number, a cell is there under an older digest. Some are trained again; if they
have the same numbers, the others take the new digest, and say that they did.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainscape.hashing import SHORT, sha256
from trainscape.numerals import number
from trainscape.results.cell_files import Carried, read_cell, read_kept, write_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from trainscape.cells.cell import Cell, TrialRecord
    from trainscape.results.cell_files import CellRecord

FIRST = ("status", "test_metric", "train_loss")  # what is told first of trials that differ
TOLD = 3  # at most


@dataclass(frozen=True)
class Older:
    """A cell's file of older code.

    Args:
        path: the file.
        digest: the cell's there.
        code: what it was trained with, data apart, and the backend: one text for each.
        doubt: 0 of a cell that this code has trained and that has not left the study; one more if
            it is in the attic, one if it was carried over itself.
    """

    path: Path
    digest: str
    code: str
    doubt: int = 0


@dataclass(frozen=True)
class Pair:
    """A cell of a study, and its file of older code.

    Args:
        path: where the cell is to lie.
        cell: the cell.
        digest: its digest with today's code.
        older: the file.
        trained: whether ``path`` is there, trained by today's code.
    """

    path: str
    cell: Cell
    digest: str
    older: Older
    trained: bool

    @property
    def group(self) -> tuple[str, str]:
        """The cells that are carried over together, or not at all."""
        return self.cell.workload, self.cell.optimizer.label

    @property
    def kind(self) -> tuple[str, ...]:
        """The cells that one older code has trained, and one code trains now."""
        return (*self.group, self.cell.schedule.label, self.older.code)

    @property
    def branches(self) -> set[tuple[str, ...]]:
        """What no sample may leave out: code that decides this cell and not all of its group."""
        recorded = f"trace {self.cell.trace_every > 0}, detail {self.cell.detailed}"
        return {self.kind, (recorded,)}


def besides_code(spec: Mapping[str, Any], data: str) -> str:
    """The digest of all that decides a cell but code: the same for a cell of older code."""
    return sha256({"cell": dict(spec), "data": data})


def older(
    files: Iterable[Path], attic: Path, fits: Callable[[str], bool]
) -> dict[str, list[Older]]:
    """The cells in files by :func:`besides_code`.

    Left out are files that are no whole cells, cells of other machines' arithmetic, which cannot be
    compared here, and those that did not fit into memory, which may fit now.

    Args:
        files: that may be cells.
        attic: the folder of those that have left the study.
        fits: says of a backend whether it is likely to be this machine's.
    """
    found: dict[str, list[Older]] = {}
    for path in files:
        record = read_kept(path)
        if (
            record is None
            or not fits(record.backend)
            or any(trial.status == "oom" for trial in record.trials)
        ):
            continue
        code = {key: value for key, value in record.identity.items() if key != "data"}
        of = sha256({"code": code, "backend": record.backend})
        made = Older(path, record.digest, of, (path.parent == attic) + bool(record.carried))
        key = besides_code(record.spec, record.identity["data"])
        found.setdefault(key, []).append(made)
    return found


def likeliest(pairs: Iterable[Pair]) -> list[Pair]:
    """One pair a cell: of several older files that whose code most cells like it have.

    Of codes that equally many have the one with the least doubt, the same for all these cells.
    """
    listed = list(pairs)
    common: Counter[tuple[str, ...]] = Counter()
    doubt: Counter[tuple[str, ...]] = Counter()
    for pair in listed:
        common[pair.kind] += 1
        doubt[pair.kind] += pair.older.doubt

    def rank(pair: Pair) -> tuple[int, int, str]:
        return common[pair.kind], -doubt[pair.kind], pair.older.code

    best: dict[str, Pair] = {}
    for pair in listed:
        held = best.setdefault(pair.path, pair)
        if rank(pair) > rank(held):
            best[pair.path] = pair
    return list(best.values())


def sample(pairs: Sequence[Pair], k: int) -> list[Pair]:
    """At least ``k`` cells of a group: every branch of the code, spread over batch sizes.

    Chosen at random, and always the same for the same cells.

    Args:
        pairs: of one group.
        k: how many, if there are so many and no branch would be left out.
    """
    waiting = sorted(pairs, key=lambda pair: pair.digest)
    random.Random(sha256([k, *(pair.digest for pair in waiting)])).shuffle(waiting)
    left = {branch for pair in waiting for branch in pair.branches}
    sizes: Counter[int] = Counter()
    chosen: list[Pair] = []
    while waiting and (len(chosen) < k or left):
        best = min(waiting, key=lambda p: (-len(p.branches & left), sizes[p.cell.batch_size]))
        waiting.remove(best)
        chosen.append(best)
        left -= best.branches
        sizes[best.cell.batch_size] += 1
    return chosen


def difference(before: CellRecord, now: CellRecord) -> str | None:
    """What differs between a cell's trials of older and of today's code; None if no bit does."""
    if before.backend != now.backend:
        return f"the backend: {before.backend} before, {now.backend} now"
    if before.steps != now.steps:
        return "the steps of its evaluations"
    pairs = list(zip(before.trials, now.trials, strict=True))
    other = [(old, new) for old, new in pairs if sha256(asdict(old)) != sha256(asdict(new))]
    if not other:
        return None
    fields = _by_field(other)
    named = sorted(fields, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
    more = f" and {len(named) - TOLD} more" if len(named) > TOLD else ""
    told = ", ".join(f"{name} {fields[name]}" for name in named[:TOLD])
    return f"{len(other)} of {len(pairs)} trials: {told}{more}"


def carry(pair: Pair, identity: Mapping[str, str], retrained: Iterable[Pair]) -> None:
    """Write a cell's trials of older code as those of today's, and that a sample says so.

    Trials that were carried over before keep the code that has trained them.

    Args:
        pair: the cell, whose older file stays.
        identity: what it trains with today.
        retrained: the cells that had the same numbers.

    Raises:
        UserError: the older file has changed since, or the cell's cannot be written.
    """
    record = read_cell(pair.older.path, pair.older.digest)
    names = sorted(one.digest[:SHORT] for one in retrained)
    marks = [replace(mark, retrained=names) for mark in record.carried]
    known = {seed for mark in marks for seed in mark.seeds}
    if own := [seed for seed in pair.cell.seeds if seed not in known]:
        marks.append(Carried(own, record.digest, record.identity, names))
    made = replace(record, digest=pair.digest, identity=dict(identity), carried=marks)
    write_cell(Path(pair.path), made)


def _by_field(pairs: Iterable[tuple[TrialRecord, TrialRecord]]) -> dict[str, str]:
    """How much trials differ, by the name of what differs in them."""
    largest: dict[str, float] = {}
    words: dict[str, str] = {}
    for old, new in pairs:
        before, now = asdict(old), asdict(new)
        for name in before:
            one, other = before[name], now[name]
            if one == other:
                continue
            if _numbers(one) and _numbers(other) and len(one) == len(other):
                most = max(abs(a - b) for a, b in zip(one, other, strict=True))
                largest[name] = max(most, largest.get(name, 0.0))
            elif name == "status":
                words[name] = f"{one} before, {other} now"
            else:
                words[name] = "otherwise"
    return {**words, **{name: f"by at most {number(most)}" for name, most in largest.items()}}


def _numbers(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, float | int) for item in value)
