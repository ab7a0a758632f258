"""Files that were read and found right: they are not read again while they stay as they are.

To read all cells takes longer than all else before a run's first job. As git does, a file counts
as unchanged while its size, its times and its place on the disk are. That is a help and no more:
without the store, or where it is damaged, all files are read.
"""

from __future__ import annotations

import time
from os.path import lexists
from typing import TYPE_CHECKING, Any

from trainscape.files import recalled, remember

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SETTLED = (
    2.0  # seconds: what was changed later may change again within one tick of the disk's clock
)


class Seen:
    """What is known of files.

    Args:
        store: the file to keep it in; its folder's parent must be there for anything to be kept.
            None keeps and knows nothing.
    """

    def __init__(self, store: Path | None = None) -> None:
        self.store = store
        self._before: dict[str, Any] = _stored(store) if store else {}
        self._now: dict[str, list[Any]] = {}

    def check(self, path: Path, claim: str, read: Callable[[Path], object]) -> None:
        """Read a file to see whether it is right, unless it was and has not changed.

        Args:
            path: the file.
            claim: what it is to be, such as a hash of its content.
            read: raises an error if it is not.
        """
        now, name = mark(path), str(path)
        claims = _claims(self._now.get(name) or self._before.get(name), now)
        if claim not in claims:
            read(path)
            claims = [*claims, claim]
        if now is not None:
            self._now[name] = [now, claims]

    def save(self) -> None:
        """Keep what was found, if there is a place for it."""
        both = {**self._before, **self._now}
        if self.store is not None and both != self._before:
            remember(self.store, {path: known for path, known in both.items() if lexists(path)})


def _stored(store: Path) -> dict[str, Any]:
    found = recalled(store)
    return found if isinstance(found, dict) else {}


def _claims(known: Any, now: list[int] | None) -> list[str]:
    """What is known to be right of a file, if it is as it was then.

    Args:
        known: the file's mark at that time, and the claims.
        now: its mark.
    """
    match known:
        case [before, [*claims]] if before == now is not None:
            return claims
    return []


def mark(path: Path) -> list[int] | None:
    """What changes when a file does; None where that cannot be told, as for one just written."""
    try:
        now = path.stat()
    except OSError:
        return None
    if not now.st_ctime < time.time() - SETTLED:  # the time that no program can set
        return None
    return [now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino]
