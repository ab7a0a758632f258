"""Files are there whole or not at all, and no process removes what another one is writing."""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from pathlib import Path

import pytest

from kit.killed import OPEN, half_written, line, program
from trainscape import alive
from trainscape.files import (
    left_behind,
    replacing,
    scratch_folder,
    sweep,
    temporary,
    write_json,
    write_text,
)

SWEEP = """
import sys
from pathlib import Path
from trainscape.files import sweep
print("sweeping", flush=True)
while True:
    sweep(Path(sys.argv[1]), "*.svg")
"""


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    """An exception in the middle of a write leaves the old content and no temporary file."""
    path = tmp_path / "report.html"
    write_text(path, "old")

    def interrupted() -> None:
        with replacing(path) as file:
            file.write(b"ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_replaces_the_file_at_once(tmp_path: Path) -> None:
    """Until a write has ended, readers meet the old content; then the new, and nothing else."""
    path = tmp_path / "made" / "on the way" / f"{'long' * 60}.txt"
    write_text(path, "old")
    with replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert Path(file.name).parent == path.parent
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_json_is_strict_sorted_and_indented(tmp_path: Path) -> None:
    """Metrics are written so that a change of one value is a change of one line."""
    write_json(tmp_path / "m.json", {"b": 1, "a": [None, 0.1]})
    text = (tmp_path / "m.json").read_text()
    assert text == '{\n "a": [\n  null,\n  0.1\n ],\n "b": 1\n}\n'


def test_json_that_is_not_strict_is_never_written(tmp_path: Path) -> None:
    """NaN and infinity are an error where they are written, and leave no file."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "metrics.json", {"a": float("inf")})
    assert list(tmp_path.iterdir()) == []


def test_threads_may_write_the_same_file(tmp_path: Path) -> None:
    """Two threads that write one file at the same time both succeed, and one of them comes last."""
    path = tmp_path / "a.txt"
    texts = [letter * 100_000 for letter in "ab"]
    problems: list[BaseException] = []

    def write(text: str) -> None:
        try:
            for _ in range(100):
                write_text(path, text)
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=write, args=[text]) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert path.read_text() in texts
    assert list(tmp_path.iterdir()) == [path]


def test_a_sweep_disturbs_no_process_that_writes(tmp_path: Path) -> None:
    """One process writes files and removes some while another sweeps: both go on without error.

    Of 4,000 such writes 26 failed, and the sweep 42 times, when every temporary file was removed.
    """
    sweeper = program(SWEEP, tmp_path)
    assert line(sweeper) == "sweeping"
    path = tmp_path / "folder" / "kept.csv"
    end = time.monotonic() + 2
    while time.monotonic() < end:
        write_text(path.with_suffix(".svg"), "swept")
        write_text(path, "text" * 100)
        path.unlink()  # so that the folder is empty now and then
    assert sweeper.poll() is None, sweeper.communicate()[1]
    sweeper.kill()
    sweeper.communicate()


def test_a_sweep_keeps_what_it_is_told_and_what_it_does_not_know(tmp_path: Path) -> None:
    """Of a folder of figures, pictures that are no product go; other files and folders stay."""
    for name in ("a/old.svg", "a/new.svg", "b/old.svg", "c/drawing.png", "c/.mine.tmp"):
        write_text(tmp_path / name, "")
    sweep(tmp_path, "*.svg", keep=[tmp_path / "a/new.svg"])
    left = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*"))
    assert left == ["a", "a/new.svg", "c", "c/.mine.tmp", "c/drawing.png"]


def test_a_sweep_removes_what_a_killed_process_left(tmp_path: Path) -> None:
    """A half-written file goes once its process is killed, with its folder, and not before."""
    process = program(OPEN, tmp_path / "folder" / "a.csv")
    half = Path(line(process))
    sweep(tmp_path, "*")
    assert half.exists()
    process.kill()
    process.communicate()
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_file_is_left_behind_when_its_process_has_ended(tmp_path: Path) -> None:
    """A killed process counts as ended even as a zombie; a number given out again is no proof."""
    process = program(OPEN, tmp_path / "a.csv")
    half = Path(line(process))
    process.kill()
    until = time.monotonic() + 10
    while not left_behind(half) and time.monotonic() < until:  # the signal is on its way
        time.sleep(0.01)
    assert left_behind(half)
    process.communicate()
    assert left_behind(half)
    own = temporary(tmp_path / "a.csv")
    assert not left_behind(own)
    assert left_behind(own.with_name(re.sub(r"-\w{8}-(\d+)\.tmp$", r"-01234567-\1.tmp", own.name)))


def test_where_processes_have_no_start_a_running_one_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without /proc a temporary file stays as long as a process of its owner's number runs."""
    ours = temporary(tmp_path / "a.csv")
    monkeypatch.setattr(alive, "PROC", tmp_path)
    own = temporary(tmp_path / "a.csv")
    assert not left_behind(own)
    assert not left_behind(ours)
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert left_behind(own.with_name(own.name.replace(f"-{os.getpid()}-", f"-{ended.pid}-")))


def test_another_machine_s_file_is_left_behind_after_a_day(tmp_path: Path) -> None:
    """Its processes cannot be seen from here, so its files stay until they are old."""
    own = temporary(tmp_path / "a.csv")
    other = own.with_name(re.sub(r"[0-9a-f]{8}-", "00000000-", own.name, count=1))
    assert other != own
    assert not left_behind(other), "it is not even there"
    other.touch()
    assert not left_behind(other)
    yesterday = time.time() - 25 * 3600
    os.utime(other, (yesterday, yesterday))
    assert left_behind(other)


@pytest.mark.parametrize("name", [".a.csv.17.tmp", "a.csv", ".a.tmp", ".tmp"])
def test_a_file_of_another_name_is_never_left_behind(tmp_path: Path, name: str) -> None:
    """What does not say whose it is belongs to nobody that we know, however old it is."""
    path = tmp_path / name
    path.touch()
    os.utime(path, (0, 0))
    assert not left_behind(path)


def test_a_scratch_folder_lasts_as_long_as_its_block(tmp_path: Path) -> None:
    """It starts empty, goes with all that is in it, and takes along what killed processes left."""
    left = half_written(tmp_path / "a.csv")
    with scratch_folder(tmp_path) as folder, scratch_folder(tmp_path) as other:
        assert not left.exists()
        (folder / "deep").mkdir()
        write_text(folder / "deep" / "a.csv", "text")
        assert list(other.iterdir()) == []
    assert list(tmp_path.iterdir()) == []
