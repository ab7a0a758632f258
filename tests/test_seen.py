"""A file that was found right is not read again while it stays as it is, and only then."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from trainscape.results import seen as module
from trainscape.results.seen import Seen

if TYPE_CHECKING:
    from pathlib import Path


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


def test_what_was_just_changed_is_read_again(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a tick of the disk's clock a second change would not show."""
    monkeypatch.setattr(module, "SETTLED", 2.0)
    store = tmp_path / "own/files.json"
    assert read(store, file) == [file]
    assert read(store, file) == [file]


def test_what_is_wrong_is_never_taken_for_right(file: Path, tmp_path: Path) -> None:
    """A reader's error goes on, and is raised again at the next look."""
    store = tmp_path / "own/files.json"

    def refuse(path: Path) -> None:
        raise ValueError(path)

    for _ in range(2):
        seen = Seen(store)
        with pytest.raises(ValueError, match="table"):
            seen.check(file, "one", refuse)
        seen.save()
