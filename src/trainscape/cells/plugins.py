"""A user's own parts: Python files that register datasets, workloads, optimizers or schedules.

A plugin uses the decorators that this package's own parts use. It may import files that lie beside
it; their source, too, counts in the digest of the cells that use the plugin's parts.
"""

from __future__ import annotations

import importlib.util
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from trainscape import source
from trainscape.errors import UserError, cut, shown
from trainscape.files import kind
from trainscape.user_lines import PLUGIN

if TYPE_CHECKING:
    from collections.abc import Iterable

LINE = 1000  # characters of a refusal, which may repeat a plugin's own texts


def load(paths: Iterable[str]) -> None:
    """Import the plugin files, each once a process.

    Raises:
        UserError: a file is missing or fails; names the file and the line.
    """
    for text in paths:
        if kind(text) != "file":
            raise UserError(f"plugins: no such file {shown(text)}")
        path = Path(text).resolve()
        name = f"{PLUGIN}{path.stem}"
        known = sys.modules.get(name)
        if known and known.__file__ == str(path):
            continue
        if known:
            raise UserError(f"plugins: {text!r} and {known.__file__!r} have the same file name")
        _execute(name, path, text)


def _execute(name: str, path: Path, text: str) -> None:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"plugins: {text!r} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    try:
        spec.loader.exec_module(module)
        _check_helpers(path)
    except UserError as error:
        del sys.modules[name]
        raise UserError(f"plugins: {text}: {cut(str(error), LINE)}") from error
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
        line = f", line {frames[-1].lineno}" if frames else ""  # a syntax error's text names it
        what = cut(" ".join(str(error).split()))
        raise UserError(f"plugins: {text}{line}: {type(error).__name__}: {what}") from error


def _check_helpers(path: Path) -> None:
    """Refuse a plugin that got another module of the same name for the file that lies beside it.

    Its digest would cover the one file, and its numbers come from the other.
    """
    for name in source.closure([path]):
        if not name.endswith(".py"):
            continue  # this package's own
        helper = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        found = getattr(sys.modules.get(helper), "__file__", None)
        if found and Path(found).resolve() != (path.parent / name).resolve():
            raise UserError(f"imports {helper!r} from {found}; give {name!r} a name of its own")
