"""Check that every file of a study is the one that was made."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from trainscape.errors import DamagedFileError, MissingFileError, UserError
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


FEW = 5  # missing files of a folder that are named each
NAMED = 2  # of more


class Verified(NamedTuple):
    """What became of reading every file of a study.

    Args:
        complaints: what is missing, damaged or edited, one line each.
        summary: the same, but a line for each folder that lacks many files.
        carried: how many cells were carried over by sampling (``trainscape rekey``).
    """

    complaints: list[str]
    summary: list[str]
    carried: int


def verify(layout: Layout) -> Verified:
    """Read every file of a study."""
    carried = 0

    def read(path: Path, digest: str) -> None:
        nonlocal carried
        carried += bool(read_cell(path, digest).carried)

    found = list(faults(layout, Seen(), read))
    return Verified(list(map(str, found)), _summary(found, layout.output), carried)


def _summary(found: Iterable[UserError], output: Path) -> list[str]:
    """What is wrong, in few lines, as in a fresh clone a thousand cells are missing."""
    lines = []
    folders: dict[Path, dict[Path, str]] = {}  # what is said of missing files
    for error in found:
        path = Path(error.path) if isinstance(error, MissingFileError | DamagedFileError) else None
        if path is None or path.exists():
            lines.append(str(error))
        else:
            folders.setdefault(_folder(path, output), {})[path] = str(error)
    for folder, missing in folders.items():
        if len(missing) <= FEW:
            lines += missing.values()
        else:
            first = ", ".join(str(path.relative_to(folder)) for path in [*missing][:NAMED])
            lines.append(f"{folder}: {len(missing):,} files are missing: {first}, …")
    return lines


def _folder(path: Path, output: Path) -> Path:
    """The folder below the study's own that a file lies in, however deep."""
    if not path.is_relative_to(output):
        return path.parent
    return output / path.relative_to(output).parts[0]


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
    wrong: set[str] = set()

    def noted(errors: Iterable[UserError]) -> Iterator[UserError]:
        for error in errors:
            if isinstance(error, DamagedFileError):
                wrong.add(error.path)
            yield error

    yield from noted(_of_files(layout, seen, read_one))
    for stage in stamped(layout):
        stamp, files = Path(layout.stamp(stage)), layout.stamped_files(stage)
        # what is made again is followed by what is made from it
        sources = [file for file in _made_from(layout, stage, wrong) if file not in wrong]
        yield from noted(changes(stamp, files, seen, sources))


def _made_from(layout: Layout, stage: str, wrong: set[str]) -> list[str]:
    """What a stage's products are made from; nothing where a file that names cells is wrong."""
    naming = {*layout.all_rounds, *layout.finalists.values()}
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
    for file in layout.all_rounds:
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
