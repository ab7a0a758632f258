"""A table for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def aligned(rows: Iterable[Sequence[str]], left: int = 1) -> list[str]:
    """A table as lines, its columns two spaces apart.

    Args:
        rows: at least one, all as long as each other.
        left: how many columns, from the first on, stand to the left; the others to the right.

    >>> aligned([("dataset", "train"), ("digits", "1,437")])
    ['dataset  train', 'digits   1,437']
    """
    table = [list(row) for row in rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    return [
        "  ".join(
            text.rjust(width) if i >= left else text.ljust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in table
    ]
