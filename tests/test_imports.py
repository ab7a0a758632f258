"""Imports run one way, and the slow ones stay out of the rooms that do not need them."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import trainscape

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(trainscape.__file__).parent
KINDS = ("optimizers", "schedules", "workloads", "datasets")
HEAVY = ("torch", "torchvision", "pandas", "numpy", "matplotlib", "seaborn", "sklearn", "snakemake")
COUNT = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))
"""


def modules(room: str) -> list[str]:
    """Every module of a room: a file or a folder of the package, which must be there."""
    path = PACKAGE / room
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    assert files, room
    assert all(file.is_file() for file in files), f"{room} is gone: mend this test with the design"
    return [dotted(file) for file in files if file.stem != "__main__"]


def dotted(file: Path) -> str:
    """The name that a file of the package is imported by."""
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def loaded(*names: str) -> set[str]:
    """The top-level packages in a fresh process that imports these modules."""
    command = [sys.executable, "-c", COUNT, *names]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return set(json.loads(ran.stdout))


def imported(file: Path, *, late: bool = True) -> Iterator[str]:
    """The package's own modules that a file imports at run time; ``late`` ones in functions too."""
    todo: list[ast.AST] = [ast.parse(file.read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        if isinstance(node, ast.FunctionDef) and not late:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: import by the full name"
            base = node.module or ""
            inner = [f"{base}.{alias.name}" for alias in node.names]
            rooms = [name for name in inner if base == "trainscape" or is_module(name)]
            yield from rooms if base == "trainscape" else [base, *rooms]
        todo += ast.iter_child_nodes(node)


def is_module(name: str) -> bool:
    """Whether a dotted name is a file or folder of the package."""
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def own(room: str) -> set[str]:
    """The rooms of the package that a room imports, itself left out."""
    found = set()
    for name in modules(room):
        path = PACKAGE.parent.joinpath(*name.split("."))
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        for target in imported(file):
            parts = target.split(".")
            if parts[0] == "trainscape" and len(parts) > 1:
                found.add(parts[1])
    return found - {room, "__version__", *(name.split(".")[1] for name in modules(room))}


@pytest.mark.parametrize("room", ["analysis", "figures", "report", "results"])
def test_what_reads_results_never_imports_torch(room: str) -> None:
    """Tables, figures and report are made without loading torch."""
    assert loaded(*modules(room)) & {"torch", "torchvision"} == set()


def test_the_engine_never_imports_what_reads_results() -> None:
    """Training loads torch, and neither pandas, seaborn, matplotlib nor torchvision."""
    parts = [name for kind in KINDS for name in modules(kind)]
    found = loaded(*modules("engine"), *parts)
    assert "torch" in found, "or this test shows nothing"
    assert (
        found & {"pandas", "seaborn", "matplotlib", "torchvision", "sklearn", "pydantic"} == set()
    )


def test_listing_a_grid_imports_nothing_heavy() -> None:
    """The workflow is parsed once a job: cells, digests and file names come without numpy."""
    rooms = ["study", "grid", "identity", "layout", "source", "plugins", "budget", "results"]
    rooms.append("search")  # which imports Optuna when a search begins
    assert loaded(*(name for room in rooms for name in modules(room))) & set(HEAVY) == set()


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_listed_and_checked_without_torch(kind: str) -> None:
    """No entry of a registry loads torch or numpy when it is imported."""
    assert loaded(*modules(kind)) & {"torch", "torchvision", "numpy", "sklearn"} == set()


@pytest.mark.parametrize("kind", KINDS)
def test_registries_never_import_each_other(kind: str) -> None:
    """An optimizer knows no schedule, a workload no dataset: all but their own base is shared."""
    assert own(kind) <= {"registry", "checks", "errors", "files", "lines", "source"}


@pytest.mark.parametrize("room", ["cell", "budget", "errors"])
def test_the_ground_floor_imports_nothing_of_ours(room: str) -> None:
    """Cell, budget and errors stand on the standard library alone."""
    assert own(room) == set()


# What each room may import of ours.
ROWS: dict[str, set[str]] = {
    "checks": {"errors"},
    "registry": {"errors"},
    "source_facts": {"errors", "files"},
    "source": {"source_facts"},
    "lines": {"errors"},
    "plugins": {"errors", "lines", "source"},
    "complaints": {"errors"},
    "yaml_file": {"errors"},
    "values": set(),
    "axes": {"errors", "values"},
    "design": {"errors", "values"},
    "study": {"axes", "complaints", "design", "errors", "values", "yaml_file"},
    "locate": {"errors"},
    "imported": {"cell", "locate", "optimizers"},
    "tryout": {"engine", "errors", "imported", *KINDS},  # a model's shapes, where torch is there
    "parts": {"values", "complaints", "cell", "errors", "imported", "locate", "tryout", *KINDS},
    "grid": {"axes", "parts", "tryout", "cell", "budget", "errors", "hardware", "plugins", *KINDS},
    "hardware": {"cell"},
    "identity": {"cell", "hardware", "locate", "source", *KINDS},
    "engine": {"cell", "budget", "errors", "imported", "lines", *KINDS},
    "files": {"errors"},
    "search": set(),
    "rounds": {"cell", "design", "errors", "files", "source"},
    "results": {"cell", "errors", "files"},
}


@pytest.mark.parametrize("room", sorted(ROWS))
def test_imports_run_one_way(room: str) -> None:
    """A room imports what stands to its left, and no more than its row says."""
    assert own(room) - ROWS[room] == set()


@pytest.mark.parametrize(
    ("room", "right"),
    [
        ("analysis", {"figures", "report", "cli", "engine"}),
        ("figures", {"report", "cli", "engine"}),
        ("report", {"cli", "engine"}),
    ],
)
def test_readers_look_only_to_their_left(room: str, right: set[str]) -> None:
    """Analysis, figures and report, in this order, never know who reads them, or who trained."""
    assert modules(room)
    assert own(room) & right == set()


def test_only_the_command_line_knows_both_sides() -> None:
    """Its imports stand inside the subcommands, so that help and listings load nothing heavy."""
    (name,) = modules("cli")
    top = {n for n in imported(PACKAGE / "cli.py", late=False) if n.startswith("trainscape.")}
    assert {n.split(".")[1] for n in top} & {"engine", "analysis", "figures", "report"} == set()
    assert loaded(name) & set(HEAVY) == set()
