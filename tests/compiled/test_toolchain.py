"""A compiler is used if it is right; else one line says why there is none; nothing hangs."""

from __future__ import annotations

import importlib.util
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kit.compilers import (
    ANOTHER,
    CALLS_REAL,
    REAL,
    TEXT,
    answered,
    compiled,
    forget,
    libraries_in,
    needs_cc,
    started,
)
from kit.compilers import folder as folder  # autouse, once it is here
from kit.compilers import script as script
from trainscape.compiled import compiler, libraries, processes, toolchain
from trainscape.compiled.compiler import NoCompiler, load

if TYPE_CHECKING:
    from collections.abc import Callable


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
    monkeypatch.setenv(toolchain.CC, asked)
    with pytest.raises(NoCompiler) as error:
        load(TEXT)
    assert str(error.value) == told


def test_no_compiler_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any program of the names that are looked for, a line says which they are."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(toolchain, "_zig", lambda: None)
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
    monkeypatch.setattr(toolchain, "CPUINFO", file)
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("", "", "", "", machine)))
    refusal = toolchain._refusal()
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
    monkeypatch.setattr(processes, "LIMIT", 0.3 if "sleep" in lines else 60.0)
    start = time.monotonic()
    with pytest.raises(NoCompiler, match=told) as error:
        load(TEXT)
    assert time.monotonic() - start < 10
    assert "\n" not in str(error.value)


def test_a_program_that_cannot_run_is_none(script: Callable[..., Path]) -> None:
    """A file that is no program counts as absent."""
    script("")
    Path(os.environ[toolchain.CC]).write_text("no program\n")
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
    log = script(CALLS_REAL, name="gcc")
    monkeypatch.delenv(toolchain.CC)
    monkeypatch.setenv("PATH", str(log.parent / "programs"), prepend=os.pathsep)
    assert load(TEXT).answer() == 42
    assert load(ANOTHER).answer() == 43
    assert compiler.compiler().name == "gcc"
    line = "trainscape: cc: error: it is broken; gcc compiles in its place\n"
    assert capfd.readouterr().err == line


@needs_cc
def test_a_compiler_by_a_relative_path(
    script: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A compiler may be named by its path from the current folder."""
    script(CALLS_REAL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(toolchain.CC, "./programs/compiler -DANSWER=44")
    assert load("int answer(void) { return ANSWER; }").answer() == 44


@needs_cc
def test_an_updated_compiler_is_probed_again(script: Callable[..., Path], folder: Path) -> None:
    """A compiler whose file has changed compiles all anew."""
    log = script(CALLS_REAL)
    load(TEXT)
    os.utime(os.environ[toolchain.CC], (1, 1))
    forget()
    load(TEXT)
    assert compiled(log) == 4
    assert len(libraries_in(folder)) == 2


@pytest.mark.skipif(not importlib.util.find_spec("ziglang"), reason="ziglang is not installed")
def test_zig_is_found_without_any_other(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyPI's ziglang compiles where there is no other compiler, and leaves its checks out."""
    monkeypatch.delenv(libraries.CACHE)  # what zig needs of the C library takes a while: share it
    monkeypatch.setenv("ZIG_GLOBAL_CACHE_DIR", str(libraries.cache_folder().parent / "zig"))
    monkeypatch.setenv(libraries.CACHE, str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    overflow = "int answer(void) { volatile int most = 2147483647; return most + 1; }"
    answer, errors = answered(started(overflow))
    assert (answer, errors) == ("-2147483648", "")
    assert compiler.compiler().name == "ziglang"
    assert all(b"ubsan" not in path.read_bytes() for path in libraries_in(folder))
    monkeypatch.setenv(toolchain.MARCH, "x86-64-v3")
    assert "-mcpu=x86_64_v3" in toolchain._for_machine(compiler.compiler().command)
