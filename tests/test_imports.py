"""What is slow to import stays out of where it is not needed.

Which room may import which is import-linter's to say: its contracts stand in pyproject.toml.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import snakemake_executor_plugin_fuse
import snakemake_logger_plugin_trainscape
import trainscape

ROOT = Path(__file__).parents[1]
PACKAGE = Path(trainscape.__file__).parent
PLUGINS = (snakemake_executor_plugin_fuse, snakemake_logger_plugin_trainscape)
HEAVY = {
    *("torch", "torchvision", "numpy", "scipy", "sklearn", "pandas", "matplotlib", "seaborn"),
    *("optuna", "snakemake", "pytest", "psutil", "cpuinfo"),
}

# What a room may load when all its modules are imported; a room without a row loads none of it.
ROOMS: dict[str, set[str]] = {
    "compiled": {"torch", "numpy"},
    "engine": {"torch", "numpy"},
    "throughput": {"torch", "numpy", "pytest"},  # its suite is run by pytest
    "results": {"numpy", "pandas"},
    "statistics": {"numpy", "scipy"},
    "analysis": {"numpy", "pandas", "scipy"},
    "figures": {"numpy", "pandas", "scipy", "matplotlib", "seaborn"},
    "charts": {"numpy", "pandas", "scipy", "matplotlib"},
    "answers": {"numpy", "pandas", "scipy"},
    # the page of a diff draws its own heatmaps
    "report": {"numpy", "pandas", "scipy", "matplotlib", "seaborn"},
    # a file for each stage, and each stage in its own process
    "pipeline": {"snakemake", "numpy", "pandas", "scipy", "matplotlib", "seaborn"},
    "snakemake_executor_plugin_fuse": {"snakemake"},
    "snakemake_logger_plugin_trainscape": {"snakemake"},
}
# What must be had without any of it, in rooms that load some for other work.
LIGHT = {
    "the command's help": "from trainscape.cli import main\ntry: main(['--help'])\n"
    "except SystemExit: pass",
    "cells, digests and file names": "from trainscape.cli import main; main(['targets', 'report'])",
    "the names of figures": "import trainscape.figures.names",
    "the name of the step times' file": "from trainscape import study, throughput\n"
    "from trainscape.cells import grid\n"
    "made = study.parse({}, 'test'); throughput.path(made, grid.cells(made))",
    "every schedule's table": "from trainscape.schedules import Clock, registry\n"
    "for name in registry.names(): registry.get(name)().table(Clock(5, 50))",
    "every optimizer's hyperparameters": "from trainscape.optimizers import registry\n"
    "for name in registry.names(): registry.get(name)()",
    "every workload": "from trainscape.workloads import registry\n"
    "for name in registry.names(): registry.get(name).name",
    "every dataset's hash": "from trainscape.datasets import registry\n"
    "for name in registry.names(): registry.get(name).sha256",
    "the machine's name": "from trainscape import hardware\n"
    "hardware.describe(), hardware.fingerprint('auto')",
}
LOADED = """
import json, sys
print()
print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))
"""


def rooms() -> dict[str, Path]:
    """Every room and every file of the ground floor, by name, and the two plugins of Snakemake."""
    found = {path.stem: path for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    own = {name: path for name, path in found.items() if not name.startswith("__")}
    return {**own, **{plugin.__name__: Path(str(plugin.__file__)).parent for plugin in PLUGINS}}


def imports(room: Path) -> str:
    """A line of code that imports all of a room's modules."""
    files = room.rglob("*.py") if room.is_dir() else [room]
    names = (file.relative_to(PACKAGE.parent).with_suffix("").parts for file in sorted(files))
    return "import " + ", ".join(".".join(n[:-1] if n[-1] == "__init__" else n) for n in names)


CASES = {
    "what the Snakefile imports": ("import trainscape.pipeline.workflow", {"snakemake"}),
    **{f"room {name}": (imports(room), ROOMS.get(name, set())) for name, room in rooms().items()},
    **{what: (code, set[str]()) for what, code in LIGHT.items()},
}


@pytest.mark.parametrize("case", CASES)
def test_nothing_heavy_is_loaded_but_where_it_is_used(case: str) -> None:
    """A fresh process that imports a room, or does what must be quick, loads what is listed."""
    code, allowed = CASES[case]
    command = [sys.executable, "-c", code + LOADED]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert HEAVY & set(json.loads(ran.stdout.splitlines()[-1])) <= allowed


def test_every_room_that_may_load_something_is_there() -> None:
    """A row of the table above names a room of today."""
    assert set(ROOMS) <= set(rooms())


def test_no_test_imports_another() -> None:
    """What test modules share lies in tests/kit."""
    for file in Path(__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            parts = {part for name in names for part in name.split(".")}
            assert not [part for part in parts if part.startswith("test_")], file
