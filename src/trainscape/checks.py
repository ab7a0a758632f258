"""Hyperparameters are checked where they are set, and every part refuses them in the same words."""

from __future__ import annotations

import math
from typing import ClassVar, Protocol

from trainscape.errors import UserError, unknown


class Part(Protocol):
    """An optimizer or a schedule: a frozen dataclass that is registered under ``name``."""

    name: ClassVar[str]


def numbers(part: Part, interval: str, *keys: str) -> None:
    """Hold the named fields to an interval, and make them floats.

    They become floats so that ``0`` and ``0.0`` are one cell, and because YAML reads ``1e-4``
    (no point) as text.

    Args:
        part: the part, from its ``__post_init__``.
        interval: both ends, a round bracket where the end itself is out: ``"[0, 1)"``.
        keys: the fields.

    Raises:
        UserError: one of them is no number, not finite, or outside; names it and the interval.
    """
    low, high = (float(end) for end in interval[1:-1].split(","))
    for key in keys:
        given = getattr(part, key)
        try:
            value = float("no number" if isinstance(given, bool) else given)
        except (TypeError, ValueError):
            raise refusal(part, key, f"is no number; choose one in {interval}") from None
        above = value > low if interval[0] == "(" else value >= low
        below = value < high if interval[-1] == ")" else value <= high
        if not (above and below):  # NaN is neither
            raise refusal(part, key, f"is out of range; choose a number in {interval}")
        object.__setattr__(part, key, value)  # a frozen dataclass, still being made


def integers(part: Part, least: int, *keys: str) -> None:
    """Hold the named fields to whole numbers from ``least``, and make them ints.

    Raises:
        UserError: one of them is none, or below.
    """
    for key in keys:
        given = getattr(part, key)
        try:
            value = float("no number" if isinstance(given, bool) else given)
        except (TypeError, ValueError):
            value = math.nan
        if not (value.is_integer() and value >= least):
            raise refusal(part, key, f"is no whole number from {least}; choose one")
        object.__setattr__(part, key, int(value))


def options(part: Part, choices: tuple[str, ...], *keys: str) -> None:
    """Hold the named fields to one of ``choices``.

    Raises:
        UserError: one of them is something else; names the nearest, or lists them.
    """
    for key in keys:
        if getattr(part, key) not in choices:
            raise unknown(f"{part.name}.{key}", getattr(part, key), choices)


def flags(part: Part, *keys: str) -> None:
    """Hold the named fields to true or false.

    Raises:
        UserError: one of them is something else.
    """
    for key in keys:
        if not isinstance(getattr(part, key), bool):
            raise refusal(part, key, "is neither true nor false; choose one")


def refusal(part: Part, key: str, why: str) -> UserError:
    """The error for the field ``key``: part, key and value, then ``why`` with what to choose."""
    return UserError(f"{part.name}.{key}: {getattr(part, key)!r} {why}")
