"""What is to be known of step times wherever they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainscape.numerals import counted

if TYPE_CHECKING:
    from collections.abc import Mapping


def doubts(times: Mapping[str, Any]) -> str:
    """A sentence where the machine was not quiet while step times were measured; else nothing.

    Args:
        times: ``timings.json``.
    """
    if times.get("quiet") is not False:
        return ""
    noisy, all_of_them = times.get("noisy") or 0, times.get("measurements") or 0
    which = f": {noisy} of {counted(all_of_them, 'step time')} stayed noisy" if noisy else ""
    return f"The machine was not quiet while step times were measured{which}; they may be too long."
