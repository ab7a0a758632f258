"""Cell files: written whole, read only when whole. The one place that knows their form.

A cell file is a pure function of (digest, backend): it holds no time, host or path. Its checksum
covers all else in it, so an edit by hand or a broken transfer is refused by name.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainscape.cells.cell import TrialRecord
from trainscape.errors import DamagedFileError
from trainscape.hashing import SHORT, sha256
from trainscape.sealed import read_sealed, write_sealed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trainscape.cells.cell import Cell

FORMAT = 1


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
    """

    digest: str
    backend: str
    spec: dict[str, Any]
    identity: dict[str, str]
    steps: list[int]
    trials: list[TrialRecord]


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
    write_sealed(path, {"format": FORMAT, **asdict(record)})


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
        record = CellRecord(**body, trials=trials)
    except (KeyError, TypeError, AttributeError) as error:
        raise DamagedFileError(path, f"is no cell ({type(error).__name__})") from None
    if record.digest != sha256({"cell": record.spec, "identity": record.identity}):
        raise DamagedFileError(path, "has a digest that is not that of what it states")
    if not path.stem.endswith(record.digest[:SHORT]) or digest not in (None, record.digest):
        raise DamagedFileError(path, f"holds another cell ({record.digest[:SHORT]})")
    return record
