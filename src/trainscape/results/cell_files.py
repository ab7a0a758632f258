"""Cell files: written whole, read only when whole. The one place that knows their form.

A cell file is a pure function of (digest, backend): it holds no time, host or path. Its checksum
covers all else in it, so an edit by hand or a broken transfer is refused by name. One exception
says so itself: trials that were carried over from a cell of other code, since a sample came out the
same (``trainscape rekey``).
"""

from __future__ import annotations

import math
import re
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainscape.cells.cell import TrialRecord
from trainscape.errors import DamagedFileError, UserError, shown
from trainscape.hashing import SHORT, sha256
from trainscape.sealed import read_sealed, write_sealed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from trainscape.cells.cell import Cell

FORMAT = 1
STATUSES = ("ok", "diverged", "oom")
AT_EACH = ("train_loss", "val_loss", "val_metric", "test_loss", "test_metric")  # evaluation
AT_LAST = ("fit_loss", "fit_metric")
TRAINED_WITH = {"data", "torch", "source"}  # and a package, of an optimizer that has one


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


def read_entries(cells: Mapping[str, Cell], digest: Callable[[Cell], str]) -> Iterator[Entry]:
    """Every cell and what its file holds, checked; each is read when it is asked for.

    Args:
        cells: by file.
        digest: the full digest that a cell's file must have.

    Raises:
        UserError: names the first file that is missing, damaged or edited.
    """
    for path, cell in cells.items():
        yield Entry(cell, read_cell(Path(path), digest(cell)))


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
    try:
        stated = sha256({"cell": record.spec, "identity": record.identity})
    except ValueError:  # NaN, which Python's JSON reader takes
        raise DamagedFileError(path, "is no cell (its spec has infinities)") from None
    if record.digest != stated:
        raise DamagedFileError(path, "has a digest that is not that of what it states")
    if why := _fault(record):
        raise DamagedFileError(path, f"is no cell ({why})")
    if not path.stem.endswith(record.digest[:SHORT]) or digest not in (None, record.digest):
        raise DamagedFileError(path, f"holds another cell ({record.digest[:SHORT]})")
    return record


def _fault(record: CellRecord) -> str | None:
    """Why what a file holds is no record of a cell, whatever its checksum says; None if it is one.

    Later stages reckon with these numbers without a further look.
    """
    spec, steps = record.spec, record.steps
    if not (isinstance(spec, dict) and _names_parts(spec)):
        return "its spec is none"
    if not _is_identity(record.identity):
        return "what it was trained with is not stated"
    if not (isinstance(record.digest, str) and isinstance(record.backend, str)):
        return "its digest or backend is no text"
    if not isinstance(steps, list) or not all(type(step) is int for step in steps):
        return "its steps are no whole numbers"
    if [trial.seed for trial in record.trials] != spec.get("seeds"):
        return "its trials are not those of its seeds"
    for trial in record.trials:
        at = trial.diverged_at
        if trial.status not in STATUSES or not (at is None or type(at) is int):
            return f"seed {shown(trial.seed)} has no status"
        each, last = ([getattr(trial, name) for name in names] for names in (AT_EACH, AT_LAST))
        if not all(map(_are_numbers, (*each, *last, trial.trace))):
            return f"seed {trial.seed} has no lists of finite numbers"
        lengths = {*map(len, each)} - {0}  # none of validation where nothing is held out
        scored = [(trial.val_loss, trial.val_metric), (trial.test_loss, trial.test_metric)]
        if (
            len(lengths) > 1
            or max(map(len, (*each, *last))) > len(steps)
            or any(len(losses) != len(metrics) for losses, metrics in scored)
        ):
            return f"seed {trial.seed} has evaluations of which some numbers are missing"
        if not _are_rows(trial.noise, len(steps), 2):
            return f"seed {trial.seed} has no noise"
        if not _are_rows(trial.path, len(steps) + 1):
            return f"seed {trial.seed} has no path"
        if not _are_outcomes(trial.outcomes):
            return f"seed {trial.seed} has no outcomes"
    if not all(map(_is_mark, record.carried)):
        return "what it says of carried trials is no such mark"
    return None


def _names_parts(spec: Mapping[str, Any]) -> bool:
    parts = spec.get("optimizer"), spec.get("schedule")
    return {"workload", "batch_size", "lr"} <= spec.keys() and all(
        isinstance(part, dict) and "name" in part for part in parts
    )


def _is_identity(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() >= TRAINED_WITH
        and all(isinstance(one, str) for one in value.values())
    )


def _is_mark(mark: Carried) -> bool:
    lists = ((mark.seeds, int), (mark.retrained, str))
    return (
        isinstance(mark.digest, str)
        and _is_identity(mark.identity)
        and all(isinstance(some, list) and {*map(type, some)} <= {kind} for some, kind in lists)
    )


def _are_numbers(values: object) -> bool:
    if not (isinstance(values, list) and {*map(type, values)} <= {int, float}):
        return False
    try:
        return all(map(math.isfinite, values))
    except OverflowError:  # a whole number beyond all floats
        return False


def _are_rows(values: object, most: int, width: int | None = None) -> bool:
    """Whether this is a list of equally long lists of numbers."""
    if not (isinstance(values, list) and len(values) <= most and all(map(_are_numbers, values))):
        return False
    return {*map(len, values)} <= {len(values[0]) if values and width is None else width}


def _are_outcomes(value: object) -> bool:
    if isinstance(value, str):
        return re.fullmatch("[0-9a-f]*", value) is not None
    return _are_numbers(value)
