"""A file that was found right is not read again while it stays as it is, and only then."""

from __future__ import annotations

import mmap
import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from trainscape.results import seen as module
from trainscape.results.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Where it is kept what was found, in a folder that is not there yet."""
    return tmp_path / "own/files.json"


@pytest.fixture
def just_changed(monkeypatch: pytest.MonkeyPatch, file: Path) -> Path:
    """The file, changed within the seconds in which another change would not show."""
    monkeypatch.setattr(module, "SETTLED", 2.0)
    return file


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file, taken for one that was changed long ago."""
    monkeypatch.setattr(module, "SETTLED", -1e9)
    path = tmp_path / "table.csv"
    path.write_text("one")
    return path


def read(store: Path, path: Path, claim: str = "one") -> list[Path]:
    """What a look at a file reads, in a process of its own."""
    found: list[Path] = []
    seen = Seen(store)
    seen.check(path, claim, found.append)
    seen.save()
    return found


def test_a_file_is_read_once(file: Path, tmp_path: Path) -> None:
    """Until it is to be something else, it is changed in any way, or the store is damaged."""
    (tmp_path / "kept").mkdir()
    store = tmp_path / "kept/own/files.json"
    assert read(store, file) == [file]
    assert read(store, file) == []
    assert read(store, file, "two") == [file]
    assert read(store, file, "two") == []
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    file.write_text("two")
    os.utime(file, ns=times)  # size and time are as they were
    assert read(store, file, "two") == [file]
    store.write_text("[")
    assert read(store, file, "two") == [file]


def same_dates(path: Path, other: os.stat_result) -> None:
    """Give a file the dates that it had, as a copy with its dates or `touch -d` does."""
    os.utime(path, ns=(other.st_atime_ns, other.st_mtime_ns))


def _overwritten(file: Path) -> None:
    file.write_text("bad")


def _through_a_hard_link(file: Path) -> None:
    link = file.with_name("link")
    os.link(file, link)
    link.write_text("bad")
    link.unlink()


def _through_a_map_of_its_memory(file: Path) -> None:
    with file.open("r+b") as content, mmap.mmap(content.fileno(), 0) as mapped:
        mapped[:] = b"bad"
        mapped.flush()


def _replaced(file: Path) -> None:
    new = file.with_name("new")
    new.write_text("bad")
    new.replace(file)


def _made_again_in_its_place(file: Path) -> None:
    file.unlink()
    file.write_text("bad")  # most file systems give the place of a removed file out again


def _behind_a_link(file: Path) -> None:
    other = file.with_name("other")
    other.write_text("bad")
    file.unlink()
    file.symlink_to(other)


@pytest.mark.parametrize(
    "change",
    [
        _overwritten,
        _through_a_hard_link,
        _through_a_map_of_its_memory,
        _replaced,
        _made_again_in_its_place,
        _behind_a_link,
    ],
)
def test_a_change_that_leaves_size_and_date_is_seen(
    file: Path, store: Path, change: Callable[[Path], None]
) -> None:
    """However it came about: the time of the last change of all is the system's alone."""
    before = file.stat()
    assert read(store, file) == [file]
    assert read(store, file) == []
    change(file)
    same_dates(file, before)
    after = file.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert read(store, file) == [file]


def test_a_clock_that_goes_back_is_no_way_round(
    just_changed: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies in the clock's future is read at each look, until the clock has passed it."""
    changed = just_changed.stat().st_ctime
    for now, is_read in ((-3600, True), (1, True), (3, True), (3, False), (-9, True)):
        monkeypatch.setattr(time, "time", lambda now=now: changed + now)
        assert read(store, just_changed) == [just_changed] * is_read


def test_a_store_of_other_files_is_no_help(file: Path, store: Path, tmp_path: Path) -> None:
    """A project copied with its store, dates and all, is read again: its files are others."""
    assert read(store, file) == [file]
    copy = tmp_path / "copy.csv"
    shutil.copy2(file, copy)
    store.write_text(store.read_text().replace(str(file), str(copy)))
    assert read(store, copy) == [copy]


def test_what_was_just_changed_is_read_again(just_changed: Path, store: Path) -> None:
    """Within a tick of the disk's clock a second change would not show."""
    for _ in range(2):
        assert read(store, just_changed) == [just_changed]


def test_what_is_wrong_is_never_taken_for_right(file: Path, store: Path) -> None:
    """A reader's error goes on, and is raised again at the next look."""

    def refuse(path: Path) -> None:
        raise ValueError(path)

    for _ in range(2):
        seen = Seen(store)
        with pytest.raises(ValueError, match="table"):
            seen.check(file, "one", refuse)
        seen.save()
