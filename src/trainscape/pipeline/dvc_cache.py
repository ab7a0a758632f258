"""Where DVC keeps what it versions, and where it cannot: said before DVC fails in words of its own.

DVC (3.67) puts the cache's path into a format string, so that braces in it end every ``dvc repro``
with an error such as ``'b'``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PLACED = re.compile(r"^\s*\[cache\]\s*$[^[]*?^\s*dir\s*=\s*(.+?)\s*$", re.MULTILINE)


def warning(root: Path, environ: Mapping[str, str]) -> str:
    """A line to print where DVC runs a stage and will not keep its files; else nothing.

    Args:
        root: the project.
        environ: the environment variables, by which DVC says that it is at work.
    """
    if "DVC_STAGE" not in environ:
        return ""
    place = ".dvc/cache"
    for name in ("config", "config.local"):  # the latter counts
        file = root / ".dvc" / name
        if file.is_file() and (found := PLACED.search(file.read_text(encoding="utf-8"))):
            place = f".dvc/{found[1]}" if not found[1].startswith("/") else found[1]
    path = (root / place).resolve()
    if not set("{}") & set(str(path)):
        return ""
    return (
        f"DVC cannot keep files in {path}, a path with braces; name a folder without: "
        "dvc config --local cache.dir FOLDER"
    )
