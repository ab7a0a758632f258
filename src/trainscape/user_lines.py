"""Names the line of a user's own file that an error came from."""

from __future__ import annotations

import sys
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from trainscape.errors import UserError, cut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PLUGIN = "trainscape_plugin_"  # what the names of plugins' modules begin with
LIBRARIES = tuple({Path(__file__).resolve().parent, *map(Path, (sys.prefix, sys.base_prefix))})


def line_of(error: BaseException) -> str:
    """The last line of a user's file in a traceback: ``plugins/mine.py, line 12: ``; '' if none.

    A user's files are plugins and what lies beside or below them.
    """
    frames = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    return next((_place(file, line) for file, line in reversed(frames) if _is_users(file)), "")


def line_where(function: Callable[..., object]) -> str:
    """The line at which a user's function is defined, in the same form; '' for all others."""
    code = getattr(function, "__code__", None)
    return (
        _place(code.co_filename, code.co_firstlineno)
        if code and _is_users(code.co_filename)
        else ""
    )


@contextmanager
def telling(what: str = "", of: type[BaseException] = Exception) -> Iterator[None]:
    """Turn an error in a user's own file into one line that names ``what``, the file and the line.

    Args:
        what: the line begins with it.
        of: the kind of error; SystemExit is that of code which ends the process, and with it the
            command, as if all was well.

    Raises:
        UserError: a user's line raised.
    """
    try:
        yield
    except UserError:
        raise
    except of as error:
        line = line_of(error)
        if not line:
            raise
        raise UserError(f"{what}: {line}{told(error)}" if what else line + told(error)) from error


def told(error: BaseException) -> str:
    """The error in one line, its kind first."""
    return cut(" ".join(f"{type(error).__name__}: {error}".split()))


def short(file: str) -> str:
    """A file as messages name it: by its path from the working folder, where it lies below it."""
    path, here = Path(file).resolve(), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _is_users(file: str) -> bool:
    """Whether a file lies beside or below a plugin, and in no library."""
    path = Path(file).resolve()
    if file.startswith("<"):  # code without a file, such as a recorded step's
        return False
    if any(path.is_relative_to(folder) for folder in LIBRARIES):
        return False
    plugins = [module for name, module in list(sys.modules.items()) if name.startswith(PLUGIN)]
    return any(path.is_relative_to(Path(str(module.__file__)).parent) for module in plugins)


def _place(file: str, line: int | None) -> str:
    """File and line as a message begins with them."""
    return f"{short(file)}, line {line}: "
