"""Tables as files: every column has one type, null is an empty cell, floats lose nothing."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import pandas as pd

from trainscape.errors import DamagedFileError, MissingFileError, UserError
from trainscape.files import write_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

AXES = ("workload", "optimizer", "batch_size", "lr", "schedule")  # what names a cell
TEXT = {
    "edge",
    "workload",
    "optimizer",
    "schedule",
    "split",
    "status",
    "backend",
    "digest",
    "method",
    "reason",
    "side",
    "warning",
    "region",
    "component",
    "note",
    "noisy_because",
    "torch",
}
WHOLE = {
    "batch_size",
    "cells",
    "runs",
    "seed",
    "seeds",
    "step",
    "steps",
    "diverged",
    "diverged_at",
    "example",
    "failed",
    "reached",
    "retrained",
    "batch_sizes",
    "edges",
    "imputed",
    "within_error",
    "within_margin",
    "peak_memory_bytes",
    "noisy",
    "steps_low",
    "steps_high",
}

Row = dict[str, Any]


def _dtype(column: str) -> str:
    """A label such as ``007`` must stay text and a count with nulls must stay whole."""
    return "string" if column in TEXT else "Int64" if column in WHOLE else "float64"


def key(row: Mapping[str, Any], axes: Sequence[str] = AXES) -> tuple[object, ...]:
    """The values of a row along ``axes``: by default what names its cell."""
    return tuple(row[axis] for axis in axes)


def frame(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """A table of ``rows`` with exactly ``columns``, typed by their names; None is null."""
    table = pd.DataFrame([dict(row) for row in rows], columns=list(columns))
    return table.astype({column: _dtype(column) for column in columns})


def records(table: pd.DataFrame) -> list[Row]:
    """The rows as plain Python values, null as None, in order."""
    names = [str(column) for column in table.columns]
    values = [_values(table[name]) for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]


def _values(column: pd.Series[Any]) -> list[Any]:
    """A column as plain Python values, null as None."""
    values: list[Any] = column.tolist()
    for i in column.isna().to_numpy().nonzero()[0]:
        values[i] = None
    return values


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write ``table`` at once or not at all; the same table gives the same bytes."""
    write_text(path, str(table.to_csv(index=False, lineterminator="\n")))


def read_csv(path: Path) -> pd.DataFrame:
    """Read back what :func:`write_csv` wrote: the same values and types.

    Raises:
        DamagedFileError: it is no such table.
        MissingFileError: it is not there.
        UserError: it cannot be read.
    """
    try:
        kinds = {name: _dtype(name) for name in _columns(path)}
        # an empty cell is the only null, and none in a column of text: a label may be NA or null
        nulls = {name: [""] for name, kind in kinds.items() if kind != "string"}
        return pd.read_csv(path, dtype=kinds, keep_default_na=False, na_values=nulls)
    except FileNotFoundError:
        raise MissingFileError(path) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, OverflowError, csv.Error) as error:
        raise DamagedFileError(path, f"is no table of ours ({type(error).__name__})") from None


def _columns(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        names = next(csv.reader(file), [])
    if not names or len(set(names)) < len(names):
        raise ValueError("a table has columns, each once")
    return names
