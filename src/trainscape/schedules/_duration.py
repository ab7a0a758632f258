"""Durations: ``"30 epochs"``, ``"100 steps"`` or ``"10%"`` of the run."""

from __future__ import annotations

import re
from difflib import get_close_matches
from fractions import Fraction
from functools import lru_cache
from typing import Annotated

NUMBER = r"\d+(?:\.\d+)?(?:e-?\d{1,2})?"
DURATION = re.compile(rf"({NUMBER})\s*(steps?|epochs?|%)")


@lru_cache
def parse(duration: str) -> tuple[Fraction, str]:
    """A duration's number, exact, and the first letter of its unit: ``s``, ``e`` or ``%``.

    Raises:
        ValueError: the text is no duration, zero, or a part of a step; the message says what to
            write.
    """
    match = DURATION.fullmatch(duration.strip())
    if not match:
        raise ValueError(f"is no duration; {_advice(duration)}")
    number = Fraction(match[1])
    if not number:
        raise ValueError("is no time at all; choose a duration above zero")
    if match[2][0] == "s" and number.denominator > 1:
        raise ValueError(f"is no whole number of steps; choose {steps(max(round(number), 1))!r}")
    return number, match[2][0]


def check(value: object) -> None:
    """Refuse what is no duration; raises as :func:`parse`."""
    parse(str(value))


def steps(number: float) -> str:
    """So many steps, as a duration is written.

    >>> steps(1), steps(0.5)
    ('1 step', '0.5 steps')
    """
    return f"{number:.3g} step" + "s" * (number != 1)


Duration = Annotated[str, check]  # the type of a schedule's field


def _advice(text: str) -> str:
    match = re.match(rf"\s*({NUMBER})\s*(.*)", text)
    number, unit = match.groups() if match else ("10", "")
    if match and not unit and 0 < Fraction(number) < 1:  # a share of the run, as others write it
        return f"did you mean '{float(100 * Fraction(number)):g}%'?"
    units = {"epochs": f"'{number} epochs'", "steps": f"'{number} steps'", "%": f"'{number}%'"}
    near = get_close_matches(unit.strip(), units, n=1, cutoff=0.5)
    if near:
        return f"did you mean {units[near[0]]}?"
    return f"write it as {units['epochs']}, {units['steps']} or {units['%']}"
