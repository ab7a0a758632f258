"""C text becomes a library that is compiled once, or one line says why not; nothing hangs."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kit.compilers import CALLS_REAL, TEXT, compiled, forget, libraries_in, needs_cc, started
from kit.compilers import folder as folder  # autouse, once it is here
from kit.compilers import script as script
from trainscape.compiled import building, compiler, processes, toolchain
from trainscape.compiled.compiler import CompileError, load

if TYPE_CHECKING:
    from collections.abc import Callable

REFUSED = "int refused(void) { return 42; }\n"


def _refusing(how: str) -> str:
    """A script that compiles all but one text."""
    return f"grep -q refused step.c 2> /dev/null && {{ {how}; }}\n{CALLS_REAL}"


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
    assert compiled(log) == 3  # the probe, the text in the folder of kept ones, and elsewhere
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
    monkeypatch.setattr(processes, "LIMIT", 0.5)
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


@needs_cc
def test_a_second_process_compiles_nothing(script: Callable[..., Path], folder: Path) -> None:
    """What one process has compiled the next one loads, without running a compiler or torch."""
    log = script(CALLS_REAL)
    first = load(TEXT)
    assert first.answer() == 42
    assert load(TEXT) is first
    calls = log.read_text()
    process = started()
    printed, errors = process.communicate(timeout=60)
    assert (printed, errors) == ("42\n[]\n", "")
    assert log.read_text() == calls
    assert sorted(path.suffix for path in folder.glob("[0-9a-f]*")) == [".probe", ".sha256", ".so"]
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--check", *folder.glob("*.sha256")], cwd=folder, check=True)


@needs_cc
def test_what_a_key_depends_on(
    script: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """A library is another one with other text, headers, flags, compiler or processor."""
    monkeypatch.setattr(building, "HEADERS", tmp_path / "c")
    header = tmp_path / "c" / "answers.h"
    header.parent.mkdir()
    header.write_text("#define ANSWER 1\n")
    script(CALLS_REAL)
    text = '#include "answers.h"\nint answer(void) { return ANSWER; }\n'
    assert load(text).answer() == 1
    header.write_text("#define ANSWER 2\n")
    forget()
    assert load(text).answer() == 2
    assert len(libraries_in(folder)) == 2

    used = compiler.compiler()
    keys = {compiler._key(used, text), compiler._key(used, TEXT)}
    monkeypatch.setenv(toolchain.MARCH, "x86-64-v3")
    flags = (*toolchain.FLAGS, *toolchain._for_machine(used.command))
    keys.add(compiler._key(used._replace(flags=flags), text))
    stamp = toolchain._stamp(Path(used.command[0]))
    assert stamp in used.identity
    os.utime(used.command[0], (1, 1))
    assert toolchain._stamp(Path(used.command[0])) != stamp
    keys.add(compiler._key(used._replace(identity=("updated",)), text))
    monkeypatch.setattr(toolchain, "CPUINFO", tmp_path / "another")
    toolchain.cpu.cache_clear()
    keys.add(compiler._key(used, text))
    assert len(keys) == 5
