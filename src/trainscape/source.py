"""The source that decides a result, as a hash: comments, docstrings and layout don't count.

A file's hash is taken over our own walk of its syntax tree (``ast.dump`` changed its output between
Python versions). A module's closure is every first-party module that it imports, in turn, found
by reading import statements: nothing is imported to find out. A plugin's own modules are those that
lie beside it or below.
"""

from __future__ import annotations

import ast
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from trainscape.source_facts import Facts, Known

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

PACKAGE = Path(__file__).resolve().parent
known = Known(Path(".snakemake/trainscape/source.json"), reader=Path(__file__))

# First-party modules that training loads and that are not hashed, each with its reason.
EXCLUDED = {
    "trainscape": "holds the version only",
    "trainscape.errors": "words for messages",
    "trainscape.files": "writes files",
    "trainscape.alive": "tells whether a process runs",
    "trainscape.sealed": "writes files, and refuses what is not as it was written",
    "trainscape.hashing": "hashes: what it says stands in the digest itself",
    "trainscape.user_lines": "words for messages",
    "trainscape.numerals": "words for messages",
    "trainscape.checks": "reads hyperparameters, which stand in the digest itself",
    "trainscape.numeric": "reads numbers, which stand in the digest itself",
    "trainscape.memory": "says whether memory has run out, of which no number is made",
    "trainscape.registry": "looks names up",
    "trainscape.hardware": "says what the machine is, on which no product depends",
    "trainscape.cells": "lists modules",
    "trainscape.cells.labels": "refuses labels",
    "trainscape.cells.locate": "finds an optimizer by the path that stands in the digest itself",
    "trainscape.cells.plugins": "imports files, which are hashed themselves",
    "trainscape.source": "hashes source: what it says stands in the digest itself",
    "trainscape.source_facts": "remembers what the above has read",
    "trainscape.cells.cell": "names and identity: what it says stands in the digest itself",
    "trainscape.pipeline": "holds no code",
    "trainscape.results": "holds no code",
    "trainscape.optimizers": "exports names",
    "trainscape.schedules": "exports names",
    "trainscape.workloads": "exports names",
    "trainscape.compiled": "holds no code",
    "trainscape.compiled.building": "calls a compiler: no number depends on which",
    "trainscape.compiled.compiler": "hands texts to it, and what comes back",
    "trainscape.compiled.libraries": "keeps and loads what was compiled",
    "trainscape.compiled.probe": "refuses compilers that compute wrongly",
    "trainscape.compiled.processes": "runs programs, and words for messages",
    "trainscape.compiled.toolchain": "chooses a compiler: no number depends on which",
    "trainscape.engine": "holds no code",
    "trainscape.engine.backend": "names the arithmetic; the name stands in every cell",
    "trainscape.engine.blame": "words for messages",
    "trainscape.engine.device": "chooses where to run",
    "trainscape.engine.leaving": "says when a process is to leave",
    "trainscape.engine.foresight": "says beforehand what fails, and what takes longer",
    "trainscape.engine.pulse": "says what is going on",
    "trainscape.engine.run": "hands every cell to the engine of its kind",
    "trainscape.engine.graph": "launches again what a GPU ran, kernel by kernel",
    "trainscape.engine.outputs": "looks at a model's outputs to refuse labels",
    "trainscape.engine.width": "how many trials train together: no number depends on it",
}
HEADERS = PACKAGE / "compiled" / "c"  # what programs are made of, beside what Python writes
INCLUDES_THEM = "trainscape.compiled.programs"
DATASETS = "trainscape.datasets"  # arrays are pinned by their content, whoever made them


def closure(entries: Iterable[Path], roots: Sequence[Path] = ()) -> dict[str, str]:
    """The hash of every first-party module that the files ``entries`` need, by name.

    Args:
        entries: source files, of this package or a user's.
        roots: the folders that a user's absolute imports start from; by default each entry's own.

    Raises:
        SyntaxError: a file is not Python.
    """
    starts = tuple(root.resolve() for root in roots)
    files = [entry.resolve() for entry in entries]
    found: dict[str, set[str]] = {}
    for name, path in {pair for file in files for pair in _reached(file, starts or (file.parent,))}:
        if name not in EXCLUDED:
            found.setdefault(name, set()).add(file_hash(path))
    if INCLUDES_THEM in found:
        found.update((f"trainscape.compiled.c.{h.stem}", {c_hash(h)}) for h in HEADERS.glob("*.h"))
    known.save()
    return {name: "+".join(sorted(hashes)) for name, hashes in sorted(found.items())}


@cache
def _reached(entry: Path, roots: tuple[Path, ...]) -> frozenset[tuple[str, Path]]:
    """The names and files of all modules that a file needs, itself among them."""
    seen: dict[Path, str] = {}
    todo = [entry]
    while todo:
        path = todo.pop()
        name = module_name(path, roots)
        if path in seen or name.startswith(DATASETS):
            continue
        seen[path] = name
        todo += imports(path, roots)
    return frozenset((name, path) for path, name in seen.items())


@cache
def _facts(path: Path) -> Facts:
    """What there is to know of a file; it is parsed only where its content was never seen."""
    content = path.read_bytes()

    def read() -> Facts:
        tree = ast.parse(content, str(path))
        meaning = hashlib.sha256(_canonical(tree).encode()).hexdigest()
        return Facts(meaning, sorted(set(_imported_names(tree))))

    return known.get(content, read)


def module_name(path: Path, roots: Sequence[Path]) -> str:
    """The dotted name of a file of this package; a user's file by its path below one of ``roots``.

    A user's file keeps its name, and so its cells their digests, wherever the folder lies.
    """
    if not path.is_relative_to(PACKAGE):
        above = (root for root in roots if path.is_relative_to(root))
        return path.relative_to(next(above, path.parent)).as_posix()
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def file_hash(path: Path) -> str:
    """The sha256 (hex) of a file's meaning: see :func:`canonical_source`."""
    return _facts(path).meaning


@cache
def c_hash(path: Path) -> str:
    """The sha256 (hex) of a file in C, without its comments and its layout."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = (" ".join(line.split()) for line in text.splitlines())
    return hashlib.sha256("\n".join(filter(None, lines)).encode()).hexdigest()


@cache
def imports(path: Path, roots: tuple[Path, ...]) -> tuple[Path, ...]:
    """The first-party files that ``path`` imports, whether at its top or inside a function.

    Args:
        path: a source file.
        roots: the folders that a user's absolute imports start from.
    """
    files: set[Path] = set()
    for level, name in _facts(path).imports:
        if level:
            files.update(located(name, path.parents[level - 1]))
        elif name.split(".")[0] == PACKAGE.name:
            files.update(located(name, PACKAGE.parent))
        elif not path.is_relative_to(PACKAGE):  # this package imports its own by full name only
            files.update(file for root in roots for file in located(name, root))
    return tuple(sorted(files))


def canonical_source(text: str, name: str = "<source>") -> str:
    """Python source as a text that only a change of meaning changes.

    Left out: comments, docstrings, layout, and what only type checkers read (``if TYPE_CHECKING``).
    ``name`` is what a syntax error calls it.
    """
    return _canonical(ast.parse(text, name))


def _canonical(tree: ast.AST) -> str:
    """The canonical text of a syntax tree."""
    pieces: list[str] = []
    _write(tree, pieces.append)
    return "".join(pieces)


def _write(node: object, put: Callable[[str], None]) -> None:
    """Hand over the pieces of a node's text, one after the other."""
    if isinstance(node, ast.AST):
        put(f"({type(node).__name__}")
        for name in _sorted(node._fields):
            value = getattr(node, name, None)
            if name == "body" and isinstance(value, list):
                value = [
                    child for child in _without_docstring(node, value) if not _only_for_types(child)
                ]
            if isinstance(node, ast.JoinedStr):  # Python 3.12.1 adds an empty one to some
                value = [child for child in node.values if getattr(child, "value", None) != ""]
            # Empty fields are left out, so that one added by a later Python changes nothing.
            if (value is None or value == []) and not isinstance(node, ast.Constant):
                continue
            put(f" {name}=")
            _write(value, put)
        put(")")
    elif isinstance(node, list):
        put("[")
        for child in node:
            _write(child, put)
        put("]")
    else:
        put(f"{type(node).__name__}:{node!r}")


@cache
def _sorted(fields: tuple[str, ...]) -> list[str]:
    return sorted(fields)


def _without_docstring(node: ast.AST, body: list[ast.stmt]) -> list[ast.stmt]:
    documented = isinstance(
        node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    )
    return body[1:] if documented and ast.get_docstring(node, clean=False) is not None else body  # type: ignore[arg-type]


def _only_for_types(node: ast.AST) -> bool:
    """Whether a statement is ``if TYPE_CHECKING:`` without an else."""
    if not isinstance(node, ast.If) or node.orelse:
        return False
    name = node.test.attr if isinstance(node.test, ast.Attribute) else node.test
    return name == "TYPE_CHECKING" or (isinstance(name, ast.Name) and name.id == "TYPE_CHECKING")


def _imported_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Level (leading dots) and dotted name of all that may be modules.

    Of ``from a import b`` that is ``a.b``: whoever locates it meets ``a`` on the way.
    """
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if _only_for_types(node):
            continue
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [node.module] if node.module else []
            yield from ((node.level, ".".join([*base, alias.name])) for alias in node.names)
        elif isinstance(node, ast.Call) and (name := _named_module(node)):
            yield len(name) - len(name.lstrip(".")), name.lstrip(".")
        todo += ast.iter_child_nodes(node)


def _named_module(call: ast.Call) -> str | None:
    """What ``importlib.import_module("name")`` or ``__import__("name")`` imports, as it is written.

    A name that is put together when the program runs cannot be read.
    """
    function = call.func.attr if isinstance(call.func, ast.Attribute) else call.func
    name = function.id if isinstance(function, ast.Name) else function
    first = call.args[0] if call.args else None
    if name not in ("import_module", "__import__") or not isinstance(first, ast.Constant):
        return None
    return first.value if isinstance(first.value, str) else None


@cache
def located(name: str, folder: Path) -> tuple[Path, ...]:
    """The files below ``folder`` that importing ``name`` runs: its packages', then its own."""
    found = []
    stem = folder
    for part in name.split("."):
        stem /= part
        for file in (stem / "__init__.py", stem.with_name(f"{part}.py")):
            if file.is_file():
                found.append(file.resolve())
                break
    return tuple(found)
