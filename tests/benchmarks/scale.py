"""What a study costs beside its training as it grows: seconds and memory of every command."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import page, projects
from benchmarks.growth import exponent, picture
from benchmarks.output import Result, Table
from kit.browser import chromium
from kit.project import environment
from trainscape.compiled.libraries import CACHE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmarks.sizes import Sizes
    from kit.project import Project

LIMIT = 900  # seconds that a command may take
MIB = 1024  # of what the system counts in: KiB
OPTIMIZERS = (
    *("sgd", "momentum", "nesterov", "rmsprop", "adam"),
    *("adamw", "adagrad", "adadelta", "adamax", "nadam"),
)
SCHEDULES = ("constant", "linear", "cosine", "exponential", "polynomial")
# optimizers, batch sizes, learning rates, schedules; by cells
AXES = {
    8: (2, 2, 2, 1),
    16: (2, 2, 4, 1),
    1_000: (5, 5, 8, 5),
    5_000: (10, 5, 20, 5),
    10_000: (10, 10, 20, 5),
    100_000: (10, 20, 100, 5),
}
TRAINSCAPE = ("env", "PYTHONPATH=src", "python", "-m", "trainscape")
SNAKEMAKE = ("snakemake", "--cores", "all")
# commands in the order in which a study meets them
BEFORE = {
    "list the cells": (*TRAINSCAPE, "cells", "--paths"),
    "estimate": (*TRAINSCAPE, "estimate"),
    "plan: snakemake -n, nothing trained": ("snakemake", "-n"),
    "plan a tenth: --batch settle_cells=1/10": ("snakemake", "-n", "--batch", "settle_cells=1/10"),
}
STAGES = ("settle", "collect", "answer", "figures", "timings", "report")
AFTER = {
    **{f"make {stage}": (*TRAINSCAPE, "make", stage) for stage in STAGES},
    "nothing to do, files not seen yet": SNAKEMAKE,
    "nothing to do": SNAKEMAKE,
    "nothing to do: snakemake -n": ("snakemake", "-n"),
    "verify": (*TRAINSCAPE, "verify"),
    "diff": (*TRAINSCAPE, "diff", "before", "results", "--json"),
}
QUANTITIES = {
    "seconds": "Seconds",
    "processor": "Seconds of a core, over all processes",
    "mib": "MiB, of the largest process",
}
PAGE = {"megabytes": "page, MB", "ready_s": "ready, s", "chart_s": "first live chart, s"}
PICTURE = "scale.svg"
# a small process between: the system counts what a process holds before it becomes the command, too
WATCHED = """
import json, os, resource, signal, subprocess, sys
used, limit, *command = sys.argv[1:]
process = subprocess.Popen(command, start_new_session=True)
try:
    status = process.wait(float(limit))
except subprocess.TimeoutExpired:
    os.killpg(process.pid, signal.SIGKILL)
    sys.exit()
found = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(used, "w") as file:
    json.dump([status, found.ru_maxrss, found.ru_utime + found.ru_stime], file)
"""


@dataclass(frozen=True)
class Taken:
    """What a command took.

    Args:
        seconds: from its start to its end.
        processor: seconds of the processor, over all cores and processes.
        mib: the most memory that one of its processes held, in MiB.
        end: empty, or how it ended where that was no success.
    """

    seconds: float
    processor: float
    mib: float
    end: str = ""


@dataclass
class Grown:
    """What studies of several sizes took.

    Args:
        taken: by the command's name and the number of cells.
        pages: what each page weighs and how soon it can be used, a row each.
    """

    taken: dict[str, dict[int, Taken]] = field(default_factory=dict)
    pages: list[dict[str, Any]] = field(default_factory=list)

    def add(self, name: str, cells: int, taken: Taken) -> None:
        """Keep and show what a command took."""
        self.taken.setdefault(name, {})[cells] = taken
        print(f"scale: {cells} cells, {name}: {_shown(taken)}", flush=True)


def run(sizes: Sizes, folder: Path) -> Result:
    """Studies of made-up cells, from large to small: what fails at the largest is seen first."""
    grown = Grown()
    for cells in reversed(sizes.scale):
        _measure(grown, folder / str(cells), cells)
    return result(sizes, grown)


def result(sizes: Sizes, grown: Grown) -> Result:
    """Tables, the picture and what they say."""
    tables = [_table(title, quantity, sizes, grown) for quantity, title in QUANTITIES.items()]
    lines = {name: _by_cells(found, "processor") for name, found in grown.taken.items()}
    pages = sorted(grown.pages, key=lambda row: row["cells"])
    notes = [
        "Cells, finalists and step times are valid files that were not trained "
        "(tests/benchmarks/untrained.py): params.yaml with a larger grid, five seeds and 15 "
        "evaluations a cell. Axes, as optimizers × batch sizes × rates × schedules: "
        + "; ".join(f"{c:,} = {' × '.join(map(str, AXES[c]))}" for c in sizes.scale)
        + ".",
        "Each command is a process, measured once, its start included. "
        "Seconds of a core say what a command costs whatever else runs on the machine.",
        "Growth is the slope between the two largest sizes, 1 if linear, a command's start "
        "included. "
        f"The picture, {PICTURE}, shows seconds of a core.",
        f"A dash: not measured, or not at its end after {LIMIT} s.",
    ]
    return Result(
        "scale",
        "As a study grows",
        "make bench ONLY=scale",
        sizes.name,
        {
            "rows": [
                {"what": name, "cells": cells, **asdict(taken)}
                for name, found in grown.taken.items()
                for cells, taken in sorted(found.items())
            ],
            "pages": pages,
        },
        [*tables, Table({"cells": "cells", **PAGE}, pages, "The page")],
        notes,
        {PICTURE: picture(lines)},
    )


def _measure(grown: Grown, folder: Path, cells: int) -> None:
    """A study of so many cells, from its parameters to its page."""
    project = projects.fresh(folder, study(cells))
    projects.snakemake(project, *projects.targets(project, "data"))
    for name, command in BEFORE.items():
        grown.add(name, cells, measured(project, *command))
    seconds = projects.seconds(project, *projects.FILL)
    print(f"scale: {cells} cells written in {seconds:.0f} s", flush=True)
    for name, command in AFTER.items():
        if command[-1] == "--json":
            _other(project)
        taken = measured(project, *command)
        grown.add(name, cells, taken)
        if taken.end and name.startswith("make"):
            return  # what comes later reads what it makes
    grown.pages.append({"cells": cells, **_opened(project)})


def study(cells: int) -> dict[str, Any]:
    """params.yaml with a grid of so many cells."""
    optimizers, sizes, rates, schedules = AXES[cells]
    axes = {
        "optimizer": list(OPTIMIZERS[:optimizers]),
        "batch_size": [16 + 8 * k for k in range(sizes)],
        "lr": [float(f"{10 ** (-4 + 4.5 * k / rates):.3g}") for k in range(rates)],
        "schedule": list(SCHEDULES[:schedules]),
    }
    return {**projects.default_study(), "name": "scale", "grid": axes}


def measured(project: Project, *command: str) -> Taken:
    """Run a command to its end, or for as long as it may take."""
    said, used = project.shared / "said.txt", project.shared / "used.json"
    project.shared.mkdir(exist_ok=True)
    used.unlink(missing_ok=True)
    start = time.perf_counter()
    with said.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-S", "-c", WATCHED, str(used), str(LIMIT), *command],
            cwd=project.root,
            env={**environment(project.shared), CACHE: str(projects.compiled(project))},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        process.wait()
    seconds = time.perf_counter() - start
    if not used.exists():
        return Taken(seconds, 0, 0, f"not at its end after {LIMIT} s")
    status, kib, processor = json.loads(used.read_text())
    end = f"exit status {status}: {said.read_text()[-300:]}" if status else ""
    return Taken(seconds, processor, kib / MIB, end)


def _table(title: str, quantity: str, sizes: Sizes, grown: Grown) -> Table:
    """What every command took of one quantity, and how that grows."""
    columns = {"what": "", **{str(cells): f"{cells:,} cells" for cells in sizes.scale}}
    rows = []
    for name, found in grown.taken.items():
        by_cells = _by_cells(found, quantity)
        named = {str(cells): value for cells, value in by_cells.items()}
        rows.append({"what": name, **named, "exponent": exponent(by_cells)})
    return Table({**columns, "exponent": "grows as N to the power of"}, rows, title)


def _by_cells(found: Mapping[int, Taken], quantity: str) -> dict[int, float]:
    """One quantity, of the commands that came to a good end."""
    ended = {cells: taken for cells, taken in sorted(found.items()) if not taken.end}
    return {cells: getattr(taken, quantity) for cells, taken in ended.items()}


def _shown(taken: Taken) -> str:
    return (
        taken.end
        or f"{taken.seconds:.1f} s, {taken.processor:.1f} s of a core, {taken.mib:.0f} MiB"
    )


def _other(project: Project) -> None:
    """Another version of the results: one optimizer's trials come out a little worse."""
    before = project / "before"
    before.mkdir()
    for table in ("trials.csv", "confirm.csv"):
        with (project / "results" / table).open(newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            if row["optimizer"] == OPTIMIZERS[0] and row["test_metric"]:
                row["test_metric"] = repr(0.99 * float(row["test_metric"]))
                row["digest"] = row["digest"][::-1]
        with (before / table).open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)


def _opened(project: Project) -> dict[str, float]:
    """What the page weighs; how soon it can be used, where there is a browser."""
    file = project / "results" / "report.html"
    found = {"megabytes": file.stat().st_size / 1e6}
    try:
        with chromium() as browser:
            return found | page.opened(browser, file)
    except pytest.skip.Exception:
        return found
