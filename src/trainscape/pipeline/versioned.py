"""What keeps DVC or git from keeping versions: said where a stage of DVC's runs.

DVC (3.67) puts the cache's path into a format string, so that braces in it end every ``dvc repro``
with an error such as ``'b'``. What git ignores, ``dvc repro`` makes without a word.
"""

from __future__ import annotations

import configparser
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


def warnings(root: Path, output: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """Lines to print where DVC runs a stage and versions will not be kept.

    Args:
        root: the project.
        output: the study's output folder.
        environ: the environment variables, by which DVC says that it is at work.
    """
    if "DVC_STAGE" not in environ:
        return
    cache = dvc_cache(root)
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


def dvc_cache(project: Path) -> Path:
    """Where DVC keeps files; its configuration may have moved it, the local one above all."""
    home = next((p for p in (project, *project.parents) if (p / ".dvc").is_dir()), project) / ".dvc"
    config = configparser.ConfigParser(interpolation=None)
    config.read([home / "config", home / "config.local"], encoding="utf-8")
    return (home / config.get("cache", "dir", fallback="cache")).resolve()


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
