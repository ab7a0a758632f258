"""A section of answers, and words that several of them use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainscape.figures.values import number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trainscape.report._table import Table

    Words = Callable[[float], str]


@dataclass(frozen=True)
class Claim:
    """A section of answers.

    Args:
        workload: whose.
        kind: a word for links.
        title: its heading.
        lead: what it says, in sentences.
        table: the numbers, if any.
        blocks: words, and text to paste.
    """

    workload: str
    kind: str
    title: str
    lead: str
    table: Table | None = None
    blocks: Sequence[tuple[str, str]] = ()


def bounds(low: float | None, high: float | None, words: Words = number) -> str:
    """A 95% interval in brackets, also where a side has no bound.

    Args:
        low: its lower end; None for no bound.
        high: its upper end.
        words: writes a number.
    """
    if low is None and high is None:
        return ""
    if low is None:
        return f" (at most {words(high or 0.0)})"
    return f" (at least {words(low)})" if high is None else f" ({words(low)} to {words(high)})"
