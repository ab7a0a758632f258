"""Locks of runs that were killed go, others stay, and a line says who holds them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from trainscape import alive
from trainscape.files import write_json
from trainscape.pipeline import runs

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = Path("data")


def layout(output: str = "results") -> Any:
    """A study as far as a run's note says of it."""
    return SimpleNamespace(study=SimpleNamespace(name=f"of {output}"), output=Path(output))


@pytest.fixture
def running() -> Iterator[int]:
    """The number of another process that runs."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process.pid
    process.kill()
    process.wait()


@pytest.fixture(autouse=True)
def _in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runs.LOCKS.mkdir(parents=True)


def note(output: str, process: int | None = None, **other: str) -> runs.Note:
    """The note that a run on a study left: of a process that has ended, if none is given."""
    if process is None:
        ended = subprocess.Popen(["true"])
        ended.wait()
        process = ended.pid
    own = runs.Note.own(layout(output))
    left = replace(own, process=process, start=alive.started(process), **other)
    write_json(left.path, asdict(left))
    return left


def lock(name: str, *files: str) -> Path:
    """A lock of Snakemake's."""
    path = runs.LOCKS / f"{name}.lock"
    path.write_text("".join(f"{file}\n" for file in files))
    return path


def test_the_locks_of_a_killed_run_are_removed(capsys: pytest.CaptureFixture[str]) -> None:
    """With its note, and a line says so; this run's own note stays while it runs."""
    ended = note("results")
    locks = [lock("0.input", "data/a.npz"), lock("0.output", "results/cells/a.json")]
    runs.begin(layout())
    assert not any(path.exists() for path in locks)
    said = capsys.readouterr().err
    assert said == f"trainscape: removed the lock of {ended}: it was killed\n"
    assert str(ended).startswith(f"process {ended.process} (study 'of results', since 20")
    assert [path.name for path in runs.NOTES.glob("*.json")] == [runs.Note.own(layout()).path.name]


def test_the_locks_of_other_runs_stay(running: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that goes on, one on another machine, and one that left no note keep their locks."""
    note("results-dead")
    note("results-live", running)
    note("results-far", machine="00000000", host="node7")
    dead = lock("0.output", "results-dead/a.json", "data/a.npz")
    stay = [
        lock("1.output", "results-live/a.json"),
        lock("2.output", "results-far/a.json"),
        lock("3.output", "results-else/a.json"),
        lock("4.input", "data/a.npz"),  # anybody's
    ]
    runs.begin(layout())
    assert not dead.exists()
    assert all(path.exists() for path in stay)
    assert capsys.readouterr().err.count("\n") == 1


def test_without_a_note_no_lock_is_removed(capsys: pytest.CaptureFixture[str]) -> None:
    """An older version's, or a workflow's that is not ours; nor one where notes cannot be read."""
    kept = lock("0.output", "results/a.json")
    runs.NOTES.mkdir(parents=True)
    (runs.NOTES / "broken.json").write_text("{")
    (runs.NOTES / "other.json").write_text('{"process": 1}')
    runs.begin(layout())
    assert kept.exists()
    assert capsys.readouterr().err == ""


def test_a_note_goes_when_its_run_ends() -> None:
    """It is left by a process that is killed alone."""
    code = (
        "import os, signal, sys; from pathlib import Path; from types import SimpleNamespace\n"
        "from trainscape.pipeline import runs\n"
        "runs.begin(SimpleNamespace(study=SimpleNamespace(name='a'), output=Path('results')))\n"
        "assert list(runs.NOTES.glob('*.json'))\n"
        "os.kill(os.getpid(), signal.SIGKILL) if sys.argv[1:] else None"
    )
    source = str(Path(runs.__file__).parents[2])
    for words, left in (((), 0), (("killed",), 1)):
        subprocess.run(
            [sys.executable, "-c", code, *words], env={"PYTHONPATH": source}, check=False
        )
        assert len(list(runs.NOTES.glob("*.json"))) == left


def test_the_line_names_the_holder_and_what_to_do(running: int) -> None:
    """For a run here, one that makes data, one elsewhere, and one that nobody knows."""
    cells = lock("0.output", "results/cells/a.json", "data/a.npz")
    nobody = runs.in_the_way(["data/a.npz"], ["results/cells/a.json"], DATA)
    assert nobody == (
        "results/cells/a.json is locked, and no run that is known holds it: if no other snakemake "
        "is at work in this project, run 'snakemake --unlock', then the same command again"
    )
    who = note("results", running)
    same = runs.in_the_way(["data/a.npz"], ["results/cells/a.json"], DATA)
    assert (
        same == f"results/cells/a.json is held by {who}: wait until it ends, or stop it by Ctrl-C"
    )
    other = runs.in_the_way(["data/a.npz"], ["results-b/cells/a.json"], DATA)
    assert other.startswith(f"data/a.npz is held by {who}: wait until it is made.")
    assert "'trainscape data'" in other
    cells.unlink()
    lock("1.output", "results-far/a.json")
    far = note("results-far", machine="00000000", host="node7")
    assert f"{far.process} on node7 (study 'of results-far'" in str(far)
    there = runs.in_the_way([], ["results-far/a.json"], DATA)
    assert there.startswith(f"results-far/a.json is held by {far}; it cannot be seen from here")
    assert there.endswith("run 'snakemake --unlock', then the same command again")


def test_what_both_only_read_holds_nobody_up(running: int) -> None:
    """Two studies read one dataset."""
    note("results", running)
    lock("0.input", "data/a.npz", "results/a")
    lock("0.output", "results/b")
    said = runs.in_the_way(["data/a.npz", "results/b"], ["results-b/c"], DATA)
    assert said.startswith("results/b is held by")
