"""From C text to a loaded library: which compiler there is, how it is called, and what is kept.

A compiler is a help and no more. Where there is none, or where it fails, the caller gets one line
that says why and goes on without. What was compiled is kept by all that decides its bytes, so that
a process of a later run, or of another machine with the same folder, loads it at once. It is loaded
only where it still has the checksum that was kept with it.

Whoever may write to the folder of kept libraries decides what this process runs: it belongs below
the user's home, or below a group's that trust each other.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import importlib.util
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from ctypes import CDLL
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from trainscape.errors import UserError
from trainscape.files import scratch_folder, write_text
from trainscape.hashing import sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Result = TypeVar("Result")

CC = "TRAINSCAPE_CC"  # the command of a compiler, or NONE
MARCH = "TRAINSCAPE_MARCH"  # the instruction set to compile for, in place of this machine's
MORE = "TRAINSCAPE_CFLAGS"  # flags after ours: -O1 compiles in half the time, and changes no bit
CACHE = "TRAINSCAPE_CACHE"
NONE = "none"
SETTINGS = (CC, MARCH, MORE, CACHE, "XDG_CACHE_HOME", "HOME", "PATH")  # all that is read of them

HEADERS = Path(__file__).parent / "c"
CPUINFO = Path("/proc/cpuinfo")
# What tells one processor's instructions from another's, on x86-64 and on Arm.
CPU_FACTS = (
    *("vendor_id", "cpu family", "model", "flags"),
    *("CPU implementer", "CPU part", "Features"),
)
FLAGS = (
    *("-O3", "-std=gnu11", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"),
    "-fno-strict-aliasing",  # one piece of memory holds numbers of several types in turn
    *("-fno-sanitize=all", "-w", "-g0", "-fPIC", "-shared"),  # zig sanitizes and debugs by default
)
FOR_MACHINE = {"x86_64": "-march", "arm64": "-mcpu", "aarch64": "-mcpu"}
WIDE = ("-mprefer-vector-width=512",)  # else gcc leaves half of a vector of AVX-512 unused
FUSED = {"fma", "avx2"}  # an Arm processor of 64 bits always can

LIMIT = 120.0  # seconds for one call of a compiler; zig's first one takes many
POLL = 0.02  # seconds between two looks whether another process has compiled the same
HOUR, DAY = 3600.0, 24 * 3600.0  # seconds
MOST_FILES, MOST_BYTES = 2000, 10**9  # libraries that are kept
LEFT = 0.9  # of them, once the oldest are removed
TOLD: set[object] = set()  # by this process, on stderr
SHOWN = 200  # characters of a compiler's message

# Right if the products are rounded where they stand alone, and only there.
PROBE = r"""
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
static float a[64], fused[64], apart[64], root[64];
int probe(void) {
    volatile float near_one = 1.0f + 0x1p-12f, square = 1.0f + 0x1p-11f;
    float c = square;
    for (size_t i = 0; i < 64; i++) a[i] = near_one;
    for (size_t i = 0; i < 64; i++) {
        fused[i] = __builtin_fmaf(a[i], a[i], -c);
        apart[i] = a[i] * a[i] - c;
        root[i] = sqrtf(a[i] * 4.0f);
    }
    for (size_t i = 0; i < 64; i++)
        if (fused[i] != 0x1p-24f || apart[i] != 0.0f || fabsf(root[i] - 2.0f) > 0.001f) return 1;
    return 0;
}
"""
WRONG, NOT_LOADED = 3, 4  # exit codes of the probe's process; Python itself has 1 and 2
RUN_PROBE = f"""
import ctypes, sys
try:
    library = ctypes.CDLL(sys.argv[1])
except OSError:
    sys.exit({NOT_LOADED})
sys.exit({WRONG} if library.probe() else 0)
"""


class NoCompiler(RuntimeError):  # noqa: N818  # it is no mistake to have none
    """There is no compiler of use on this machine. Its text says in one line why."""


class CompileError(RuntimeError):
    """Some C was not compiled. Its text is one line: the compiler's first error, if it told one."""


class _TimeOutError(CompileError):
    """A compiler was stopped, as it had run for too long."""


class Compiler(NamedTuple):
    """A compiler that has passed the probe.

    Args:
        name: what lines call it.
        command: the words that call it.
        flags: how it is called; what names a file or folder comes on top.
        identity: tells it from all others: paths, sizes and times of its files, its version.
    """

    name: str
    command: tuple[str, ...]
    flags: tuple[str, ...]
    identity: tuple[str, ...] = ()


def load(text: str) -> CDLL:
    """The library that C text compiles to, loaded; equal text gives the same one.

    Args:
        text: C; it may include the headers of :data:`HEADERS`.

    Raises:
        NoCompiler: there is none of use on this machine, or none is wanted.
        CompileError: the compiler failed, was killed or ran for too long.
    """
    found = _loaded(text, _settings())
    if isinstance(found, CDLL):
        return found
    raise type(found)(*found.args)


def compiler() -> Compiler:
    """The compiler that :func:`load` uses; the first call may run it, to see that it works.

    Raises:
        NoCompiler: there is none of use on this machine, or none is wanted.
    """
    found = _chosen(_settings())
    if isinstance(found, Compiler):
        return found
    raise NoCompiler(found)


def cache_folder() -> Path:
    """Where compiled libraries are kept; it need not be there."""
    asked = os.environ.get(CACHE)
    if asked:
        return Path(asked).expanduser().absolute() / "compiled"
    shared = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not shared.is_absolute():  # its specification has others ignored
        shared = Path(os.path.expanduser("~"), ".cache").absolute()  # noqa: PTH111  # never raises
    return shared / "trainscape" / "compiled"


def _settings() -> tuple[str | None, ...]:
    """What the environment says, for results that are kept in this process."""
    return tuple(os.environ.get(name) for name in SETTINGS)


@cache
def _loaded(text: str, _: tuple[str | None, ...]) -> CDLL | NoCompiler | CompileError:
    """The library, or why there is none: what failed once is not tried again."""
    try:
        return _library(compiler(), text)
    except (NoCompiler, CompileError) as error:
        return error.with_traceback(None)
    except OSError as error:
        return CompileError(str(error))


def _tell(about: object, line: str) -> None:
    """A line on stderr, once about each thing."""
    if about not in TOLD:
        TOLD.add(about)
        print(f"trainscape: {line}", file=sys.stderr, flush=True)


# --- which compiler ------------------------------------------------------------------------------


@cache
def _chosen(_: tuple[str | None, ...]) -> Compiler | str:
    """The first compiler that works, or why there is none."""
    refusal = _refusal()
    if refusal:
        return refusal
    reasons = []
    for name, command in _candidates():
        try:
            found = _probed(name, command)
        except CompileError as error:
            reasons.append(str(error))
            continue
        for reason in reasons:
            _tell(reason, f"{reason}; {found.name} compiles in its place")
        return found
    return "; ".join(reasons) or "there is no C compiler (cc, gcc, clang or the package ziglang)"


def _refusal() -> str | None:
    """Why no compiler is to be looked for, if there is a reason."""
    asked = os.environ.get(CC, "")
    if asked.strip() == NONE:
        return f"{CC} is {NONE}"
    try:
        words = shlex.split(asked)
    except ValueError as error:
        return f"{CC}: {asked!r} is no command ({error})"
    if words and shutil.which(words[0]) is None:
        return f"{CC}: there is no program {words[0]!r}"
    machine, facts = _cpu()
    if machine not in FOR_MACHINE:
        return f"steps are not compiled for this kind of machine, {machine}"
    if machine == "x86_64" and not set(facts.get("flags", "").split()) >= FUSED:
        return "this CPU has no fused multiply-add"
    return None


def _candidates() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Names and commands of the compilers to try, in their order; who names one gets no other."""
    asked = shlex.split(os.environ.get(CC, ""))
    if asked:
        program = os.path.abspath(shutil.which(asked[0]) or asked[0])  # noqa: PTH100
        yield f"{CC}={shlex.join(asked)}", (program, *asked[1:])
        return
    seen = set()
    for name in ("cc", "gcc", "clang"):
        path = shutil.which(name)
        if path and os.path.realpath(path) not in seen:
            seen.add(os.path.realpath(path))
            yield name, (os.path.abspath(path),)  # noqa: PTH100
    if _zig():
        yield "ziglang", (sys.executable, "-m", "ziglang", "cc")


def _zig() -> Path | None:
    """The compiler in the package ziglang, which is found without being imported."""
    with suppress(ImportError, ValueError):
        spec = importlib.util.find_spec("ziglang")
        if spec and spec.origin:
            return Path(spec.origin).with_name("zig")
    return None


def _probed(name: str, command: tuple[str, ...]) -> Compiler:
    """A compiler that has shown that it compiles, now or to an earlier process.

    Raises:
        CompileError: it does not.
    """
    flags = (*FLAGS, *_for_machine(command), *shlex.split(os.environ.get(MORE, "")))
    files = tuple(_stamp(Path(path)) for path in _programs(command))
    found = Compiler(name, command, flags)
    known = cache_folder() / f"{sha256([command, flags, files, PROBE, _cpu()])}.probe"
    version = _noted(known)
    if not version:
        with _alone(known):
            version = _noted(known)  # another process may have probed it since
            if not version:
                version = _version(found)
                check = partial(_check, name)
                _build(found, PROBE, check, check)
                with suppress(UserError):
                    write_text(known, version)
    return found._replace(identity=(*files, version))


def _noted(known: Path) -> str:
    """The version that an earlier process noted when the probe had passed, or nothing."""
    try:
        return known.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _for_machine(command: tuple[str, ...]) -> tuple[str, ...]:
    """The flags that name the instruction set."""
    asked = os.environ.get(MARCH) or "native"
    machine, _ = _cpu()
    wide = WIDE if machine == "x86_64" else ()
    if _is_zig(command):  # it takes hyphens for features to leave out
        return f"-mcpu={asked.replace('-', '_')}", *wide
    return f"{FOR_MACHINE[machine]}={asked}", *wide


def _programs(command: tuple[str, ...]) -> list[str]:
    """The files that a command runs, as far as its words say: ``ccache gcc`` names two."""
    words = command[:1] if _is_zig(command) else command
    found = [shutil.which(word) for word in words if not word.startswith("-")]
    zig = _zig() if "ziglang" in command else None
    return [str(path) for path in (*found, zig) if path]


def _is_zig(command: tuple[str, ...]) -> bool:
    return any(Path(word).name.startswith("zig") for word in command)


def _stamp(path: Path) -> str:
    """A file's place, size and time: a compiler that was updated has another one."""
    try:
        real = path.resolve()
        status = real.stat()
    except (OSError, RuntimeError):
        return str(path)
    return f"{real} {status.st_size} {status.st_mtime_ns}"


def _version(found: Compiler) -> str:
    """The first line of a compiler's version."""
    path = found.command[0]
    if sys.platform == "darwin" and path.startswith("/usr/bin/"):
        # without Apple's tools, this program would open a window that offers them
        _run("xcode-select", ("xcode-select", "-p"))
    printed = _run(found.name, (*found.command, "--version"))
    return (printed.splitlines() or ["?"])[0].strip() or "?"


def _check(name: str, made: Path) -> None:
    """See that the probe computes what it should, in a process that it may crash.

    Raises:
        CompileError: it does not, or cannot be loaded.
    """
    command = (sys.executable, "-I", "-S", "-c", RUN_PROBE, str(made))
    code = 0
    with suppress(OSError):  # no Python there: the first step is to show it
        code, _, _ = _ended(f"what {name} compiles", command)
    if code < 0:
        raise CompileError(f"what {name} compiles is killed by {_signal(-code)}")
    if code == WRONG:
        raise CompileError(f"what {name} compiles does not round each product once")
    if code == NOT_LOADED:
        _opened(made)


@cache
def _cpu() -> tuple[str, dict[str, str]]:
    """The kind of machine, and what the kernel says of its first processor's instructions."""
    facts: dict[str, str] = {}
    with suppress(OSError), CPUINFO.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if not line.strip():
                break
            key, _, value = line.partition(":")
            if key.strip() in CPU_FACTS:
                facts[key.strip()] = value.strip()
    return os.uname().machine, facts


# --- what is compiled and kept -------------------------------------------------------------------


def _library(found: Compiler, text: str) -> CDLL:
    """The library of a text, from the folder of those that are kept or made anew."""
    path = cache_folder() / f"{_key(found, text)}.so"
    kept = _kept(path)
    if kept:
        return kept
    with _alone(path):
        # another process may have made it since
        return _kept(path) or _build(found, text, lambda made: _keep(made, path), _opened)


def _key(found: Compiler, text: str) -> str:
    """The sha256 over all that decides a library's bytes."""
    headers = {path.name: _sha256(path.read_bytes()) for path in sorted(HEADERS.glob("*.h"))}
    return sha256([text, headers, found.flags, found.command, found.identity, _cpu()])


def _kept(path: Path) -> CDLL | None:
    """The library that is kept in a file; None where it is not whole, or is another machine's."""
    try:
        content = path.read_bytes()
        if path.with_suffix(".sha256").read_bytes() != _checksum(path, content):
            return None
        with suppress(OSError):  # another user's, or a folder that is only read
            if time.time() - path.stat().st_mtime > HOUR:
                os.utime(path)  # says when it was last used
        return _opened(path)
    except (OSError, CompileError):
        return None


def _keep(made: Path, path: Path) -> CDLL:
    """Put what was made to its place, whole, and load it.

    A whole one that stands there by now stays: on a network's file system, another machine that
    runs it would lose it.
    """
    kept = _kept(path)
    if kept:
        return kept
    checksum = made.with_suffix(".sha256")
    checksum.write_bytes(_checksum(path, made.read_bytes()))
    made.replace(path)
    checksum.replace(path.with_suffix(".sha256"))
    if path.name[0] == "0":  # every 16th looks: it takes a while on a network's file system
        _prune(path.parent)
    return _opened(path)


def _checksum(path: Path, content: bytes) -> bytes:
    """What stands in the file beside a library, as sha256sum writes it."""
    return f"{_sha256(content)}  {path.name}\n".encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _opened(file: Path) -> CDLL:
    """Load a library, out of memory where its folder is on a file system that runs nothing.

    Raises:
        CompileError: it cannot be loaded.
    """
    try:
        return CDLL(str(file))
    except OSError as error:
        told = f"what was compiled cannot be loaded: {_one_line(str(error))}"
        if not hasattr(os, "memfd_create"):
            raise CompileError(told) from error
    try:
        # never closed, as the loader knows libraries by their names
        memory = os.memfd_create(file.name[:100])
        with open(memory, "wb", closefd=False) as copy:
            copy.write(file.read_bytes())
        return CDLL(f"/proc/self/fd/{memory}")
    except OSError as error:
        raise CompileError(told) from error


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
        end = time.monotonic() + LIMIT
        place = int(path.name[:15], 16)  # a byte of the file for each text
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


# --- how it is compiled --------------------------------------------------------------------------


def _build(
    found: Compiler,
    text: str,
    use: Callable[[Path], Result],
    use_once: Callable[[Path], Result],
) -> Result:
    """Compile a text beside the kept libraries, or where this fails, in a temporary folder.

    Args:
        found: the compiler.
        text: C.
        use: what to do with the library that was made, which is then removed.
        use_once: the same in the temporary folder.

    Raises:
        CompileError: it failed in both, or ran for too long.
    """
    folder = cache_folder()
    try:
        with scratch_folder(folder) as scratch:
            return use(_compiled(found, text, scratch))
    except _TimeOutError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
    except CompileError as error:  # a full disk has many faces: a signal, or any message
        reason = str(error)
    try:
        with tempfile.TemporaryDirectory(prefix="trainscape-", ignore_cleanup_errors=True) as made:
            result = use_once(_compiled(found, text, Path(made)))
    except OSError as error:
        raise CompileError(
            f"there is no folder to compile in: {error.strerror or error}"
        ) from error
    line = f"nothing compiled can be kept in {folder} ({reason}); {CACHE} names another folder"
    _tell(folder, line)
    return result


def _compiled(found: Compiler, text: str, scratch: Path) -> Path:
    """The library of a text, made in an empty folder.

    The names there are always the same: some compilers write them into what they make.

    Raises:
        CompileError: the compiler failed.
        OSError: the folder cannot be written to.
    """
    (scratch / "step.c").write_text(text, encoding="utf-8")
    files = ("-I", str(HEADERS), "step.c", "-o", "step.so", "-lm")
    _run(found.name, (*found.command, *found.flags, *files), scratch)
    made = scratch / "step.so"
    if not made.is_file():
        raise CompileError(f"{found.name} made no file")
    return made


def _run(name: str, command: tuple[str, ...], folder: Path | None = None) -> str:
    """What a program prints.

    Raises:
        CompileError: it cannot be run, failed, was killed or ran for longer than :data:`LIMIT`.
    """
    try:
        code, printed, errors = _ended(name, command, folder)
    except OSError as error:
        raise CompileError(f"{name} cannot be run: {error.strerror or error}") from error
    if code < 0:
        raise CompileError(f"{name} was killed by {_signal(-code)}")
    if code:
        told = _first_error(errors.replace(f"{folder}/", "")) or f"it ended with code {code}"
        raise CompileError(told if told.startswith(f"{name}: ") else f"{name}: {told}")
    return printed


def _ended(name: str, command: tuple[str, ...], folder: Path | None = None) -> tuple[int, str, str]:
    """Run a program to its end: its exit code and what it printed, on stdout and on stderr.

    Args:
        name: what lines call it.
        command: its words.
        folder: where it runs and leaves what it needs for a while.

    Raises:
        OSError: it cannot be run.
        CompileError: it ran for longer than :data:`LIMIT`, and was stopped with all it had started.
    """
    with subprocess.Popen(
        command,
        cwd=folder or "/",  # no file of the user's is to be taken for one of Python's
        env={**os.environ, **_surroundings(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            printed, errors = process.communicate(timeout=LIMIT)
        except BaseException as error:
            with suppress(OSError):  # they have all ended
                os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise _TimeOutError(f"{name} ran for more than {LIMIT:g} s") from error
            raise
    return process.returncode, printed, errors


def _surroundings(folder: Path | None) -> dict[str, str]:
    """The environment variables of a compiler: all that it leaves is removed with its folder.

    But for what zig needs of the C library, which it compiles once, in some seconds.
    """
    found = {"LC_ALL": "C"}
    if folder:
        found |= {"TMPDIR": str(folder), "ZIG_LOCAL_CACHE_DIR": str(folder)}
        if "ZIG_GLOBAL_CACHE_DIR" not in os.environ:
            kept = cache_folder()
            zig = kept.parent / "zig" if folder.parent == kept else folder
            found["ZIG_GLOBAL_CACHE_DIR"] = str(zig)
    return found


def _first_error(errors: str) -> str:
    """A compiler's first line that tells an error, else its last one."""
    lines = [line for line in errors.splitlines() if line.strip()]
    found = next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "")
    return _one_line(found)


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
