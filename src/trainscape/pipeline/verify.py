"""Check that every file of a study is the one that was made."""

from __future__ import annotations

from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from trainscape import datasets
from trainscape.errors import UserError
from trainscape.pipeline.layout import data_stamp
from trainscape.results.cell_files import read_cell
from trainscape.results.seen import Seen
from trainscape.results.stamps import changes
from trainscape.sealed import read_sealed
from trainscape.search.rounds import read_round

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from trainscape.pipeline.layout import Layout


def verify(layout: Layout) -> list[str]:
    """What is missing, damaged or edited, one line each; every file is read."""
    return [str(error) for error in chain(_contents(layout), faults(layout, Seen()))]


def _contents(layout: Layout) -> Iterator[UserError]:
    """What is wrong with the content of datasets whose files are as they were stamped."""
    for name in layout.datasets:
        if not any(changes(data_stamp(name))):
            yield from _raised([partial(datasets.load, name, layout.data)])


def faults(layout: Layout, seen: Seen) -> Iterator[UserError]:
    """What is not as it was made: an error for each file.

    What can be made again is a :class:`~trainscape.errors.DamagedFileError`.

    Args:
        layout: the study.
        seen: files that need not be read again.
    """
    for name in layout.datasets:
        yield from changes(data_stamp(name), seen)
    rounds = list(_raised(_rounds(layout)))
    yield from rounds
    cells = layout.range_tests if rounds else layout.trained  # the rounds say which are trained
    for path, cell in cells.items():
        digest = layout.identify(cell)
        read = partial(read_cell, digest=digest)
        yield from _raised([partial(seen.check, Path(path), digest, read)])
    if layout.throughput is not None and Path(layout.throughput).exists():
        yield from _raised([partial(seen.check, Path(layout.throughput), "sealed", read_sealed)])
    for stamp in layout.stamps:
        yield from changes(stamp, seen)


def _rounds(layout: Layout) -> Iterator[Callable[[], object]]:
    """Calls that read the rounds of a search that are there; they are few."""
    for files in layout.rounds.values():
        for file in files:
            if Path(file).exists():
                yield partial(read_round, Path(file), layout.cells)


def _raised(calls: Iterable[Callable[[], object]]) -> Iterator[UserError]:
    """The errors for users that calls raise."""
    for call in calls:
        try:
            call()
        except UserError as error:
            yield error
