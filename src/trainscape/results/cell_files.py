"""Cell files: written whole, read only when whole. The one place that knows their form.

A cell file is a pure function of (digest, backend): it holds no time, host or path. Its checksum
covers all else in it, so an edit by hand or a broken transfer is refused by name. One exception
says so itself: trials that were carried over from a cell of other code, since a sample came out the
same (``trainscape rekey``).
"""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainscape.cells.cell import TrialRecord
from trainscape.errors import DamagedFileError, UserError
from trainscape.hashing import SHORT, sha256
from trainscape.sealed import read_sealed, write_sealed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trainscape.cells.cell import Cell

FORMAT = 1


@dataclass(frozen=True)
class Carried:
    """Trials that the code of the cell's digest has not made: they came from a cell of other code.

    Args:
        seeds: theirs.
        digest: that of the cell which they were trained for, 64 hex digits.
        identity: the data, torch and source that they were trained with.
        retrained: short digests of the cells that were trained again to compare, all with the same
            numbers.
    """

    seeds: list[int]
    digest: str
    identity: dict[str, str]
    retrained: list[str]


@dataclass(frozen=True)
class CellRecord:
    """What a cell file holds.

    Args:
        digest: the cell's identity, 64 hex digits.
        backend: the arithmetic that made the numbers, such as ``cpu-avx512``.
        spec: the cell as plain data (:meth:`trainscape.cells.cell.Cell.spec`).
        identity: the data, torch and source that it was trained with.
        steps: the step of every evaluation.
        trials: one record per seed.
        carried: which of them were carried over by sampling; of a trained cell none.
    """

    digest: str
    backend: str
    spec: dict[str, Any]
    identity: dict[str, str]
    steps: list[int]
    trials: list[TrialRecord]
    carried: list[Carried] = field(default_factory=list)


@dataclass(frozen=True)
class Entry:
    """A cell of a study, with the study's labels, and what its file holds."""

    cell: Cell
    record: CellRecord


def read_entries(cells: Mapping[str, Cell], digest: Callable[[Cell], str]) -> list[Entry]:
    """Every cell and what its file holds, checked.

    Args:
        cells: by file.
        digest: the full digest that a cell's file must have.

    Raises:
        UserError: names the first file that is missing, damaged or edited.
    """
    return [Entry(cell, read_cell(Path(path), digest(cell))) for path, cell in cells.items()]


def write_cell(path: Path, record: CellRecord) -> None:
    """Write a cell file with its checksum."""
    body = asdict(record)
    if not record.carried:
        del body["carried"]
    write_sealed(path, {"format": FORMAT, **body})


def read_kept(path: Path, digest: str | None = None) -> CellRecord | None:
    """As :func:`read_cell`, of a file that is passed over, and named, if it is not whole."""
    try:
        return read_cell(path, digest)
    except UserError as error:
        why = error.why if isinstance(error, DamagedFileError) else "cannot be read"
        print(f"{path} {why}: it is passed over", file=sys.stderr)
        return None


def read_cell(path: Path, digest: str | None = None) -> CellRecord:
    """Read a cell file and check that it is whole, unedited and the one its name says.

    Args:
        path: the file.
        digest: the full digest that it must have, if known.

    Raises:
        DamagedFileError: says what is wrong with it.
        UserError: it is missing, or cannot be read.
    """
    body = read_sealed(path)
    try:
        if (form := body.pop("format")) != FORMAT:
            raise DamagedFileError(path, f"has format {form!r}, this version reads {FORMAT}")
        trials = [TrialRecord(**trial) for trial in body.pop("trials")]
        carried = [Carried(**mark) for mark in body.pop("carried", [])]
        record = CellRecord(**body, trials=trials, carried=carried)
    except (KeyError, TypeError, AttributeError) as error:
        raise DamagedFileError(path, f"is no cell ({type(error).__name__})") from None
    if record.digest != sha256({"cell": record.spec, "identity": record.identity}):
        raise DamagedFileError(path, "has a digest that is not that of what it states")
    if not path.stem.endswith(record.digest[:SHORT]) or digest not in (None, record.digest):
        raise DamagedFileError(path, f"holds another cell ({record.digest[:SHORT]})")
    return record
