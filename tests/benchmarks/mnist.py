"""A small grid on MNIST at batch 64: where a matrix product is large enough to matter."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.grid import COLUMNS, Grid, compared, sentence
from benchmarks.output import Result, Table

if TYPE_CHECKING:
    from benchmarks.sizes import Sizes

VARIABLE = "TRAINSCAPE_RAW"
STUDY: dict[str, Any] = {
    "name": "mnist-small",
    "output": "results-mnist-small",
    "workloads": ["mnist-mlp"],
    "budget": {"epochs": 1},
    "seeds": 2,
    "validation": 0.1,
    "grid": {
        "optimizer": ["momentum", "adam"],
        "batch_size": [64],
        "lr": [0.0003, 0.001, 0.003, 0.01],
        "schedule": ["constant"],
    },
    "throughput": {"enabled": False},
}
TITLE = "A small grid on MNIST, several ways"
COMMAND = f"{VARIABLE}=FOLDER make bench ONLY=mnist"


def run(sizes: Sizes, folder: Path) -> Result:
    """Ours, the eager loop and the articles' script on mnist-mlp; skipped without the files."""
    source = os.environ.get(VARIABLE)
    if not source or not Path(source).is_dir():
        why = f"{VARIABLE} names no folder with MNIST's four files"
        data = {"skipped": why, "rows": []}
        return Result("mnist", TITLE, COMMAND, sizes.name, data, [], [f"Skipped: {why}."])
    os.environ[VARIABLE] = str(Path(source).resolve())  # scratch projects have other folders
    budget = {"steps": sizes.steps} if sizes.steps else STUDY["budget"]
    of = Grid(folder, {**STUDY, "budget": budget})
    ways, project = of.ours(whole=not sizes.quick)
    data_folder = project / "data"
    plain, outcomes = of.plain(2 if sizes.quick else len(of.jobs), data_folder)
    ways += [*plain, of.script(sizes.scripts, data_folder)]
    if not sizes.quick:
        ways.append(of.training("again"))
    rows = compared(ways)
    agreement = of.agreement(project, outcomes)
    return Result(
        "mnist",
        TITLE,
        COMMAND,
        sizes.name,
        {"study": of.raw, "rows": rows, "agreement": agreement, "variants": of.variants},
        [Table(COLUMNS, rows)],
        [
            f"{len(of.cells)} cells, {len(of.jobs)} trials of {of.steps[64]:,} steps "
            f"({'one epoch' if not sizes.steps else 'a part of an epoch'}) at batch 64; "
            "54,000 training, 6,000 validation and 10,000 test images.",
            "The ratios are to our way in the first line; its run at the end shows how far the "
            "machine drifted.",
            sentence(agreement),
        ],
    )
