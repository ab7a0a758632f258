"""Numbers as people write them: the one place where a value becomes a number.

YAML reads ``1e-3`` (no point) as text, and Python takes ``true`` for 1.
"""

from __future__ import annotations

import sys

MOST = sys.float_info.max


def parsed(value: object) -> int | float | None:
    """The number that a value is or spells, NaN and infinities among them; None for all else.

    >>> parsed("1e-3"), parsed("12"), parsed(True), parsed("twelve")
    (0.001, 12, None, None)
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        for kind in (int, float):
            try:
                return kind(value)
            except ValueError:
                continue
    return None


def finite(number: float) -> bool:
    """Whether a number is none of NaN, an infinity, and a whole number too large for a float."""
    return -MOST <= number <= MOST


def number(value: object) -> int | float:
    """The finite number that a value is or spells.

    Raises:
        ValueError: it is none; says why.
    """
    if isinstance(value, bool):
        raise ValueError("is true or false; give a number")
    found = parsed(value)
    if found is None:
        percent = parsed(value[:-1]) if isinstance(value, str) and value.endswith("%") else None
        advice = "" if percent is None else f"; did you mean {percent / 100:g}?"
        raise ValueError(f"is no number{advice}")
    if not finite(found):
        raise ValueError("is no finite number")
    return found
