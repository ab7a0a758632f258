"""Cell files: written whole, read only when whole. The one place that knows their form.

A cell file is a pure function of (digest, backend): it holds no time, host or path. Its checksum
covers all else in it, so an edit by hand or a broken transfer is refused by name.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from trainscape.cells.cell import TrialRecord as TrialRecord
from trainscape.errors import UserError
from trainscape.files import write_text
from trainscape.hashing import SHORT, canonical, sha256

if TYPE_CHECKING:
    from pathlib import Path

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


def claim(output: Path, study: str) -> None:
    """Make the output folder belong to ``study``, or refuse if it is another's.

    Raises:
        UserError: the folder holds another study's results, or cannot be made.
    """
    check_claim(output, study)
    marker = output / ".study"
    try:
        output.mkdir(parents=True, exist_ok=True)
        if not marker.exists():
            write_text(marker, study + "\n")
    except OSError as error:
        raise UserError(
            f"output: {str(output)!r} cannot be a folder of results: {error.strerror}"
        ) from None
    check_claim(output, study)


def check_claim(output: Path, study: str) -> None:
    """Refuse if the output folder is another study's or nobody's; writes nothing."""
    marker = output / ".study"
    strangers = not marker.exists() and _holds_files(output)
    owner = marker.read_text(encoding="utf-8").strip() if marker.exists() else study
    if owner != study:
        raise UserError(
            f"output: {str(output)!r} holds the study {owner!r}; give {study!r} a folder of its own"
        )
    for folder in output.parents:
        if (folder / ".study").exists():
            raise UserError(
                f"output: {str(output)!r} lies in the results of another study, {str(folder)!r}; "
                "choose a folder beside it"
            )
    if strangers and not marker.exists():  # asked again: another job may have claimed it meanwhile
        raise UserError(
            f"output: {str(output)!r} holds files of no study; choose a new folder, or write "
            f"{study!r} into {str(marker)!r} if they are its results"
        )


def _holds_files(folder: Path) -> bool:
    """Whether there is a file below a folder; hidden ones don't count."""
    below = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return any(not any(part.startswith(".") for part in path.parts) for path in below)
