"""C compilers of a test's own, and a folder that keeps what they make.

Offers: :func:`folder` and :func:`script`, fixtures; a test that imports the first has it used.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import trainscape
from trainscape.compiled import compiler, libraries, processes, toolchain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SOURCE = Path(trainscape.__file__).parent.parent
REAL = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
needs_cc = pytest.mark.skipif(REAL is None, reason="there is no C compiler")

TEXT = "int answer(void) { return 42; }\n"
ANOTHER = "int answer(void) { return 43; }\n"
CALLS_REAL = f'exec {REAL} "$@"'  # a line for a script
LOADS = """
import sys
from trainscape.compiled import compiler
{first}
print(compiler.load({text!r}).answer())
print(sorted({{"torch", "numpy", "pandas"}} & set(sys.modules)))
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder that keeps libraries: each test has its own, and knows of no earlier one."""
    for name in (toolchain.CC, toolchain.MARCH):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(libraries.CACHE, str(tmp_path / "cache"))
    monkeypatch.delenv(toolchain.MORE, raising=False)  # only -O3 fuses what it may
    forget()
    yield tmp_path / "cache" / "compiled"
    forget()


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Writes the script of a compiler, makes it the one to use, and gives the log of its calls."""

    def write(lines: str, name: str = "compiler") -> Path:
        log = tmp_path / f"{name}.log"
        path = tmp_path / "programs" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/sh\necho "$*" >> "{log}"\n{lines}\n')
        path.chmod(0o755)
        monkeypatch.setenv(toolchain.CC, str(path))
        return log

    return write


def forget() -> None:
    """Forget what this process has loaded and found."""
    for function in (compiler._loaded, compiler._chosen, toolchain.cpu):
        function.cache_clear()
    processes.TOLD.clear()


def compiled(log: Path) -> int:
    """How many texts a script has compiled; the probe is the first."""
    return log.read_text().count("-o step.so")


def started(text: str = TEXT, first: str = "") -> subprocess.Popen[str]:
    """Another process that loads a text and calls it."""
    return subprocess.Popen(
        [sys.executable, "-c", LOADS.format(text=text, first=first)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(SOURCE), *sys.path))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answered(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What it printed: the answer, and what else; it must have ended well."""
    printed, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    return printed.split("\n")[0], errors


def libraries_in(folder: Path) -> list[Path]:
    """The libraries that are kept in a folder."""
    return sorted(folder.glob("*.so"))
