"""Outcomes of single examples, as a trial's record holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def packed(values: Sequence[float]) -> str | list[float]:
    """Values as a record holds them; '' where one is not finite.

    Args:
        values: an example's metric each, in the order of the test split.

    Returns:
        Of values that are all 0 or 1 the bits as hex text: the most significant bit of a byte is
        the first example's, the last byte is filled up with zeros. Else the values.

    >>> packed([1, 0, 0, 0, 0, 0, 0, 1, 1]), packed([0.5, 1.0]), packed([float("inf")])
    ('8180', [0.5, 1.0], '')
    """
    if not all(value - value == 0 for value in values):  # infinite, or no number
        return ""
    if not all(value in (0, 1) for value in values):
        return [float(value) for value in values]
    bits = "".join("1" if value else "0" for value in values)
    bits += "0" * (-len(bits) % 8)
    return "".join(f"{int(bits[i : i + 8], 2):02x}" for i in range(0, len(bits), 8))


def unpacked(outcomes: str | Sequence[float], count: int) -> list[float]:
    """The values of :func:`packed`; an empty list where there are none.

    Args:
        outcomes: as a record holds them.
        count: how many examples the test split has.

    >>> unpacked("8180", 9), unpacked([0.5, 1.0], 2), unpacked("", 9)
    ([1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0], [0.5, 1.0], [])
    """
    if not isinstance(outcomes, str):
        return list(outcomes)
    bits = "".join(f"{int(digit, 16):04b}" for digit in outcomes)
    return [float(bit) for bit in bits[:count]]
