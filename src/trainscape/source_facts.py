"""What was read in source files, kept by their content: to parse them all takes a second.

Every process of a run asks for the source that decides its results. The store is a help and no
more: without it, or where it is damaged or of another version, the files are parsed again.
"""

from __future__ import annotations

import hashlib
import sys
from typing import TYPE_CHECKING, NamedTuple

from trainscape.files import recalled, remember

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

MOST = 2000  # files: then only those of this process are kept


class Facts(NamedTuple):
    """What one file says.

    Args:
        meaning: the sha256 (hex) of its source without comments and layout.
        imports: level (leading dots) and dotted name of all that may be modules.
    """

    meaning: str
    imports: Sequence[tuple[int, str]]


class Known:
    """The facts of files that were read before.

    Args:
        path: the file to keep them in, relative to the project; its folder's parent must be there
            for anything to be kept.
        reader: the source file that decides what is read.
    """

    def __init__(self, path: Path, reader: Path) -> None:
        self.path, self.reader = path, reader
        self._before: dict[str, Facts] | None = None
        self._asked: dict[str, Facts] = {}

    def get(self, content: bytes, read: Callable[[], Facts]) -> Facts:
        """The facts of a file's content, by ``read`` where they are not known."""
        if self._before is None:
            self._before = self._stored()
        key = hashlib.sha256(content).hexdigest()
        found = self._before.get(key) or read()
        self._asked[key] = found
        return found

    def save(self) -> None:
        """Keep what is new, if there is a place for it."""
        before = self._before or {}
        if self._asked.keys() <= before.keys():
            return
        both = {**before, **self._asked}
        self._before = both if len(both) <= MOST else dict(self._asked)
        remember(self.path, {"version": self._version(), "files": self._before})

    def _stored(self) -> dict[str, Facts]:
        stored = recalled(self.path)
        try:
            if stored["version"] != self._version():
                return {}
            return {
                key: Facts(str(meaning), [(int(level), str(name)) for level, name in imports])
                for key, (meaning, imports) in stored["files"].items()
            }
        except (ValueError, KeyError, TypeError, AttributeError):
            return {}

    def _version(self) -> str:
        """Changes with the code that reads and with Python, whose syntax trees it reads."""
        code = hashlib.sha256(self.reader.read_bytes()).hexdigest()
        return f"{code} {sys.version}"
