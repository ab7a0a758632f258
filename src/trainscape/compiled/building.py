"""From C text to a file: a compiler is called in an empty folder, which is then removed.

Which compiler is called stands in `toolchain.py`; what is done with the file, in `libraries.py`.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from trainscape.compiled.libraries import CACHE, cache_folder
from trainscape.compiled.processes import CompileError, TooLongError, run, tell
from trainscape.files import scratch_folder
from trainscape.hashing import file_sha256

if TYPE_CHECKING:
    from collections.abc import Callable

    Result = TypeVar("Result")

HEADERS = Path(__file__).parent / "c"


class Compiler(NamedTuple):
    """A compiler, and how it is called.

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


def headers() -> dict[str, str]:
    """The sha256 (hex) of every file that C may include from :data:`HEADERS`, by its name."""
    return {path.name: file_sha256(path) for path in sorted(HEADERS.glob("*.h"))}


def build(
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
    except TooLongError:
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
    tell(folder, line)
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
    run(found.name, (*found.command, *found.flags, *files), scratch, **_surroundings(scratch))
    made = scratch / "step.so"
    if not made.is_file():
        raise CompileError(f"{found.name} made no file")
    return made


def _surroundings(scratch: Path) -> dict[str, str]:
    """The environment variables by which all that a compiler leaves is removed with its folder.

    But for what zig needs of the C library, which it compiles once, in some seconds.
    """
    kept = cache_folder()
    zig = kept.parent / "zig" if scratch.parent == kept else scratch
    return {
        "TMPDIR": str(scratch),
        "ZIG_LOCAL_CACHE_DIR": str(scratch),
        "ZIG_GLOBAL_CACHE_DIR": os.environ.get("ZIG_GLOBAL_CACHE_DIR", str(zig)),
    }
