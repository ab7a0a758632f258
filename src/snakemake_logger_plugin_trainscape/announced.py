"""What the Snakefile tells the logger: the report's files, and what training jobs are called.

The Snakefile knows the study and the logger does not. Both live in Snakemake's own process.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sized

_report: list[Path] = []
_names: dict[str, object] = {}
_kept: list[Sized] = []


def announce(
    report: Iterable[str | Path],
    names: Mapping[str, object] | None = None,
    kept: Sized = (),
) -> None:
    """Tell the logger of the run's report and training jobs.

    Args:
        report: the page that a run's last line names if the run ends well, then all other files
            that must be there for it, such as a stamp: after a run of a part of the workflow the
            page may be an older one.
        names: what the job that makes a file is called, by the file's path.
        kept: what training jobs bring back and do not train; its length is read when the jobs of
            the run are known.
    """
    _kept[:] = [kept]
    _report[:] = map(Path, report)
    _names.clear()
    _names.update(names or {})


def report() -> Path | None:
    """The announced page, if it is there and all other files are."""
    return _report[0] if _report and all(file.exists() for file in _report) else None


def name(file: str) -> str | None:
    """What the job that makes a file is called, if the Snakefile has said so."""
    found = _names.get(file)
    return None if found is None else str(found)


def kept() -> int:
    """How many training jobs only bring back what is kept."""
    return sum(map(len, _kept))
