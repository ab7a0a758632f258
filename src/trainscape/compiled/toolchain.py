"""Which compiler there is: where one is looked for, with which flags, and what shows that it works.

What it must show is in `probe.py`; how it is called for a text, in `building.py`.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import sys
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from trainscape.compiled.building import Compiler, build
from trainscape.compiled.libraries import cache_folder, found_or_made
from trainscape.compiled.probe import PROBE, check
from trainscape.compiled.processes import CompileError, run, tell
from trainscape.errors import UserError
from trainscape.files import write_text
from trainscape.hashing import sha256

if TYPE_CHECKING:
    from collections.abc import Iterator

    Candidate = tuple[str, tuple[str, ...]]  # a compiler's name, and the words that call it

CC = "TRAINSCAPE_CC"  # the command of a compiler, or NONE
MARCH = "TRAINSCAPE_MARCH"  # the instruction set to compile for, in place of this machine's
MORE = "TRAINSCAPE_CFLAGS"  # flags after ours: -O1 compiles in half the time, and changes no bit
NONE = "none"

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


class NoCompiler(RuntimeError):  # noqa: N818  # it is no mistake to have none
    """There is no compiler of use on this machine. Its text says in one line why."""


def first_that_works() -> Compiler:
    """The compiler that is asked for, or the first on this machine that passes the probe.

    Raises:
        NoCompiler: there is none, or none is wanted.
    """
    asked = _asked()
    refusal = _refusal()
    if refusal:
        raise NoCompiler(refusal)
    reasons = []
    for name, command in [asked] if asked else _candidates():
        try:
            found = _probed(name, command)
        except CompileError as error:
            reasons.append(str(error))
            continue
        for reason in reasons:
            tell(reason, f"{reason}; {found.name} compiles in its place")
        return found
    none = "there is no C compiler (cc, gcc, clang or the package ziglang)"
    raise NoCompiler("; ".join(reasons) or none)


# --- where one is looked for ---------------------------------------------------------------------


def _asked() -> Candidate | None:
    """The compiler that the environment names: who names one gets no other.

    Raises:
        NoCompiler: it is none, or not there.
    """
    asked = os.environ.get(CC, "")
    if asked.strip() == NONE:
        raise NoCompiler(f"{CC} is {NONE}")
    try:
        words = shlex.split(asked)
    except ValueError as error:
        raise NoCompiler(f"{CC}: {asked!r} is no command ({error})") from error
    if not words:
        return None
    program = shutil.which(words[0])
    if program is None:
        raise NoCompiler(f"{CC}: there is no program {words[0]!r}")
    return f"{CC}={shlex.join(words)}", (os.path.abspath(program), *words[1:])  # noqa: PTH100


def _candidates() -> Iterator[Candidate]:
    """The compilers to try, in their order."""
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


# --- whether it works ----------------------------------------------------------------------------


def _probed(name: str, command: tuple[str, ...]) -> Compiler:
    """A compiler that has shown that it compiles, now or to an earlier process.

    Raises:
        CompileError: it does not.
    """
    flags = (*FLAGS, *_for_machine(command), *shlex.split(os.environ.get(MORE, "")))
    files = tuple(_stamp(Path(path)) for path in _programs(command))
    found = Compiler(name, command, flags)
    known = cache_folder() / f"{sha256([command, flags, files, PROBE, cpu()])}.probe"
    version = found_or_made(known, _noted, lambda: _passes(found, known))
    return found._replace(identity=(*files, version))


def _noted(known: Path) -> str | None:
    """The version that an earlier process noted when the probe had passed."""
    try:
        return known.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _passes(found: Compiler, known: Path) -> str:
    """See that a compiler passes the probe, and note its version.

    Raises:
        CompileError: it does not.
    """
    version = _version(found)
    see = partial(check, found.name)
    build(found, PROBE, see, see)
    with suppress(UserError):
        write_text(known, version)
    return version


def _version(found: Compiler) -> str:
    """The first line of a compiler's version."""
    path = found.command[0]
    if sys.platform == "darwin" and path.startswith("/usr/bin/"):
        # without Apple's tools, this program would open a window that offers them
        run("xcode-select", ("xcode-select", "-p"))
    printed = run(found.name, (*found.command, "--version"))
    return (printed.splitlines() or ["?"])[0].strip() or "?"


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


# --- the processor -------------------------------------------------------------------------------


@cache
def cpu() -> tuple[str, dict[str, str]]:
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


def _refusal() -> str | None:
    """Why nothing is to be compiled for this processor, if there is a reason."""
    machine, facts = cpu()
    if machine not in FOR_MACHINE:
        return f"steps are not compiled for this kind of machine, {machine}"
    if machine == "x86_64" and not set(facts.get("flags", "").split()) >= FUSED:
        return "this CPU has no fused multiply-add"
    return None


def _for_machine(command: tuple[str, ...]) -> tuple[str, ...]:
    """The flags that name the instruction set."""
    asked = os.environ.get(MARCH) or "native"
    machine, _ = cpu()
    wide = WIDE if machine == "x86_64" else ()
    if _is_zig(command):  # it takes hyphens for features to leave out
        return f"-mcpu={asked.replace('-', '_')}", *wide
    return f"{FOR_MACHINE[machine]}={asked}", *wide
