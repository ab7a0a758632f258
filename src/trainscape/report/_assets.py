"""The page's own files: its styles and scripts, in the order in which they stand in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER = Path(__file__).parent
STYLES = ("base", "map", "table", "parts")
SCRIPTS = (
    *("core", "charts", "workloads", "snippets", "forest", "sensitivity", "cell", "grid", "map"),
    *("scaling", "cost", "curves", "table", "figures", "print", "page"),
)


def style(*names: str) -> Markup:
    """Style sheets of the folder ``style``, one after the other; all of them if none is named."""
    return _joined("style", "css", names or STYLES)


def script(*names: str) -> Markup:
    """Scripts of the folder ``script`` as one function; all of the report if none is named.

    So nothing of them is global.
    """
    return Markup("(() => {\n") + _joined("script", "js", names or SCRIPTS) + Markup("})();\n")


def _joined(folder: str, kind: str, names: Sequence[str]) -> Markup:
    """Files that need no escaping, since nothing in them is a user's."""
    files = (FOLDER / folder / f"{name}.{kind}" for name in names)
    return Markup("".join(file.read_text(encoding="utf-8") for file in files))
