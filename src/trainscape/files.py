"""Files that are there whole or not at all: written beside their place, then renamed.

Until then a file has a temporary name that says which process writes it. So what a killed process
has left can be told from what another process is writing now, and only the former is removed.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import stat
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from trainscape import alive
from trainscape.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TEMPORARY = re.compile(
    r"\..+\.(?P<machine>[0-9a-f]{8})-(?P<process>\d{1,9})-(?P<start>\w+)-\d+\.tmp"
)
CALLS = itertools.count()  # two threads may write the same file
SHOWN = 50  # characters of a file's name in its temporary name: file systems allow 255 bytes
DAY = 24 * 3600.0  # seconds
TRIES = 50  # to open a file in a new folder, which a sweep may remove while it is empty


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file open for writing that takes the place of ``path`` once all of it is written.

    Raises:
        UserError: the folder or file cannot be written (rights, full disk).
    """
    half = temporary(path)
    try:
        with _created(half) as file:
            yield file
        half.replace(path)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            half.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` at once or not at all."""
    with replacing(path) as file:
        file.write(text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write strict JSON (no NaN), indented and sorted so that git shows readable differences."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n")


def copy(source: Path, path: Path) -> None:
    """Copy a file to ``path`` at once or not at all."""
    with source.open("rb") as content, replacing(path) as file:
        shutil.copyfileobj(content, file)


def make_own(path: Path) -> None:
    """Put a copy in the place of a file that cannot be written to.

    DVC links files to its cache and protects them there: the cache's own copy stays as it is.
    """
    if path.exists() and not os.access(path, os.W_OK):
        copy(path, path)


def kind(path: str | Path) -> str:
    """``file`` or ``folder``; nothing where neither is there, or none can be called so."""
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):  # also too long a name, or one with a NUL in it
        return ""
    return "folder" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) else ""


def recalled(store: Path) -> Any:
    """What :func:`remember` kept; None where there is nothing, or nothing that can be read."""
    try:
        return json.loads(store.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def remember(store: Path, value: Any) -> None:
    """Keep JSON that is a help and no more: only if there is a place for it.

    Args:
        store: the file; the parent of its folder must be there.
        value: what is kept.
    """
    if store.parent.parent.is_dir():
        remove_left_behind(store.parent.glob(".*.tmp"))
        with suppress(UserError):  # a folder that cannot be written to
            write_text(store, json.dumps(value))


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """An empty folder below ``parent`` that is removed when the block is left.

    Such folders of killed processes are removed first.
    """
    remove_left_behind(parent.glob(".*.tmp"))
    folder = temporary(parent / "scratch")
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(folder: Path, pattern: str | None = None, keep: Iterable[Path] = ()) -> None:
    """Remove what killed processes left half written below ``folder``, and empty folders.

    Other processes may write and sweep there at the same time: what they write stays.

    Args:
        folder: swept with all its subfolders, and kept itself.
        pattern: finished files whose names match it are removed as well.
        keep: but for these.
    """
    kept = set(keep)
    for parent, _, names in os.walk(folder, topdown=False):
        files = [Path(parent, name) for name in names]
        remove_left_behind(files)
        for path in files:
            finished = not TEMPORARY.fullmatch(path.name)
            if pattern and finished and path.match(pattern) and path not in kept:
                path.unlink(missing_ok=True)
        if Path(parent) != folder:
            with suppress(OSError):  # it is not empty, or another process has removed it
                Path(parent).rmdir()


def remove_left_behind(paths: Iterable[Path]) -> None:
    """Remove the files and folders among ``paths`` that killed processes have left."""
    for path in filter(left_behind, paths):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def temporary(path: Path) -> Path:
    """A name beside ``path`` for this process alone, another one at every call."""
    process = os.getpid()
    owner = f"{alive.machine()}-{process}-{alive.started(process)}-{next(CALLS)}"
    return path.with_name(f".{path.name[:SHOWN]}.{owner}.tmp")


def left_behind(path: Path) -> bool:
    """Whether ``path`` has a name of :func:`temporary` and its process has ended.

    Processes of another machine cannot be seen from here: what they write counts as left behind
    when it has not changed for a day.
    """
    owner = TEMPORARY.fullmatch(path.name)
    if owner is None:
        return False
    if owner["machine"] == alive.machine():
        return not alive.runs(int(owner["process"]), owner["start"])
    try:
        return time.time() - path.stat().st_mtime > DAY
    except OSError:  # its process has just renamed it
        return False


def _created(path: Path) -> BinaryIO:
    """A new file, opened for writing, its folder made if need be."""
    tries = TRIES
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return path.open("xb")
        except (FileNotFoundError, FileExistsError):
            tries -= 1
            if not tries:
                raise
