"""What others call: C text in, a loaded library out.

A compiler is a help and no more. Where there is none, or where it fails, the caller gets one line
that says why and goes on without. What was compiled is kept by all that decides its bytes, so that
a process of a later run, or of another machine with the same folder, loads it at once.

Which compiler there is stands in `toolchain.py`, how it is called in `building.py`, and what is
kept in `libraries.py`.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from trainscape.compiled import toolchain
from trainscape.compiled.building import Compiler, build, headers
from trainscape.compiled.libraries import CACHE, cache_folder, found_or_made, keep, kept, opened
from trainscape.compiled.processes import CompileError as CompileError
from trainscape.compiled.toolchain import NoCompiler as NoCompiler
from trainscape.hashing import sha256

if TYPE_CHECKING:
    from ctypes import CDLL

    Result = TypeVar("Result")

# All variables of the environment that decide what is compiled, and where it is kept.
SETTINGS = (
    *(toolchain.CC, toolchain.MARCH, toolchain.MORE, "PATH"),
    *(CACHE, "XDG_CACHE_HOME", "HOME"),
)


def load(text: str) -> CDLL:
    """The library that C text compiles to, loaded; equal text gives the same one.

    Args:
        text: C; it may include the headers of :data:`trainscape.compiled.building.HEADERS`.

    Raises:
        NoCompiler: there is none of use on this machine, or none is wanted.
        CompileError: the compiler failed, was killed or ran for too long.
    """
    return _given(_loaded(text, _settings()))


def compiler() -> Compiler:
    """The compiler that :func:`load` uses; the first call may run it, to see that it works.

    Raises:
        NoCompiler: there is none of use on this machine, or none is wanted.
    """
    return _given(_chosen(_settings()))


# --- what failed once is not tried again ---------------------------------------------------------


def _settings() -> tuple[str | None, ...]:
    """What the environment says, for results that are kept in this process."""
    return tuple(os.environ.get(name) for name in SETTINGS)


@cache
def _chosen(_: tuple[str | None, ...]) -> Compiler | NoCompiler:
    """The compiler, or why there is none."""
    try:
        return toolchain.first_that_works()
    except NoCompiler as error:
        return error.with_traceback(None)


@cache
def _loaded(text: str, _: tuple[str | None, ...]) -> CDLL | NoCompiler | CompileError:
    """The library, or why there is none."""
    try:
        return _library(compiler(), text)
    except (NoCompiler, CompileError) as error:
        return error.with_traceback(None)
    except OSError as error:
        return CompileError(str(error))


def _given(found: Result | NoCompiler | CompileError) -> Result:
    """What was found; an error is raised anew."""
    if isinstance(found, NoCompiler | CompileError):
        raise type(found)(*found.args)
    return found


# --- one library ---------------------------------------------------------------------------------


def _library(found: Compiler, text: str) -> CDLL:
    """The library of a text, from the folder of those that are kept or made anew."""
    path = cache_folder() / f"{_key(found, text)}.so"
    return found_or_made(
        path, kept, lambda: build(found, text, lambda made: keep(made, path), opened)
    )


def _key(found: Compiler, text: str) -> str:
    """The sha256 over all that decides a library's bytes."""
    by = (found.flags, found.command, found.identity)
    return sha256([text, headers(), *by, toolchain.cpu()])
