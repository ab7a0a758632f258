"""One way to say no: a single line that names the key, the value and the nearest valid choice."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class UserError(Exception):
    """Something the user can mend. Its text is one line, printed before an exit with code 2."""


def unknown(key: str, value: object, choices: Iterable[str]) -> UserError:
    """The error for a name that is none of ``choices``: names the nearest, or lists them all."""
    known = sorted(choices)
    spelt = {choice.casefold(): choice for choice in known}
    near = get_close_matches(str(value).casefold(), spelt, n=1, cutoff=0.62)
    hint = (
        f"did you mean {spelt[near[0]]!r}?"
        if near
        else f"choose from: {', '.join(known) or '(none)'}"
    )
    return UserError(f"{key}: unknown {value!r}; {hint}")
