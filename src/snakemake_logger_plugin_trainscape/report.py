"""Where the report is: said by the Snakefile, shown as a run's last line.

The Snakefile knows the study and the logger does not; both live in Snakemake's own process.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_files: list[Path] = []


def announce(files: Iterable[str | Path]) -> None:
    """Name the report of the run, to be shown when it ends well.

    Args:
        files: the page first, then whatever else must be there for the page to be this study's
            (its stamp): a run of a part of the workflow leaves an older page unmentioned.
    """
    _files[:] = map(Path, files)


def announced() -> Path | None:
    """The announced page, if it and all that belongs to it is there."""
    return _files[0] if _files and all(file.exists() for file in _files) else None
