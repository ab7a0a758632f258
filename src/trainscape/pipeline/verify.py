"""Check that every file of a study is the one that was made."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from trainscape.errors import DamagedFileError, UserError
from trainscape.pipeline.layout import data_file, data_stamp
from trainscape.pipeline.stages import made_from, stamped
from trainscape.pipeline.throughput import elsewhere, read_record
from trainscape.results import finalists as named
from trainscape.results.cell_files import read_cell
from trainscape.results.seen import Seen
from trainscape.results.stamps import changes
from trainscape.search.rounds import read_round

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from trainscape.pipeline.layout import Layout


class Verified(NamedTuple):
    """What became of reading every file of a study.

    Args:
        complaints: what is missing, damaged or edited, one line each.
        carried: how many cells were carried over by sampling (``trainscape rekey``).
    """

    complaints: list[str]
    carried: int


def verify(layout: Layout) -> Verified:
    """Read every file of a study."""
    carried = 0

    def read(path: Path, digest: str) -> None:
        nonlocal carried
        carried += bool(read_cell(path, digest).carried)

    return Verified([str(error) for error in faults(layout, Seen(), read)], carried)


def faults(
    layout: Layout, seen: Seen, read_one: Callable[..., object] = read_cell
) -> Iterator[UserError]:
    """What is not as it was made: an error for each file.

    What can be made again is a :class:`~trainscape.errors.DamagedFileError`.

    Args:
        layout: the study.
        seen: files that need not be read again.
        read_one: reads a cell's file, called with its path and ``digest``, which it is to have.
    """
    wrong = set()
    for error in _of_files(layout, seen, read_one):
        wrong.add(getattr(error, "path", None))
        yield error
    for stage in stamped(layout):
        stamp, files = Path(layout.stamp(stage)), layout.stamped_files(stage)
        # what is made again is followed by what is made from it
        sources = [file for file in _made_from(layout, stage, wrong) if file not in wrong]
        for error in changes(stamp, files, seen, sources):
            wrong.add(getattr(error, "path", None))
            yield error


def _made_from(layout: Layout, stage: str, wrong: set[str | None]) -> list[str]:
    """What a stage's products are made from; nothing where a file that names cells is wrong."""
    naming = {file for files in layout.rounds.values() for file in files}
    naming.update(layout.finalists.values())
    return [] if stage == "train" and naming & wrong else made_from(layout, stage)


def _of_files(layout: Layout, seen: Seen, read_one: Callable[..., object]) -> Iterator[UserError]:
    """What is wrong with files that hold a checksum of their own, and with datasets."""
    for name in layout.datasets:
        yield from changes(data_stamp(name), [data_file(name)], seen)
    rounds, finalists = list(_raised(_rounds(layout))), list(_raised(_finalists(layout)))
    yield from (*rounds, *finalists)
    # these files say which cells are trained
    searched = {} if any(map(_is_damage, rounds)) else layout.chosen
    confirmed = {} if any(map(_is_damage, finalists)) else layout.confirmed()
    for path, cell in {**searched, **layout.range_tests, **confirmed}.items():
        digest = layout.identify(cell)
        read = partial(read_one, digest=digest)
        yield from _raised([partial(seen.check, Path(path), digest, read)])
    if layout.throughput is not None:
        record = Path(layout.throughput)
        if record.exists() or not elsewhere(record):  # other machines' step times are as good
            yield from _raised([partial(seen.check, record, record.name, read_record)])


def unsettled(layout: Layout) -> Iterator[UserError]:
    """What keeps the study's cells from being known: rounds and finalists that cannot be read."""
    yield from _raised(_rounds(layout))
    yield from _raised(_finalists(layout))


def _rounds(layout: Layout) -> Iterator[Callable[[], object]]:
    """Calls that read the rounds of a search; they are few."""
    for files in layout.rounds.values():
        for file in files:
            yield partial(read_round, Path(file), layout.cells)


def _finalists(layout: Layout) -> Iterator[Callable[[], object]]:
    """Calls that read the files that name finalists; one a workload."""
    for file in layout.finalists.values():
        yield partial(named.read, Path(file), layout.cells)


def _is_damage(error: UserError) -> bool:
    return isinstance(error, DamagedFileError)


def _raised(calls: Iterable[Callable[[], object]]) -> Iterator[UserError]:
    """The errors for users that calls raise."""
    for call in calls:
        try:
            call()
        except UserError as error:
            yield error
