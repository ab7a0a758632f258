"""The folder of compiled libraries: how they are kept, found again, loaded and removed.

A library is loaded only where it still has the checksum that was kept with it. Processes that need
the same one wait for the first of them. What a library's name stands for, and how one is made, is
no matter here: see `compiler.py` and `building.py`.

Whoever may write to the folder decides what this process runs: it belongs below the user's home, or
below a group's that trust each other.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import contextmanager, suppress
from ctypes import CDLL
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from trainscape.compiled.processes import LIMIT, CompileError, one_line
from trainscape.hashing import file_sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Result = TypeVar("Result")

CACHE = "TRAINSCAPE_CACHE"  # the folder that holds ours

PATIENCE = LIMIT  # seconds to wait for another process that compiles the same
POLL = 0.02  # seconds between two looks whether it has
HOUR, DAY = 3600.0, 24 * 3600.0  # seconds
MOST_FILES, MOST_BYTES = 2000, 10**9  # libraries that are kept
LEFT = 0.9  # of them, once the oldest are removed


def cache_folder() -> Path:
    """Where compiled libraries are kept; it need not be there."""
    asked = os.environ.get(CACHE)
    if asked:
        return Path(os.path.expanduser(asked)).absolute() / "compiled"  # noqa: PTH111  # never raises
    shared = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not shared.is_absolute():  # its specification has others ignored
        shared = Path(os.path.expanduser("~"), ".cache").absolute()  # noqa: PTH111  # never raises
    return shared / "trainscape" / "compiled"


def found_or_made(
    path: Path, look: Callable[[Path], Result | None], make: Callable[[], Result]
) -> Result:
    """What is kept in a file, or is made now; of processes that need it at once, one makes it.

    Args:
        path: the file. Its name starts with hexadecimal digits that no other has.
        look: reads it; what it gives is false where there is nothing of use.
        make: makes it and keeps it there, if it can.
    """
    found = look(path)
    if found:
        return found
    with _alone(path):
        return look(path) or make()  # another process may have made it since


# --- one library ---------------------------------------------------------------------------------


def kept(path: Path) -> CDLL | None:
    """The library that is kept in a file; None where it is not whole, or is another machine's."""
    try:
        if _checksum(path, path.name) != path.with_suffix(".sha256").read_bytes():
            return None
        with suppress(OSError):  # another user's, or a folder that is only read
            if time.time() - path.stat().st_mtime > HOUR:
                os.utime(path)  # says when it was last used
        return opened(path)
    except (OSError, CompileError):
        return None


def keep(made: Path, path: Path) -> CDLL:
    """Put what was made to its place, whole, and load it.

    A whole one that stands there by now stays: on a network's file system, another machine that
    runs it would lose it.
    """
    there = kept(path)
    if there:
        return there
    checksum = made.with_suffix(".sha256")
    checksum.write_bytes(_checksum(made, path.name))
    made.replace(path)
    checksum.replace(path.with_suffix(".sha256"))
    if path.name[0] == "0":  # every 16th looks: it takes a while on a network's file system
        _prune(path.parent)
    return opened(path)


def opened(file: Path) -> CDLL:
    """Load a library, out of memory where its folder is on a file system that runs nothing.

    Raises:
        CompileError: it cannot be loaded.
    """
    try:
        return CDLL(str(file))
    except OSError as error:
        refused = error
    if hasattr(os, "memfd_create"):
        with suppress(OSError):
            # never closed, as the loader knows libraries by their names
            memory = os.memfd_create(file.name[:100])
            with open(memory, "wb", closefd=False) as copy:
                copy.write(file.read_bytes())
            return CDLL(f"/proc/self/fd/{memory}")
    raise CompileError(f"what was compiled cannot be loaded: {one_line(str(refused))}") from refused


def _checksum(file: Path, name: str) -> bytes:
    """What stands beside the library of that name, as sha256sum writes it."""
    return f"{file_sha256(file)}  {name}\n".encode()


# --- many processes ------------------------------------------------------------------------------


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait while another process compiles what belongs to ``path``, but not for ever.

    The kernel frees what a killed process held. Where the file system has no such locks, or another
    machine keeps one for too long, both compile: the results are equal.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path.parent / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:
        yield
        return
    try:
        end = time.monotonic() + PATIENCE
        place = int(path.name[:15], 16)  # a byte of the file for each name
        while _held_by_another(lock, place) and time.monotonic() < end:
            time.sleep(POLL)
        yield
    finally:
        os.close(lock)


def _held_by_another(lock: int, place: int) -> bool:
    """Try to get hold of a byte of a file; whether another process has it."""
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
    except OSError as error:
        return error.errno in (errno.EACCES, errno.EAGAIN)
    return False


# --- too many libraries --------------------------------------------------------------------------


def _prune(folder: Path) -> None:
    """Remove the libraries that were not used for longest, where there are too many.

    Those of the last day stay: on a network's file system, another machine that runs them would
    lose them.
    """
    sizes: dict[str, int] = {}
    used: dict[str, float] = {}
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            stem, suffix = os.path.splitext(entry.name)  # noqa: PTH122
            if suffix in (".so", ".sha256", ".probe"):
                with suppress(OSError):  # it has just been removed
                    status = entry.stat()
                    sizes[stem] = sizes.get(stem, 0) + status.st_size
                    used[stem] = max(used.get(stem, 0.0), status.st_mtime)
    count, size = len(sizes), sum(sizes.values())
    if count <= MOST_FILES and size <= MOST_BYTES:
        return
    for stem in sorted(used, key=lambda stem: used[stem]):
        few = count <= LEFT * MOST_FILES and size <= LEFT * MOST_BYTES
        if few or time.time() - used[stem] < DAY:
            break
        for suffix in (".sha256", ".so", ".probe"):
            with suppress(OSError):
                (folder / f"{stem}{suffix}").unlink(missing_ok=True)
        count, size = count - 1, size - sizes[stem]
