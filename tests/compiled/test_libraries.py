"""What was compiled is kept whole, found again and pruned, whoever else is at work."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kit.compilers import (
    ANOTHER,
    CALLS_REAL,
    TEXT,
    answered,
    compiled,
    libraries_in,
    needs_cc,
    started,
)
from kit.compilers import folder as folder  # autouse, once it is here
from kit.compilers import script as script
from trainscape.compiled import compiler, libraries, toolchain
from trainscape.compiled.compiler import load

if TYPE_CHECKING:
    from collections.abc import Callable

NO_LOCKS = """
import errno, fcntl
def lockf(*_): raise OSError(errno.ENOLCK, "No locks available")
fcntl.lockf = lockf
"""
HOLDS = """
import fcntl, os, sys, time
lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o666)
fcntl.lockf(lock, fcntl.LOCK_EX, 1, int(sys.argv[2]))
print("held", flush=True)
time.sleep(60)
"""


def _checksum(path: Path) -> bytes:
    """What ``sha256sum`` would write of a file."""
    return f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n".encode()


def _truncate(path: Path) -> None:
    content = path.read_bytes()
    path.unlink()  # this process runs it
    path.write_bytes(content[: len(content) // 2])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()
    path.write_bytes(content)


def _empty(path: Path) -> None:
    path.unlink()
    path.write_bytes(b"")


def _another_checksum(path: Path) -> None:
    path.with_suffix(".sha256").write_text(f"{'0' * 64}  {path.name}\n")


def _no_checksum(path: Path) -> None:
    path.with_suffix(".sha256").unlink()


@needs_cc
@pytest.mark.parametrize("damage", [_truncate, _flip, _empty, _another_checksum, _no_checksum])
def test_a_damaged_library_is_compiled_anew(
    damage: Callable[[Path], None], script: Callable[..., Path], folder: Path
) -> None:
    """A kept library that is not what was made is not loaded, but made again."""
    log = script(CALLS_REAL)
    load(TEXT)
    (path,) = libraries_in(folder)
    before = path.read_bytes()
    damage(path)
    assert answered(started()) == ("42", "")
    assert compiled(log) == 3
    assert path.read_bytes() == before
    assert path.with_suffix(".sha256").read_bytes() == _checksum(path)


def _no_folder(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file stands where the folder should."""
    cache.parent.mkdir(parents=True)
    cache.write_text("")


def _full_disk(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing more can be written there."""
    written = Path.write_bytes

    def write(path: Path, content: bytes) -> int:
        if cache in path.parents:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return written(path, content)

    monkeypatch.setattr(Path, "write_bytes", write)


def _full_for_the_compiler(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler itself finds the disk full, and says so in its own way."""
    path = Path(os.environ[toolchain.CC])
    full = f'case "$PWD" in {cache}*) echo "ld: No space left on device" >&2; exit 1;; esac\n'
    path.write_text(path.read_text().replace("exec", f"{full}exec"))


@needs_cc
@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (_no_folder, "Not a directory|File exists"),
        (_full_disk, "No space left on device"),
        (_full_for_the_compiler, "No space left on device"),
    ],
)
def test_a_folder_that_keeps_nothing(
    spoil: Callable[[Path, pytest.MonkeyPatch], None],
    why: str,
    script: Callable[..., Path],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Where nothing can be kept it is compiled all the same, and a line says so, once."""
    script(CALLS_REAL)
    spoil(folder, monkeypatch)
    assert load(TEXT).answer() == 42
    assert load(ANOTHER).answer() == 43
    errors = capfd.readouterr().err
    assert errors.count("\n") == errors.count("nothing compiled can be kept in") == 1
    assert re.search(why, errors)
    assert not libraries_in(folder)


@needs_cc
def test_a_file_system_that_runs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries are loaded out of memory where no folder may hold a program."""
    if not hasattr(os, "memfd_create"):
        pytest.skip("this system has no files in memory")

    class Picky(ctypes.CDLL):
        def __init__(self, name: str, *rest: Any) -> None:
            if not name.startswith("/proc/self/fd/"):
                raise OSError(f"{name}: failed to map segment from shared object")
            super().__init__(name, *rest)

    monkeypatch.setattr(libraries, "CDLL", Picky)
    assert [load(text).answer() for text in (TEXT, ANOTHER)] == [42, 43]


def test_old_libraries_make_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are too many, those that were not used for longest go; none of the last day."""
    monkeypatch.setattr(libraries, "MOST_FILES", 4)
    libraries._prune(folder)  # which is not there yet
    folder.mkdir(parents=True)
    now = time.time()
    for days in (0.5, 2, 3, 4, 5, 6):
        for suffix in (".so", ".sha256"):
            file = folder / f"{days}d{suffix}"
            file.write_bytes(b"0" * 100)
            os.utime(file, (now - days * libraries.DAY,) * 2)
    libraries._prune(folder)
    assert [path.stem for path in libraries_in(folder)] == ["0.5d", "2d", "3d"]
    assert len(list(folder.iterdir())) == 6
    monkeypatch.setattr(libraries, "MOST_BYTES", 150)
    libraries._prune(folder)
    assert [path.stem for path in libraries_in(folder)] == ["0.5d"]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"TRAINSCAPE_CACHE": "/one", "XDG_CACHE_HOME": "/two"}, "/one/compiled"),
        ({"XDG_CACHE_HOME": "/two"}, "/two/trainscape/compiled"),
        ({"XDG_CACHE_HOME": "two"}, "/home/me/.cache/trainscape/compiled"),
        ({}, "/home/me/.cache/trainscape/compiled"),
    ],
)
def test_where_libraries_are_kept(
    variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The project's own variable names the folder, else the one that all caches have."""
    for name in ("TRAINSCAPE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/me", **variables}.items():
        monkeypatch.setenv(name, value)
    assert libraries.cache_folder() == Path(expected)


# --- many processes ------------------------------------------------------------------------------


@needs_cc
@pytest.mark.parametrize("locks", [True, False])
def test_two_processes_at_once(locks: bool, script: Callable[..., Path], folder: Path) -> None:
    """Processes that compile one text at once all get it; where there are locks, one compiles."""
    log = script(f'case "$*" in *step.so*) sleep 0.3;; esac\n{CALLS_REAL}')
    processes = [started(first="" if locks else NO_LOCKS) for _ in range(2)]
    assert [answered(process) for process in processes] == [("42", "")] * 2
    assert compiled(log) == 2 if locks else 2 <= compiled(log) <= 4
    (path,) = libraries_in(folder)
    assert path.with_suffix(".sha256").read_bytes() == _checksum(path)
    assert not list(folder.glob(".*.tmp"))


@needs_cc
def test_no_process_waits_for_ever(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is stuck holds others up for a while; one that is killed, not at all."""
    name = f"{compiler._key(compiler.compiler(), TEXT)}.so"
    place = int(name[:15], 16)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(folder / ".lock"), str(place)], stdout=subprocess.PIPE
    )
    assert holder.stdout
    holder.stdout.readline()
    lock = os.open(folder / ".lock", os.O_RDWR)
    assert libraries._held_by_another(lock, place)
    assert not libraries._held_by_another(lock, place - 1)  # another text's
    with monkeypatch.context() as briefly:
        briefly.setattr(libraries, "PATIENCE", 0.1)
        with libraries._alone(folder / name):
            pass
    assert libraries._held_by_another(lock, place)
    holder.kill()
    holder.communicate()
    assert not libraries._held_by_another(lock, place)
    os.close(lock)
    start = time.monotonic()
    assert load(TEXT).answer() == 42
    assert time.monotonic() - start < 30
