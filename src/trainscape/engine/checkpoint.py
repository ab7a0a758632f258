"""Keeps trials in training, so that what a stopped process has trained is not trained again.

A trial is kept by a name that says all that decides its numbers: a file with its state at a step,
or with its record where it is done and its cell is not. Where the place in a pack decides last
bits (on a GPU) a file holds the whole pack. No number is made here, so this file is in no digest.
"""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from trainscape.cells.cell import TrialRecord
from trainscape.engine import backend, leaving
from trainscape.engine.encoding import read, write
from trainscape.engine.watch import Watch
from trainscape.errors import DamagedFileError, UserError
from trainscape.files import replacing
from trainscape.hashing import sha256
from trainscape.numerals import counted
from trainscape.sealed import read_sealed, write_sealed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import torch

    from trainscape.engine.trial import Trial

FORMAT = 1
STATE, RECORD, PACK = ".state", ".json", "pack-"
NAME = 32  # letters of a digest in the name of a pack's file


class _Now:
    """Why this process could not write when it last tried to; empty where it could."""

    unwritten = ""


class Keeper:
    """Keeps the trials of cells that train in one process.

    Args:
        folder: where.
        every: seconds of training that may be lost.
        name: what a trial is kept by, of the place of its cell and its seed.
        on: where they train.
        say: is told in a line what becomes of trials.
        fresh: whether what is there counts for nothing.
        stepped: is called between steps with the steps done and in all, of all trials.
    """

    def __init__(
        self,
        folder: Path,
        every: float,
        name: Callable[[int, int], str],
        on: torch.device,
        say: Callable[[str], None] = print,
        fresh: bool = False,
        stepped: Callable[[int, int], None] = lambda *_: None,
    ) -> None:
        self.folder, self.every, self.say, self.on = folder, every, say, on
        self._name, self._stepped = name, stepped
        self._there: set[str] = set()  # files that count
        if not fresh:
            with suppress(OSError):  # none is there, or another run has just removed them
                self._there = {path.name for path in folder.iterdir()}
        self._packs: dict[str, list[str]] | None = None  # the names of trials by file, once read
        self._names: dict[tuple[int, int], str] = {}
        self._keys: dict[int, tuple[int, int]] = {}  # by the trial's id
        self._trials: list[Trial] = []
        self._specs: Sequence[Mapping[str, Any]] = ()
        self._records: dict[tuple[int, int], tuple[TrialRecord, str]] = {}  # not kept in a file yet
        self._since = time.monotonic()  # what was trained later is kept nowhere
        self._all = self._done = 0  # trials

    def begin(self, specs: Sequence[Mapping[str, Any]]) -> None:
        """Train these cells from now on."""
        self._specs, self._names, self._records = specs, {}, {}
        self._all, self._done = sum(len(spec["seeds"]) for spec in specs), 0

    def expect(self, trials: Sequence[tuple[int, Trial]]) -> None:
        """Train these trials from now on, each with the place of its cell."""
        self._trials = [trial for _, trial in trials]  # so that no id comes again
        self._keys = {id(trial): (place, trial.seed) for place, trial in trials}

    def record(self, trial: Trial) -> tuple[TrialRecord, str] | None:
        """The record of a trial that is done, and the backend that it was trained on."""
        if not self._there or (file := self._named(trial) + RECORD) not in self._there:
            return None
        try:
            body = read_sealed(self.folder / file)
            _check_place(file, body)
            if not backend.fits(body["backend"], self.on):
                raise UserError(f"it is of {body['backend']}")
            found = TrialRecord(**body["record"]), str(body["backend"])
        except (UserError, KeyError, TypeError) as error:
            self._pass_over(file, error)
            return None
        self._done += 1
        return found

    def parts(self, trials: Sequence[Trial]) -> list[list[int]]:
        """The places of trials that can begin together: those at one step, those of one pack."""
        if not self._there:
            return [list(range(len(trials)))]
        names = {self._named(trial): i for i, trial in enumerate(trials)}
        parts = [
            [names.pop(name) for name in own]
            for own in self._whole_packs().values()
            if names.keys() >= set(own)
        ]
        by_step: dict[tuple[int, int], list[int]] = {}
        for name, i in names.items():
            state = self._state(name + STATE)
            at = (state["step"], state["evaluations"]) if state else (0, 0)
            by_step.setdefault(at, []).append(i)
        return parts + [by_step[at] for at in sorted(by_step, reverse=True)]

    def watch(self, trials: Sequence[Trial], arithmetic: str, whole: bool = False) -> Watch:
        """Looks after trials that train together.

        Args:
            trials: these.
            arithmetic: the backend that decides their bits.
            whole: whether it hangs on their places.
        """
        if not self._records:
            self._since = time.monotonic()
        return Watch(self, [self._keys[id(trial)] for trial in trials], arithmetic, whole)

    def done(self, trial: Trial, record: TrialRecord, arithmetic: str) -> None:
        """A trial is done, its cell may not be."""
        self._done += 1
        if record.status != "oom":  # which is soon found out again
            self._records[self._keys[id(trial)]] = record, arithmetic

    def written(self, place: int) -> None:
        """A cell is done, and its file is written."""
        own = [(place, seed) for seed in self._specs[place]["seeds"]]
        for key in own:
            self._records.pop(key, None)
        if self._there:
            self._remove([self.name(key) for key in own])

    @contextmanager
    def leaving(self) -> Iterator[None]:
        """Keep the records of what is done when the process leaves the block."""
        try:
            yield
        except leaving.Leaving as asked:
            with leaving.deferred():
                if self._records:
                    what = f"{counted(len(self._records), 'trial')} done, of cells that are not"
                    try:
                        self.save_records()
                        self.say(f"{asked}: kept {what}; run again to go on")
                    except UserError as error:
                        self.say_unwritten(what, error)
            raise

    @property
    def holds(self) -> bool:
        """Whether anything is there."""
        return bool(self._there)

    def saved(self) -> None:
        """All that was trained so far is kept."""
        _Now.unwritten = ""

    def tried(self) -> None:
        """All that was trained so far is kept, or cannot be."""
        self._since = time.monotonic()

    def say_unwritten(self, what: str, error: UserError, last: bool = False) -> None:
        """Say that something could not be kept: once, until it could be or fails otherwise.

        Args:
            what: is not kept.
            error: why.
            last: whether it is not tried again, and so said in any case.
        """
        cause = error.__cause__
        why = str(getattr(cause, "strerror", None) or cause or error)  # without the file's name
        if last or why != _Now.unwritten:
            self.say(f"no checkpoint of {what}: {error}")
        _Now.unwritten = why

    def stepped(self, trials: int, done: int, total: int) -> None:
        """Trials that train together have made so many steps of all that each is to make."""
        self._stepped(self._done * total + trials * done, self._all * total)

    def due(self) -> bool:
        """Whether so much was trained that it is to be kept."""
        return time.monotonic() - self._since >= self.every

    def save_records(self) -> None:
        """Keep the records of what is done."""
        for key, (record, arithmetic) in list(self._records.items()):
            name = self.name(key)
            body = {"record": asdict(record), "backend": arithmetic, "file": name + RECORD}
            write_sealed(self.folder / f"{name}{RECORD}", body)
            self._there.add(f"{name}{RECORD}")
            del self._records[key]
            self._remove([name], [STATE])

    def save(self, file: str, value: Mapping[str, Any]) -> None:
        """Keep a state: a mapping, of trials of a pack with their ``names``."""
        if file.startswith(PACK):
            self._whole_packs()[file] = value["names"]
        with replacing(self.folder / file) as to:
            write(to, {"format": FORMAT, "file": file, **value})
        self._there.add(file)

    def name(self, key: tuple[int, int]) -> str:
        """What a trial is kept by."""
        if key not in self._names:
            self._names[key] = self._name(*key)
        return self._names[key]

    def kept(self, names: Sequence[str], whole: bool) -> list[dict[str, Any]] | None:
        """What is kept of trials that begin together; None where they begin anew."""
        found = [self._state(file) for file in self.files(names, whole)]
        return None if None in found else [one for one in found if one]

    def files(self, names: Sequence[str], whole: bool) -> list[str]:
        """The files of trials: one for all that stay together, else one for each."""
        if whole:
            return [f"{PACK}{sha256(list(names))[:NAME]}{STATE}"]
        return [name + STATE for name in names]

    def _named(self, trial: Trial) -> str:
        return self.name(self._keys[id(trial)])

    def _state(self, file: str) -> dict[str, Any] | None:
        if file not in self._there:
            return None
        try:
            made = read(self.folder / file)
            if made["format"] != FORMAT:
                raise UserError(f"it has format {made['format']!r}, and is to have {FORMAT}")
            _check_place(file, made)
            return dict(made)
        except (UserError, OSError, KeyError, TypeError, ValueError) as error:
            self._pass_over(file, error)
            return None

    def _pass_over(self, file: str, error: Exception) -> None:
        if isinstance(error, DamagedFileError):
            reason = f"it {error.why}"
        elif isinstance(error, OSError) and error.strerror:
            reason = f"it cannot be read: {error.strerror}"
        else:
            reason = str(error) if isinstance(error, UserError) else "it is not a whole file"
        self.say(f"{self.folder / file} is passed over, its trials begin anew: {reason}")
        self._there.discard(file)

    def _whole_packs(self) -> dict[str, list[str]]:
        if self._packs is None:
            files = sorted(file for file in self._there if file.startswith(PACK))
            states = {file: self._state(file) for file in files}
            self._packs = {file: made["names"] for file, made in states.items() if made}
        return self._packs

    def _remove(self, names: Sequence[str], kinds: Sequence[str] = (STATE, RECORD)) -> None:
        """Remove the files of trials, and packs of which all are done."""
        gone = {name + kind for name in names for kind in kinds} & self._there
        for file, own in list((self._packs or {}).items()):
            left = [name for name in own if name not in names]
            self._packs[file] = left  # type: ignore[index]
            if not left:
                gone.add(file)
        for file in gone:
            self._there.discard(file)
            with suppress(OSError):
                (self.folder / file).unlink(missing_ok=True)


def _check_place(file: str, content: Mapping[str, Any]) -> None:
    """Refuse what was written for another file: a name says which trial it is.

    Raises:
        UserError: it was.
    """
    if content["file"] != file:
        raise UserError(f"it holds the trials of {content['file']}")
