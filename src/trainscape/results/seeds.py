"""Seeds of cells that are kept: a cell that is asked for more of them trains those that are new.

A trial does not depend on what it trains with, so a cell of seeds 0 to 9 may take 0 to 4 from any
cell that is otherwise the same. Which files hold such cells is known from an index by the digest
without seeds. A file in it is read again only after it has changed. The index is a help and no
more: what is taken is read, and checked, from the file itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from os.path import lexists
from typing import TYPE_CHECKING, Any

from trainscape.files import recalled, remember
from trainscape.hashing import sha256
from trainscape.results.cell_files import read_kept
from trainscape.results.seen import mark

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence
    from pathlib import Path

    from trainscape.cells.cell import TrialRecord
    from trainscape.results.attic import Attic
    from trainscape.results.cell_files import Carried

# what is said of a file that is no cell: digest without seeds, backend, seeds
NONE: tuple[str, str, list[int]] = ("", "", [])


def kin(spec: Mapping[str, Any], identity: Mapping[str, str]) -> str:
    """The digest without seeds: the same for cells whose trials are each other's.

    Args:
        spec: the cell as plain data (``Cell.spec``).
        identity: what it trains with besides.
    """
    rest = {key: value for key, value in spec.items() if key != "seeds"}
    return sha256({"cell": rest, "identity": dict(identity)})


@dataclass
class Taken:
    """Trials of one cell that need no training.

    Args:
        backend: the arithmetic that made them all.
        trials: their records by seed.
        sources: the seeds that were taken from each file.
        carried: which of them were carried over by sampling.
    """

    backend: str
    trials: dict[int, TrialRecord] = field(default_factory=dict)
    sources: dict[Path, list[int]] = field(default_factory=dict)
    carried: list[Carried] = field(default_factory=list)


class Seeds:
    """The seeds that kept cells hold.

    Args:
        attic: knows the files that cells are kept in.
        study: the files of the study's own cells, which are not looked at.
        fits: says of a backend whether it is likely to be this machine's: seeds of others are taken
            only where they are all that a cell is asked for.
        store: the file of the index; None keeps none.
    """

    def __init__(
        self,
        attic: Attic,
        study: Container[str],
        fits: Callable[[str], bool],
        store: Path | None = None,
    ) -> None:
        self.attic, self.study, self.fits, self.store = attic, study, fits, store

    def there(self, spec: Mapping[str, Any], identity: Mapping[str, str]) -> set[int]:
        """The seeds of a cell that are kept, as the index has it; no file is read for it.

        Args:
            spec: the cell (``Cell.spec``).
            identity: what it trains with besides.
        """
        by_backend: dict[str, set[int]] = {}
        for _, backend, seeds in self._index.get(kin(spec, identity), []):
            by_backend.setdefault(backend, set()).update(set(seeds) & set(spec["seeds"]))
        whole = set(spec["seeds"])
        usable = [held for b, held in by_backend.items() if held == whole or self.fits(b)]
        return max(usable, key=len, default=set())

    def take(self, spec: Mapping[str, Any], identity: Mapping[str, str]) -> Taken | None:
        """The trials of a cell that are kept; all of one backend. None if there are none.

        A file that is damaged is named on stderr and passed over. A trial that did not fit into
        memory is not taken: it may fit now.

        Args:
            spec: the cell (``Cell.spec``).
            identity: what it trains with besides.
        """
        wanted, of = spec["seeds"], kin(spec, identity)
        found: dict[str, Taken] = {}
        for path, backend, seeds in self._index.get(of, []):
            taken = found.setdefault(backend, Taken(backend))
            new = [seed for seed in wanted if seed in seeds and seed not in taken.trials]
            if new:
                _add(taken, path, of, new)
        whole = {backend for backend, taken in found.items() if len(taken.trials) == len(wanted)}
        usable = [
            taken
            for backend, taken in found.items()
            if taken.trials and (backend in whole or self.fits(backend))
        ]
        return max(usable, key=lambda t: (len(t.trials), self.fits(t.backend)), default=None)

    @cached_property
    def _index(self) -> dict[str, list[tuple[Path, str, Sequence[int]]]]:
        """By digest without seeds the files that hold such cells, the nearest first."""
        kept = recalled(self.store) if self.store else None
        before: dict[str, Any] = kept if isinstance(kept, dict) else {}
        now: dict[str, Any] = {}
        found: dict[str, list[tuple[Path, str, Sequence[int]]]] = {}
        for path in self.attic.files(self.study):
            known, at = _entry(before.get(str(path))), mark(path)
            if at is None or known is None or known[0] != at:
                known = [at, *_read(path)]
            if at is not None:
                now[str(path)] = known
            _, of, backend, seeds = known
            if of:
                found.setdefault(of, []).append((path, backend, seeds))
        if self.store and (both := {**before, **now}) != before:
            remember(self.store, {path: known for path, known in both.items() if lexists(path)})
        return found


def _entry(known: object) -> list[Any] | None:
    """What the index keeps of a file: its mark, then what it holds; None where this is no such."""
    match known:
        case [list(at), str(of), str(backend), list(seeds)] if {*map(type, seeds)} <= {int}:
            return [at, of, backend, seeds]
    return None


def _read(path: Path) -> tuple[str, str, list[int]]:
    """What a file says that it holds; nothing is checked, as that is done when it is taken."""
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        seeds = [int(seed) for seed in body["spec"]["seeds"]]
        return kin(body["spec"], body["identity"]), str(body["backend"]), seeds
    except (
        OSError,
        ValueError,
        OverflowError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
    ):
        return NONE


def _add(taken: Taken, path: Path, of: str, seeds: Sequence[int]) -> None:
    """Take seeds from a file, if it is whole and what the index says."""
    record = read_kept(path)
    if record is None or kin(record.spec, record.identity) != of or record.backend != taken.backend:
        return
    new = {t.seed: t for t in record.trials if t.seed in seeds and t.status != "oom"}
    if new:
        taken.trials.update(new)
        taken.sources[path] = list(new)
        for mark in record.carried:
            if own := [seed for seed in mark.seeds if seed in new]:
                taken.carried.append(replace(mark, seeds=own))
