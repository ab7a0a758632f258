"""Tables as files: every column has one type, null is an empty cell, floats lose nothing."""

from __future__ import annotations

import csv
import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pandas as pd

from trainscape.errors import DamagedFileError, MissingFileError, UserError
from trainscape.files import replacing, write_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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

CHUNK = 100_000  # rows of a long table that are read at once

Row = dict[str, Any]
Values = tuple[Any, ...]  # of a row, in the order of the columns


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


def lines(table: pd.DataFrame, columns: Sequence[str]) -> Iterator[Values]:
    """Some columns of the rows as plain tuples: fewer bytes than records. Nulls are pandas' own."""
    return zip(*(table[name].tolist() for name in columns), strict=True)


def _values(column: pd.Series[Any]) -> list[Any]:
    """A column as plain Python values, null as None."""
    values: list[Any] = column.tolist()
    for i in column.isna().to_numpy().nonzero()[0]:
        values[i] = None
    return values


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write ``table`` at once or not at all; the same table gives the same bytes."""
    write_text(path, str(table.to_csv(index=False, lineterminator="\n")))


@contextmanager
def written_csv(path: Path, columns: Sequence[str]) -> Iterator[Callable[[Iterable[Values]], None]]:
    """Write a table as its rows come, so that no more than one of them is held.

    It is there once the block ends well, with the bytes that :func:`write_csv` gives the
    :func:`frame` of these rows.

    Args:
        path: the file.
        columns: their names.

    Yields:
        What writes rows. Each has a value for each column: text, a whole number or a float, as the
        column's type is, or None.
    """
    with replacing(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        yield writer.writerows
        text.detach()  # flushes it, and leaves the file open


def read_csv(path: Path, of: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Read back what :func:`write_csv` wrote: the same values and types.

    Args:
        path: the file.
        of: the text that rows must have, by column; others are let go as they are read.

    Raises:
        DamagedFileError: it is no such table.
        MissingFileError: it is not there.
        UserError: it cannot be read.
    """
    try:
        kinds = {name: _dtype(name) for name in _columns(path)}
        # an empty cell is the only null, and none in a column of text: a label may be NA or null
        nulls = {name: [""] for name, kind in kinds.items() if kind != "string"}
        how = {"dtype": kinds, "keep_default_na": False, "na_values": nulls}
        return _rows_of(path, of, how) if of else _whole(path, how)
    except FileNotFoundError:
        raise MissingFileError(path) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, OverflowError, csv.Error) as error:
        raise DamagedFileError(path, f"is no table of ours ({type(error).__name__})") from None


def _whole(path: Path, how: dict[str, Any]) -> pd.DataFrame:
    table: pd.DataFrame = pd.read_csv(path, **how)
    return table


def _rows_of(path: Path, of: Mapping[str, str], how: dict[str, Any]) -> pd.DataFrame:
    wanted = list(of.values())
    with pd.read_csv(path, chunksize=CHUNK, **how) as chunks:
        parts = [part[(part[list(of)] == wanted).all(axis=1)] for part in chunks]
    return pd.concat(parts) if parts else _whole(path, how)


def _columns(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        names = next(csv.reader(file), [])
    if not names or len(set(names)) < len(names):
        raise ValueError("a table has columns, each once")
    return names
