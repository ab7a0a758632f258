"""Which runs of Snakemake are at work in this project, and the locks of those that were killed.

Snakemake's locks say which files a run holds, and not who it is. So each run leaves a note of
itself. Where a lock's run has ended on this machine, the lock is removed; where that cannot be
told, it stays, and whoever comes upon it is told who holds it.
"""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trainscape import alive
from trainscape.errors import UserError
from trainscape.files import write_json

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from trainscape.pipeline.layout import Layout

NOTES = Path(".snakemake/trainscape/runs")
LOCKS = Path(".snakemake/locks")
UNLOCK = "run 'snakemake --unlock', then the same command again"


@dataclass(frozen=True)
class Note:
    """What a run says of itself.

    Args:
        study: the name of its study.
        output: the study's folder.
        process: its number.
        start: when it was started (:func:`trainscape.alive.started`).
        machine: where (:func:`trainscape.alive.machine`).
        host: the machine's name.
        since: when, in words.
    """

    study: str
    output: str
    process: int
    start: str
    machine: str
    host: str
    since: str

    @classmethod
    def own(cls, layout: Layout) -> Note:
        """The note of this process."""
        process = os.getpid()
        return cls(
            study=layout.study.name,
            output=str(layout.output),
            process=process,
            start=alive.started(process),
            machine=alive.machine(),
            host=os.uname().nodename,
            since=time.strftime("%Y-%m-%d %H:%M"),
        )

    @property
    def path(self) -> Path:
        """Where it lies."""
        return NOTES / f"{self.machine}-{self.process}-{self.start}.json"

    @property
    def is_here(self) -> bool:
        """Whether the run is this machine's, so that its end can be seen."""
        return self.machine == alive.machine()

    @property
    def is_own(self) -> bool:
        """Whether it is this process's, or one's that had its number before."""
        return self.is_here and self.process == os.getpid()

    @property
    def has_ended(self) -> bool:
        """Whether the run is known to have ended."""
        return self.is_here and not alive.runs(self.process, self.start)

    def holds(self, files: Collection[str]) -> bool:
        """Whether the files that a lock names are this run's: one of them is of its study."""
        return any(Path(file).is_relative_to(self.output) for file in files)

    def __str__(self) -> str:
        where = "" if self.is_here else f" on {self.host}"
        return f"process {self.process}{where} (study {self.study!r}, since {self.since})"


def begin(layout: Layout) -> None:
    """Leave a note of this run until it ends, and remove the locks of runs that were killed.

    Args:
        layout: the study that this run is on.
    """
    own = Note.own(layout)
    with suppress(OSError, UserError), _one_at_a_time():  # where nothing can be written
        ended = [note for note in _notes() if note.has_ended]
        for note in _released(ended):
            print(f"trainscape: removed the lock of {note}: it was killed", file=sys.stderr)
        for note in ended:
            note.path.unlink(missing_ok=True)
        write_json(own.path, asdict(own))
        atexit.register(_end, own)


def in_the_way(reads: Iterable[str], makes: Iterable[str], datasets: Path) -> str:
    """Who holds files that this run needs, and what to do, in one line.

    Args:
        reads: the files that the run reads.
        makes: those that it makes.
        datasets: the folder of datasets, which studies share.
    """
    made = set(makes)
    needed = made | set(reads)
    notes = [note for note in _notes() if not (note.is_own or note.has_ended)]
    for path, names in _locks().items():
        # two runs may read one file
        both = names & (made if path.name.endswith(".input.lock") else needed)
        if both:
            # a user knows cells and tables better than datasets, and these better than stamps
            shared, _, file = min((_is_below(f, datasets), "/." in f, f) for f in both)
            holders = [note for note in notes if note.holds(names)] or notes
            return _told(file, holders, shared=shared)
    return _told("this folder", notes, shared=False)


def _is_below(file: str, folder: Path) -> bool:
    return Path(file).is_relative_to(folder)


def _told(file: str, holders: list[Note], *, shared: bool) -> str:
    if not holders:
        return (
            f"{file} is locked, and no run that is known holds it: if no other snakemake is at "
            f"work in this project, {UNLOCK}"
        )
    who = " or ".join(map(str, holders))
    if not all(note.is_here for note in holders):
        gone = f"it cannot be seen from here: wait until it ends; if it has, {UNLOCK}"
        return f"{file} is held by {who}; {gone}"
    if shared:
        return (
            f"{file} is held by {who}: wait until it is made. To start several studies at once, "
            "make their datasets first: 'trainscape data'"
        )
    return f"{file} is held by {who}: wait until it ends, or stop it by Ctrl-C"


def _released(ended: list[Note]) -> list[Note]:
    """Remove the locks of runs that have ended, but for what may be another's; whose they were."""
    released: dict[Note, None] = {}
    others = [note for note in _notes() if not note.has_ended]
    for path, names in _locks().items():
        if any(note.holds(names) for note in others):
            continue
        owners = [note for note in ended if note.holds(names)]
        if not owners and not others:  # it names datasets alone
            owners = ended
        if owners:
            path.unlink(missing_ok=True)
            released.update(dict.fromkeys(owners))
    return list(released)


def _locks() -> dict[Path, set[str]]:
    """The files that each of Snakemake's locks names."""
    found = {}
    for path in sorted(LOCKS.glob("*.lock")):
        with suppress(OSError):  # its run has just ended
            found[path] = set(path.read_text(encoding="utf-8", errors="replace").split("\n")) - {""}
    return found


def _notes() -> list[Note]:
    """The notes of all runs; what is no note is passed over."""
    found = []
    for path in sorted(NOTES.glob("*.json")):
        with suppress(OSError, ValueError, TypeError):
            found.append(Note(**json.loads(path.read_text(encoding="utf-8"))))
    return found


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Let no other run look for locks while this one removes them and leaves its note."""
    NOTES.mkdir(parents=True, exist_ok=True)
    with (NOTES / "lock").open("w") as file:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _end(own: Note) -> None:
    """Take the note away; a process that was forked from the run leaves it."""
    if os.getpid() == own.process:
        with suppress(OSError):
            own.path.unlink(missing_ok=True)
