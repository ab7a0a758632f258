"""A section of answers, and words that several of them use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainscape.figures.values import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainscape.report._sections import Image
    from trainscape.report._table import Table


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
        images: its pictures.
    """

    workload: str
    kind: str
    title: str
    lead: str
    table: Table | None = None
    blocks: Sequence[tuple[str, str]] = ()
    images: Sequence[Image] = ()


def bounds(low: float | None, high: float | None) -> str:
    """A 95% interval in brackets, also where a side has no bound."""
    if low is None and high is None:
        return ""
    if low is None or high is None:
        return (
            f" (at most {number(high)})"
            if low is None and high is not None
            else (f" (at least {number(low or 0.0)})")
        )
    return f" ({number(low)} to {number(high)})"
