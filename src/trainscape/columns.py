"""A table for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def aligned(rows: Iterable[Sequence[str]], left: int | None = 1) -> list[str]:
    """A table as lines, its columns two spaces apart.

    Args:
        rows: all as long as each other.
        left: how many columns, from the first on, stand to the left; None for all of them. The
            others stand to the right.

    >>> aligned([("dataset", "train"), ("digits", "1,437")])
    ['dataset  train', 'digits   1,437']
    """
    table = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(
            text.rjust(width) if left is not None and i >= left else text.ljust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]
