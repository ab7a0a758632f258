"""What the workflow tells the logger: the report's files, what training jobs are called, and more.

The Snakefile knows the study and the logger does not. Both live in Snakemake's own process.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sized

    Best = Callable[[Iterable[str]], str]
    Duration = Callable[[Mapping[str, int], Iterable[str]], str]
    Words = Callable[[], str]

_report: list[Path] = []
_names: dict[str, object] = {}
_kept: list[Sized] = []
_best: list[Best] = []
_duration: list[Duration] = []
_holder: list[Words] = []
_part_way: list[Words] = []


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


def inform(
    best: Best | None = None,
    duration: Duration | None = None,
    holder: Words | None = None,
    part_way: Words | None = None,
) -> None:
    """Give the logger what it asks for words while a run goes on.

    Args:
        best: says what is the best so far, in a few words that may be empty. It is given the files
            of the training jobs that have ended well since the last call, and is called once a
            second and at every message: it is to be done in a moment.
        duration: says how long a run would take, in a line that may be empty, from the number of
            jobs of each rule and the files of its training jobs. Dry runs ask for it.
        holder: says who holds the lock that a run has come upon, and what to do, in a line.
        part_way: says what is kept of training that was stopped (``20 trials``); it may be empty.
            Asked when a run begins, and when the user has stopped it.
    """
    _best[:] = [] if best is None else [best]
    _duration[:] = [] if duration is None else [duration]
    _holder[:] = [] if holder is None else [holder]
    _part_way[:] = [] if part_way is None else [part_way]


def best(finished: Iterable[str]) -> str:
    """What is the best so far, in words; empty where nobody knows.

    Args:
        finished: the files of training jobs that have ended well since the last call.
    """
    return _best[0](finished) if _best else ""


def duration(jobs: Mapping[str, int], files: Iterable[str]) -> str:
    """How long a run would take, in a line; empty where nobody knows.

    Args:
        jobs: how many there are of each rule.
        files: of its training jobs.
    """
    return _duration[0](jobs, files) if _duration else ""


def holder() -> str:
    """Who holds the lock that this run has come upon, in a line; empty where nobody knows."""
    return _holder[0]() if _holder else ""


def part_way() -> str:
    """What is kept of training that was stopped; empty for nothing, or where nobody knows."""
    return _part_way[0]() if _part_way else ""


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
