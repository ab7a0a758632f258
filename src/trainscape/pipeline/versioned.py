"""What keeps DVC or git from keeping versions: said where a stage of DVC's runs.

DVC (3.67) puts the cache's path into a format string, so that braces in it end every ``dvc repro``
with an error such as ``'b'``. What git ignores, ``dvc repro`` makes without a word.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PLACED = re.compile(r"^\s*\[cache\]\s*$[^[]*?^\s*dir\s*=\s*(.+?)\s*$", re.MULTILINE)


def warnings(root: Path, output: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """Lines to print where DVC runs a stage and versions will not be kept.

    Args:
        root: the project.
        output: the study's output folder.
        environ: the environment variables, by which DVC says that it is at work.
    """
    if "DVC_STAGE" not in environ:
        return
    cache = _cache(root)
    if set("{}") & set(str(cache)):
        yield (
            f"DVC cannot keep files in {cache}, a path with braces; name a folder without: "
            "dvc config --local cache.dir FOLDER"
        )
    if _ignored(root, output / "metrics.json"):
        yield (
            f"output: git ignores {str(output)!r}, so that no version of it is kept; "
            "choose a name such as 'results' or 'mine', that does not begin with 'results-'"
        )


def _cache(root: Path) -> Path:
    """Where DVC keeps files, by the project's settings."""
    place = Path("cache")
    for name in ("config", "config.local"):  # the latter counts
        file = root / ".dvc" / name
        if file.is_file() and (found := PLACED.search(file.read_text(encoding="utf-8"))):
            place = Path(found[1])
    return (root / ".dvc" / place).resolve()


def _ignored(root: Path, file: Path) -> bool:
    """Whether git ignores a file; not where there is no git, or no repository."""
    try:
        done = subprocess.run(
            ["git", "check-ignore", "--quiet", str(file)],
            cwd=root,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0
