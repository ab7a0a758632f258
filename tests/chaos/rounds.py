"""A round: faults at random times in a run, then a quiet run, whose end is compared."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from chaos.faults import AMID, AT_REST, MOUNTED, OLDER, PLUGIN, SOUND, Scene, all_said
from kit.project import TABLES, Project, scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

STUDY = {
    "budget": {"epochs": 1},
    "batch_size": [64, 256],
    "confirm": {"cells": 1, "seeds": 2},
    "plugins": [PLUGIN],
}
HANG = 300.0  # seconds that no run takes, unless the machine is so busy that
TIMES = 6  # so many undisturbed runs take longer
LEFT = 60.0  # seconds that processes may go on after the run that started them
CELLS = "results/c*/*/*/*.json"  # of the grid, and on fresh seeds
TRACEBACK = "Traceback (most recent call last)"
FOLLOWS = "\n\nDuring handling of the above exception, another exception occurred:\n\n"
ONE = rf"{re.escape(TRACEBACK)}(?:(?!{re.escape(TRACEBACK)}|src/trainscape/).)*?"
# Python's own words for a Ctrl-C while it starts or Snakemake's modules load: none of our lines
# has run that could hear it. An error that it came upon may stand before it.
INTERRUPTED = re.compile(rf"(?:{ONE}{FOLLOWS})*{ONE}\nKeyboardInterrupt", re.DOTALL)


@dataclass
class Result:
    """What became of a round.

    Args:
        number: of the round.
        faults: that happened, by name; a run may end before a fault comes.
        lost: finished cells that are gone, or were trained again.
        wrong: files of the quiet run's end that are missing or have other bytes.
        hangs: runs, or processes that they had started, that did not end.
        tracebacks: outputs and logs with one.
        failed: what the quiet run said, if it did not succeed.
        unlocked: whether a lock had to be removed first.
        trained: cells that the quiet run has trained.
        seconds: that the round took.
    """

    number: int
    faults: list[str]
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    hangs: int = 0
    tracebacks: list[str] = field(default_factory=list)
    failed: str = ""
    unlocked: bool = False
    trained: int = 0
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether the study survived."""
        return not (self.lost or self.wrong or self.hangs or self.tracebacks or self.failed)


class Drill:
    """A small study that has come to its end once, undisturbed.

    Args:
        folder: an empty folder, for the project and its copies.
        seed: of all chance.
        small: whether to do with less, for a test: no finalists and claims, one core, and no
            older results in git.
    """

    def __init__(self, folder: Path, seed: int, *, small: bool = False) -> None:
        self.folder, self.seed = folder, seed
        self.stages = ["train", "collect", *([] if small else ["answer"])]
        self.cores = 1 if small else 2
        self.cache = folder / "cache"
        self.whole = scratch(folder / "whole", folder)
        (self.whole / PLUGIN).write_text(SOUND)
        self.whole.change(**STUDY, lr=[0.01])
        self.known = {**AT_REST, **AMID, **(MOUNTED if can_mount() else {})}
        if small:
            self.whole.change(confirm=False)
            del self.known[OLDER]
        else:
            self.whole.run(*self._command())
            self.whole.git("add", "--force", "--", *self._kept_by_git())
            self.whole.git("commit", "--quiet", "--message", "Older results")
            self.whole.git("tag", "older")
        self.whole.change(lr=[0.01, 0.1])
        begun = time.monotonic()
        self.command = self._command()
        self.whole.run(*self.command)
        self.usual = time.monotonic() - begun
        self.end = self._products(self.whole)

    def chosen(self, number: int, most: int, only: Sequence[str] | None = None) -> list[str]:
        """Some faults by name, at random: the first amid the run, the others of any kind.

        Args:
            number: of the round: with the seed it decides all chance.
            most: how many.
            only: what to choose from; by default all that this machine can have.
        """
        rng = random.Random(f"{self.seed} {number}")
        choice = [name for name in self.known if only is None or name in only]
        first = [rng.choice([name for name in choice if name not in AT_REST] or choice)]
        rest = [name for name in choice if name not in first]
        return first + rng.sample(rest, min(len(rest), rng.randint(0, most - 1)))

    def round(self, number: int, names: Sequence[str]) -> Result:
        """Inject faults, run the study to its end, and compare.

        Args:
            number: of the round: with the seed it decides when and where.
            names: the faults.
        """
        rng, known = random.Random(f"{self.seed} {number} faults"), self.known
        result, begun = Result(number, list(names)), time.monotonic()
        with self._copy(number, mounted=any(name in MOUNTED for name in names)) as project:
            scene = Scene(project, rng, self.cache, self.command, self._patience)
            self._unmake(scene)
            ends = [end for name in names if name in AT_REST and (end := known[name](scene))]
            before = self._finished(project) - scene.harmed
            amid = {name: known[name] for name in names if name not in AT_REST}
            said = self._disturbed(scene, amid, ends, result)
            for end in reversed(ends):
                end()
            self._forget_lack_of_memory(project)
            now = self._finished(project)
            result.lost += sorted(str(path) for path in before - now)
            self._note_tracebacks(project, [*said, *scene.said], result)
            self._quietly(project, now, result)
        result.seconds = time.monotonic() - begun
        return result

    def _disturbed(
        self,
        scene: Scene,
        amid: dict[str, Callable[[Scene], Callable[[], object] | None]],
        ends: list[Callable[[], object]],
        result: Result,
    ) -> list[str]:
        """A run that faults happen to; what it said. What ends them is added to ``ends``."""
        scene.running = running = scene.project.start(*scene.command)
        there = len(scene.files(CELLS))
        moments = sorted(self._moment(scene, there) for _ in amid)
        for (cells, later), (name, fault) in zip(moments, amid.items(), strict=True):
            while running.poll() is None and len(scene.files(CELLS)) < cells:
                time.sleep(0.02)
            try:
                running.wait(later)
            except subprocess.TimeoutExpired:
                if end := fault(scene):
                    ends.append(end)
            else:  # it has ended before
                result.faults.remove(name)
        said, hangs = all_said(running, self._patience)
        scene.running = None
        result.hangs += hangs + scene.hangs + _end_all(scene.project.root, max(LEFT, self.usual))
        return [said]

    def _moment(self, scene: Scene, there: int) -> tuple[int, float]:
        """When a fault comes: how many cells are there by then, and how many seconds later.

        Args:
            scene: what it happens to.
            there: the cells that are there from the start.
        """
        every = sum(map(_is_cell, self.end))
        cells = scene.rng.randint(there, every)
        edge = cells in (there, every)  # before the training, or after it
        return cells, scene.rng.uniform(0, self.usual * (0.3 if edge else 0.03))

    def _quietly(self, project: Project, finished: set[Path], result: Result) -> None:
        """A run that nothing disturbs, and what it comes to."""
        shutil.rmtree(project / "logs", ignore_errors=True)
        code, said = self._run(project, result)
        if code and "--unlock" in said:
            result.unlocked = True
            project.call("snakemake", "--unlock")
            code, said = self._run(project, result)
        if code:
            result.failed = said
        self._note_tracebacks(project, [said], result)
        trained = self._trained(project)
        result.trained = len(trained)
        result.lost += sorted(str(path) for path in trained & finished)
        made = self._products(project)
        files = self.end.keys() | made.keys()
        result.wrong += sorted(file for file in files if made.get(file) != self.end.get(file))

    def _run(self, project: Project, result: Result) -> tuple[int, str]:
        """Run the study to its end: the exit status, and what was said."""
        running = project.start(*self.command)
        said, hangs = all_said(running, self._patience)
        if hangs:
            result.hangs += 1 + _end_all(project.root, 0)
        return running.returncode, said

    @property
    def _patience(self) -> float:
        """Seconds after which a run hangs."""
        return max(HANG, TIMES * self.usual)

    def _command(self) -> tuple[str, ...]:
        """A run that makes the cells, tables and claims of the study as it is."""
        here = ("env", "PYTHONPATH=src", "python", "-m", "trainscape", "targets")
        targets = self.whole.call(*here, *self.stages).stdout.split()
        cache = f"TRAINSCAPE_CACHE={self.cache}"
        return ("env", cache, "snakemake", "--cores", str(self.cores), *targets)

    def _kept_by_git(self) -> list[str]:
        names = [f"results/{name}" for name in TABLES]
        return ["params.yaml", PLUGIN, *(name for name in names if (self.whole / name).exists())]

    @contextmanager
    def _copy(self, number: int, *, mounted: bool) -> Iterator[Project]:
        """A copy of the project, on a small disk of its own if it is to be mounted."""
        root = self.folder / f"round-{number}"
        if mounted:
            size = sum(path.lstat().st_size for path in self.whole.root.rglob("*"))
            root.mkdir()
            room = f"size={2 * size + 16 * 2**20}"
            subprocess.run(["mount", "-t", "tmpfs", "-o", room, "tmpfs", str(root)], check=True)
        try:
            shutil.copytree(self.whole.root, root, symlinks=True, dirs_exist_ok=True)
            yield Project(root, self.folder)
        finally:
            if mounted:
                subprocess.run(["umount", "--lazy", str(root)], check=True)
            shutil.rmtree(root, ignore_errors=True)

    def _unmake(self, scene: Scene) -> None:
        """Take away some of the cells, so that there is something to do, and often the tables."""
        cells = scene.files(CELLS)
        for path in scene.rng.sample(cells, scene.rng.randint(1, len(cells))):
            path.unlink()
        if scene.rng.random() < 1 / 2:
            shutil.rmtree(scene.project / "results/.made")

    def _finished(self, project: Project) -> set[Path]:
        """The cells that are there with the right bytes, in the attic too."""
        attic = project / "results/.attic"
        found = set()
        for name, content in self.end.items():
            kept = attic / f"{Path(name).stem.split('-')[-1]}.json"
            places = (project / name, kept) if _is_cell(name) else ()
            if any(place.exists() and place.read_bytes() == content for place in places):
                found.add(project / name)
        return found

    def _products(self, project: Project) -> dict[str, bytes]:
        """All that the study comes to: cells, tables, claims and their stamps."""
        stamps = (project / "results/.made").glob("*/*")
        return {
            **project.results(),
            **{str(path.relative_to(project.root)): path.read_bytes() for path in stamps},
        }

    def _trained(self, project: Project) -> set[Path]:
        """The cells that the last run has trained, by their logs."""
        logs = project / "logs/tiny/train"
        return {
            project.root / "results" / log.relative_to(logs).with_suffix(".json")
            for log in logs.rglob("*.log")
            if "training" in log.read_text(errors="replace")
        }

    def _forget_lack_of_memory(self, project: Project) -> None:
        """Remove the cells that say that memory ran out, as their user does who has found more."""
        for path in project.root.glob(CELLS):
            if '"oom"' in path.read_text(errors="replace"):
                path.unlink()

    def _note_tracebacks(self, project: Project, said: list[str], result: Result) -> None:
        logs = [path.read_text(errors="replace") for path in (project / "logs").rglob("*.log")]
        result.tracebacks += [text for text in (*said, *logs) if has_traceback(text)]


def has_traceback(said: str) -> bool:
    """Whether what was said holds one that our own code could have prevented."""
    return TRACEBACK in INTERRUPTED.sub("", said)


def can_mount() -> bool:
    """Whether this user may mount a file system, for what needs a disk of its own."""
    return os.geteuid() == 0 and bool(shutil.which("mount")) and _mounts()


def _mounts() -> bool:
    place = Path(tempfile.mkdtemp(prefix="chaos-"))
    try:
        words = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
        done = subprocess.run(words, check=False, capture_output=True)
        if done.returncode == 0:
            subprocess.run(["umount", str(place)], check=False)
        return done.returncode == 0
    finally:
        place.rmdir()


def _is_cell(name: str) -> bool:
    return name.startswith(("results/cells/", "results/confirm/"))


def _end_all(root: Path, patience: float) -> int:
    """Wait some seconds for the processes that work in a folder; how many had to be killed."""
    limit = time.monotonic() + patience
    while (left := _working_in(root)) and time.monotonic() < limit:
        time.sleep(0.2)
    for process in left:
        with suppress(psutil.Error):
            process.kill()
    return len(left)


def _working_in(root: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if Path(process.cwd()).is_relative_to(root) and process.status() != "zombie":
                found.append(process)
    return found
