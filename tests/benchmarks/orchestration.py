"""What Snakemake, its executors and DVC cost beside the training, and with nothing to do."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from benchmarks import projects
from benchmarks.clock import Times, repeated
from benchmarks.output import Result, Table
from benchmarks.toy import EXECUTORS, Toy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benchmarks.sizes import Sizes

REPEATS = 3  # of what takes seconds; rounds where fewer
TOY_COLUMNS = {
    "what": "",
    "cells": "cells",
    "median_s": "seconds, median",
    "min_s": "best",
    "per_cell_ms": "ms a cell, median",
}
# 5 × 5 × 4 cells for each rate
AXES: dict[str, Any] = {
    "optimizer": ["sgd", "momentum", "nesterov", "rmsprop", "adam"],
    "batch_size": [16, 32, 64, 128, 256],
    "schedule": ["constant", "linear", "cosine", "exponential"],
}


def run(sizes: Sizes, folder: Path) -> Result:
    """Trivial cells by both executors, a dry run of many, and a finished study."""
    repeats = min(sizes.rounds, REPEATS)
    rows = [row for cells in sizes.toys for row in _toys(folder, cells, repeats)]
    planned = Toy(folder / "planned", sizes.planned)
    once = Times((planned.seconds("--dry-run"),))
    rows.append(_row("trivial cells, dry run", sizes.planned, once, "toy_dry_run"))
    print("orchestration: a finished study", flush=True)
    rows += _finished(folder / "finished", sizes, repeats)
    return Result(
        "orchestration",
        "What the workflow costs beside the training",
        "make bench ONLY=orchestration",
        sizes.name,
        {"rows": rows},
        [Table(TOY_COLUMNS, rows)],
        [
            "Trivial cells: a toy Snakefile whose jobs touch one file. By fuse, a few processes "
            "make them; by local, each is a job of Snakemake's own executor and a shell.",
            f"Both executors take turns, {repeats} times; each run starts from nothing.",
            "The finished study holds valid cells that were not trained "
            "(tests/benchmarks/untrained.py); its tables, figures and report are made from them.",
        ],
    )


def _toys(folder: Path, cells: int, repeats: int) -> list[dict[str, Any]]:
    """Trivial cells, by each executor that is there."""
    print(f"orchestration: {cells} trivial cells", flush=True)
    names = [name for name in EXECUTORS if name != "fuse" or _has_fuse()]
    counts = iter(range(1000))

    def once(name: str) -> float:
        toy = Toy(folder / f"{name}-{cells}-{next(counts)}", cells)
        seconds = toy.seconds(*EXECUTORS[name])
        if toy.made() != cells:
            raise RuntimeError(f"{name} made {toy.made()} of {cells} cells")
        return seconds

    times = repeated([partial(once, name) for name in names], repeats)
    return [
        _row(f"trivial cells, --executor {name}", cells, found, f"toy_{name}")
        for name, found in zip(names, times, strict=True)
    ]


def _finished(folder: Path, sizes: Sizes, repeats: int) -> list[dict[str, Any]]:
    """A study that is made to its report, in which there is nothing to do."""
    project = projects.fresh(folder, _study(sizes.finished))
    count = len(project.trainscape("cells"))
    projects.snakemake(project, *projects.targets(project, "data"))
    projects.run(project, *projects.FILL)
    made = projects.snakemake(project)
    projects.run(project, "dvc", "commit", "--force")
    works: dict[str, Callable[[], float]] = {
        "nothing_to_do": lambda: projects.snakemake(project),
        "dry_run": lambda: projects.snakemake(project, "--dry-run"),
        "parse": lambda: projects.seconds(project, "snakemake", "--list-rules"),
        "dvc_status": lambda: projects.seconds(project, "dvc", "status"),
    }
    words = {
        "nothing_to_do": "finished study, snakemake with nothing to do",
        "dry_run": "finished study, snakemake -n",
        "parse": "finished study, reading the Snakefile (--list-rules)",
        "dvc_status": "finished study, dvc status",
    }
    times = repeated(list(works.values()), repeats)
    first = _row("tables, figures and report from given cells", count, Times((made,)), "aggregates")
    rest = zip(works, times, strict=True)
    return [first, *(_row(words[name], count, found, name) for name, found in rest)]


def _study(rates: int) -> dict[str, Any]:
    """A study of 100 cells for each rate; of 4 cells for none."""
    axes: dict[str, Sequence[Any]] = {**AXES, "lr": [round(0.001 * 2**i, 6) for i in range(rates)]}
    if not rates:
        axes = {"optimizer": ["sgd", "adam"], "batch_size": [64, 256], "lr": [0.01]}
    off = {name: {"enabled": False} for name in ("throughput", "range_test")}
    changes = {"budget": {"epochs": 10}, "seeds": 3, **off}
    return {**projects.default_study(), **changes, "grid": axes}


def _row(what: str, cells: int, times: Times, key: str) -> dict[str, Any]:
    per_cell = 1000 * times.median / cells
    return {"key": key, "what": what, "cells": cells, **times.plain(), "per_cell_ms": per_cell}


def _has_fuse() -> bool:
    return find_spec("snakemake_executor_plugin_fuse") is not None
