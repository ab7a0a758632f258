"""Cell files: written whole, read only when whole. The one place that knows their form.

A cell file is a pure function of (digest, backend): it holds no time, host or path. Its checksum
covers all else in it, so an edit by hand or a broken transfer is refused by name.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainscape.cells.cell import TrialRecord
from trainscape.errors import UserError
from trainscape.files import write_text
from trainscape.hashing import SHORT, canonical, sha256

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
    body = {"format": FORMAT, **asdict(record)}
    write_text(path, canonical({**body, "checksum": sha256(body)}) + "\n")


def read_cell(path: Path, digest: str | None = None) -> CellRecord:
    """Read a cell file and check that it is whole, unedited and the one its name says.

    Args:
        path: the file.
        digest: the full digest that it must have, if known.

    Raises:
        UserError: names the file and what is wrong with it.
    """
    try:
        text = path.read_text(encoding="utf-8")
        body = json.loads(text)
        if body["format"] != FORMAT:
            raise UserError(
                f"{path}: format {body['format']!r}, this version reads {FORMAT}; "
                "delete it and run again"
            )
        checksum = body.pop("checksum")
        # NaN, which Python's JSON reader takes, is a ValueError here
        whole = _as_written(text, checksum) or checksum == sha256(body)
        trials = [TrialRecord(**trial) for trial in body["trials"]]
        record = CellRecord(
            **{k: v for k, v in body.items() if k not in ("format", "trials")}, trials=trials
        )
    except FileNotFoundError:
        raise UserError(f"{path}: no such cell; run snakemake to train it") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path}: not a whole cell file ({type(error).__name__}); delete it and run again"
        ) from None
    if not whole:
        raise UserError(
            f"{path}: was edited after training (checksum differs); delete it and run again"
        )
    if record.digest != sha256({"cell": record.spec, "identity": record.identity}):
        raise UserError(
            f"{path}: its digest is not that of what it states; delete it and run again"
        )
    if not path.stem.endswith(record.digest[:SHORT]) or digest not in (None, record.digest):
        raise UserError(
            f"{path}: holds another cell ({record.digest[:SHORT]}); delete it and run again"
        )
    return record


def _as_written(text: str, checksum: str) -> bool:
    """Whether a cell file is what :func:`write_cell` wrote, to the byte; layout is free to differ.

    To put a thousand cells into canonical JSON again takes most of a second.
    """
    body = text.removesuffix("\n").replace(f'"checksum":"{checksum}",', "", 1)
    return hashlib.sha256(body.encode()).hexdigest() == checksum
