"""C text becomes a library that is right, or one line says why there is none; nothing hangs."""

from __future__ import annotations

import ctypes
import errno
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import trainscape
from trainscape.compiled import compiler
from trainscape.compiled.compiler import CompileError, NoCompiler, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SOURCE = Path(trainscape.__file__).parent.parent
REAL = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
needs_cc = pytest.mark.skipif(REAL is None, reason="there is no C compiler")

TEXT = "int answer(void) { return 42; }\n"
ANOTHER = "int answer(void) { return 43; }\n"
REFUSED = "int refused(void) { return 42; }\n"
LOADS = """
import sys
from trainscape.compiled import compiler
{first}
print(compiler.load({text!r}).answer())
print(sorted({{"torch", "numpy", "pandas"}} & set(sys.modules)))
"""
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


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder that keeps libraries: each test has its own, and knows of no earlier one."""
    for name in (compiler.CC, compiler.MARCH):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(compiler.CACHE, str(tmp_path / "cache"))
    monkeypatch.delenv(compiler.MORE, raising=False)  # only -O3 fuses what it may
    _forget()
    yield tmp_path / "cache" / "compiled"
    _forget()


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Writes the script of a compiler, makes it the one to use, and gives the log of its calls."""

    def write(lines: str, name: str = "compiler") -> Path:
        log = tmp_path / f"{name}.log"
        path = tmp_path / "programs" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/sh\necho "$*" >> "{log}"\n{lines}\n')
        path.chmod(0o755)
        monkeypatch.setenv(compiler.CC, str(path))
        return log

    return write


def _forget() -> None:
    """Forget what this process has loaded and found."""
    for function in (compiler._loaded, compiler._chosen, compiler._cpu):
        function.cache_clear()
    compiler.TOLD.clear()


def _compiled(log: Path) -> int:
    """How many texts a script has compiled; the probe is the first."""
    return log.read_text().count("-o step.so")


def _process(text: str = TEXT, first: str = "") -> subprocess.Popen[str]:
    """Another process that loads a text and calls it."""
    return subprocess.Popen(
        [sys.executable, "-c", LOADS.format(text=text, first=first)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(SOURCE), *sys.path))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _end(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What it printed: the answer, and what else; it must have ended well."""
    printed, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return printed.split("\n")[0], errors


def _libraries(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.so"))


# --- which compiler ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("none", "TRAINSCAPE_CC is none"),
        ("no-such-compiler -x", "TRAINSCAPE_CC: there is no program 'no-such-compiler'"),
        ("cc 'open", 'TRAINSCAPE_CC: "cc \'open" is no command (No closing quotation)'),
    ],
)
def test_no_compiler_by_the_variable(
    asked: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A compiler that is not wanted, or not there, is none, and the variable is named."""
    monkeypatch.setenv(compiler.CC, asked)
    with pytest.raises(NoCompiler) as error:
        load(TEXT)
    assert str(error.value) == told


def test_no_compiler_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any program of the names that are looked for, a line says which they are."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(compiler, "_zig", lambda: None)
    with pytest.raises(NoCompiler, match=r"^there is no C compiler \(cc, gcc, clang or"):
        load(TEXT)


@pytest.mark.parametrize(
    ("machine", "cpuinfo", "told"),
    [
        ("x86_64", "flags\t\t: fpu sse2 avx2\n\nflags\t: fma avx2\n", "no fused multiply-add"),
        ("x86_64", None, "no fused multiply-add"),
        ("riscv64", "isa : rv64\n", "not compiled for this kind of machine, riscv64"),
        ("aarch64", "Features : fp asimd\n", None),
        ("arm64", None, None),
        ("x86_64", "flags\t\t: fpu fma avx2\n", None),
    ],
)
def test_the_processor_decides(
    machine: str,
    cpuinfo: str | None,
    told: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Steps are compiled only for processors that multiply and add with one rounding."""
    file = tmp_path / "cpuinfo"
    if cpuinfo:
        file.write_text(cpuinfo)
    monkeypatch.setattr(compiler, "CPUINFO", file)
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("", "", "", "", machine)))
    refusal = compiler._refusal()
    assert (told in refusal) if refusal and told else refusal is None and told is None


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("echo 'In file' >&2; echo 'a.c:1: fatal error: math.h: No such file' >&2; exit 1", "math"),
        ("kill -9 $$", "was killed by SIGKILL"),
        ("exit 3", "it ended with code 3"),
        ("exit 0", "made no file"),
        ("sleep 60", "ran for more than 0.3 s"),
    ],
)
def test_a_broken_compiler_is_none(
    lines: str, told: str, script: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A compiler that fails the probe counts as absent, for a reason told in one line, at once."""
    script(lines)
    monkeypatch.setattr(compiler, "LIMIT", 0.3 if "sleep" in lines else 60.0)
    start = time.monotonic()
    with pytest.raises(NoCompiler, match=told) as error:
        load(TEXT)
    assert time.monotonic() - start < 10
    assert "\n" not in str(error.value)


def test_a_program_that_cannot_run_is_none(script: Callable[..., Path]) -> None:
    """A file that is no program counts as absent."""
    script("")
    Path(os.environ[compiler.CC]).write_text("no program\n")
    with pytest.raises(NoCompiler, match="cannot be run: Exec format error"):
        load(TEXT)


@needs_cc
@pytest.mark.parametrize(
    ("added", "told"),
    [
        ("-ffp-contract=fast", "compiler compiles does not round each product once"),
        ("'-D__builtin_fmaf(a,b,c)=(__builtin_trap(),0)'", "is killed by SIG(ILL|TRAP)"),
    ],
)
def test_a_compiler_that_computes_wrongly_is_none(
    added: str, told: str, script: Callable[..., Path]
) -> None:
    """The probe is run, where it may crash: wrong digits are worse than none."""
    script(f'exec {REAL} "$@" {added}')
    with pytest.raises(NoCompiler, match=told):
        load(TEXT)


@needs_cc
def test_the_next_compiler_is_tried(
    script: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Where the first compiler found is broken the next one is used, and a line says so, once."""
    script("echo 'cc: error: it is broken' >&2; exit 1", name="cc")
    log = script(f'exec {REAL} "$@"', name="gcc")
    monkeypatch.delenv(compiler.CC)
    monkeypatch.setenv("PATH", str(log.parent / "programs"), prepend=os.pathsep)
    assert load(TEXT).answer() == 42
    assert load(ANOTHER).answer() == 43
    assert compiler.compiler().name == "gcc"
    line = "trainscape: cc: error: it is broken; gcc compiles in its place\n"
    assert capfd.readouterr().err == line


@pytest.mark.skipif(not importlib.util.find_spec("ziglang"), reason="ziglang is not installed")
def test_zig_is_found_without_any_other(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyPI's ziglang compiles where there is no other compiler, and leaves its checks out."""
    monkeypatch.delenv(compiler.CACHE)  # what zig needs of the C library takes a while: share it
    monkeypatch.setenv("ZIG_GLOBAL_CACHE_DIR", str(compiler.cache_folder().parent / "zig"))
    monkeypatch.setenv(compiler.CACHE, str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    overflow = "int answer(void) { volatile int most = 2147483647; return most + 1; }"
    answer, errors = _end(_process(overflow))
    assert (answer, errors) == ("-2147483648", "")
    assert compiler.compiler().name == "ziglang"
    assert all(b"ubsan" not in path.read_bytes() for path in _libraries(folder))
    monkeypatch.setenv(compiler.MARCH, "x86-64-v3")
    assert "-mcpu=x86_64_v3" in compiler._for_machine(compiler.compiler().command)


# --- what is compiled ----------------------------------------------------------------------------


def _refusing(how: str) -> str:
    """A script that compiles all but one text."""
    return f'grep -q refused step.c 2> /dev/null && {{ {how}; }}\nexec {REAL} "$@"'


@needs_cc
@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("echo 'step.c:7: error: no such type' >&2; exit 1", "step.c:7: error: no such type"),
        ("kill -SEGV $$", "was killed by SIGSEGV"),
    ],
)
def test_a_text_that_is_not_compiled(
    how: str, told: str, script: Callable[..., Path], capfd: pytest.CaptureFixture[str]
) -> None:
    """A compiler that fails on a text is told in one line, every time but tried once."""
    log = script(_refusing(how))
    for _ in range(2):
        with pytest.raises(CompileError, match=told) as error:
            load(REFUSED)
        assert "\n" not in str(error.value)
    assert _compiled(log) == 3  # the probe, the text in the folder of kept ones, and elsewhere
    assert load(TEXT).answer() == 42
    assert capfd.readouterr().err == ""


@needs_cc
def test_the_compilers_own_first_error() -> None:
    """What the compiler says of a text that is wrong names the line."""
    with pytest.raises(CompileError, match=r"step\.c:2:.*error: .*nowhere"):
        load("int one;\nint two(void) { return nowhere; }\n")


@needs_cc
def test_a_compiler_that_hangs(
    script: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """A compiler that does not end is stopped with all that it has started, and leaves nothing."""
    child = tmp_path / "child"
    script(_refusing(f"sleep 60 & echo $! > {child}; wait"))
    compiler.compiler()
    monkeypatch.setattr(compiler, "LIMIT", 0.5)
    start = time.monotonic()
    with pytest.raises(CompileError, match=r"ran for more than 0\.5 s"):
        load(REFUSED)
    assert time.monotonic() - start < 10
    assert not list(folder.glob(".*.tmp"))
    process = Path("/proc", child.read_text().strip(), "stat")
    end = time.monotonic() + 5
    while process.exists() and " Z " not in process.read_text() and time.monotonic() < end:
        time.sleep(0.01)
    assert not process.exists() or " Z " in process.read_text()


# --- what is kept --------------------------------------------------------------------------------


@needs_cc
def test_a_compiler_by_a_relative_path(
    script: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A compiler may be named by its path from the current folder."""
    script(f'exec {REAL} "$@"')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(compiler.CC, "./programs/compiler -DANSWER=44")
    assert load("int answer(void) { return ANSWER; }").answer() == 44


@needs_cc
def test_a_second_process_compiles_nothing(script: Callable[..., Path], folder: Path) -> None:
    """What one process has compiled the next one loads, without running a compiler or torch."""
    log = script(f'exec {REAL} "$@"')
    first = load(TEXT)
    assert first.answer() == 42
    assert load(TEXT) is first
    calls = log.read_text()
    process = _process()
    printed, errors = process.communicate(timeout=60)
    assert (printed, errors) == ("42\n[]\n", "")
    assert log.read_text() == calls
    assert sorted(path.suffix for path in folder.glob("[0-9a-f]*")) == [".probe", ".sha256", ".so"]
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--check", *folder.glob("*.sha256")], cwd=folder, check=True)


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
    log = script(f'exec {REAL} "$@"')
    load(TEXT)
    (path,) = _libraries(folder)
    before = path.read_bytes()
    damage(path)
    assert _end(_process()) == ("42", "")
    assert _compiled(log) == 3
    assert path.read_bytes() == before
    assert path.with_suffix(".sha256").read_bytes() == compiler._checksum(path, before)


@needs_cc
def test_what_a_key_depends_on(
    script: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """A library is another one with other text, headers, flags, compiler or processor."""
    monkeypatch.setattr(compiler, "HEADERS", tmp_path / "c")
    header = tmp_path / "c" / "answers.h"
    header.parent.mkdir()
    header.write_text("#define ANSWER 1\n")
    script(f'exec {REAL} "$@"')
    text = '#include "answers.h"\nint answer(void) { return ANSWER; }\n'
    assert load(text).answer() == 1
    header.write_text("#define ANSWER 2\n")
    _forget()
    assert load(text).answer() == 2
    assert len(_libraries(folder)) == 2

    used = compiler.compiler()
    keys = {compiler._key(used, text), compiler._key(used, TEXT)}
    monkeypatch.setenv(compiler.MARCH, "x86-64-v3")
    flags = (*compiler.FLAGS, *compiler._for_machine(used.command))
    keys.add(compiler._key(used._replace(flags=flags), text))
    stamp = compiler._stamp(Path(used.command[0]))
    assert stamp in used.identity
    os.utime(used.command[0], (1, 1))
    assert compiler._stamp(Path(used.command[0])) != stamp
    keys.add(compiler._key(used._replace(identity=("updated",)), text))
    monkeypatch.setattr(compiler, "CPUINFO", tmp_path / "another")
    compiler._cpu.cache_clear()
    keys.add(compiler._key(used, text))
    assert len(keys) == 5


@needs_cc
def test_an_updated_compiler_is_probed_again(script: Callable[..., Path], folder: Path) -> None:
    """A compiler whose file has changed compiles all anew."""
    log = script(f'exec {REAL} "$@"')
    load(TEXT)
    os.utime(os.environ[compiler.CC], (1, 1))
    _forget()
    load(TEXT)
    assert _compiled(log) == 4
    assert len(_libraries(folder)) == 2


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
    path = Path(os.environ[compiler.CC])
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
    script(f'exec {REAL} "$@"')
    spoil(folder, monkeypatch)
    assert load(TEXT).answer() == 42
    assert load(ANOTHER).answer() == 43
    errors = capfd.readouterr().err
    assert errors.count("\n") == errors.count("nothing compiled can be kept in") == 1
    assert re.search(why, errors)
    assert not _libraries(folder)


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

    monkeypatch.setattr(compiler, "CDLL", Picky)
    libraries = load(TEXT), load(ANOTHER)
    assert [library.answer() for library in libraries] == [42, 43]


def test_old_libraries_make_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are too many, those that were not used for longest go; none of the last day."""
    monkeypatch.setattr(compiler, "MOST_FILES", 4)
    compiler._prune(folder)  # which is not there yet
    folder.mkdir(parents=True)
    now = time.time()
    for days in (0.5, 2, 3, 4, 5, 6):
        for suffix in (".so", ".sha256"):
            file = folder / f"{days}d{suffix}"
            file.write_bytes(b"0" * 100)
            os.utime(file, (now - days * compiler.DAY,) * 2)
    compiler._prune(folder)
    assert [path.stem for path in _libraries(folder)] == ["0.5d", "2d", "3d"]
    assert len(list(folder.iterdir())) == 6
    monkeypatch.setattr(compiler, "MOST_BYTES", 150)
    compiler._prune(folder)
    assert [path.stem for path in _libraries(folder)] == ["0.5d"]


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
    assert compiler.cache_folder() == Path(expected)


# --- many processes ------------------------------------------------------------------------------


@needs_cc
@pytest.mark.parametrize("locks", [True, False])
def test_two_processes_at_once(locks: bool, script: Callable[..., Path], folder: Path) -> None:
    """Processes that compile one text at once all get it; where there are locks, one compiles."""
    log = script(f'case "$*" in *step.so*) sleep 0.3;; esac\nexec {REAL} "$@"')
    processes = [_process(first="" if locks else NO_LOCKS) for _ in range(2)]
    assert [_end(process) for process in processes] == [("42", "")] * 2
    assert _compiled(log) == 2 if locks else 2 <= _compiled(log) <= 4
    (path,) = _libraries(folder)
    assert path.with_suffix(".sha256").read_bytes() == compiler._checksum(path, path.read_bytes())
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
    assert compiler._held_by_another(lock, place)
    assert not compiler._held_by_another(lock, place - 1)  # another text's
    limit = compiler.LIMIT
    monkeypatch.setattr(compiler, "LIMIT", 0.1)
    with compiler._alone(folder / name):
        monkeypatch.setattr(compiler, "LIMIT", limit)
    assert compiler._held_by_another(lock, place)
    holder.kill()
    holder.communicate()
    assert not compiler._held_by_another(lock, place)
    os.close(lock)
    start = time.monotonic()
    assert load(TEXT).answer() == 42
    assert time.monotonic() - start < 30
