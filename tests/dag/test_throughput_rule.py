"""Step times are measured after training, with the machine to themselves, and shown."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kit.project import Project

STUDY = "studies/cnn-batch-size-smoke.yaml"
RULE = "measure_throughput"
# tables with a row for each cell, and columns that hold numbers above zero
TIMED = {
    "timings.csv": ["step_time_s"],
    "figures/digits-cnn/batch-table/batch-table.csv": [
        *("train_time_s", "samples_per_s", "peak_memory_bytes", "test_metric_mean")
    ],
}
EVENT = re.compile(r"^(?:local)?rule (\w+):$|^Finished jobid: \d+ \(Rule: (\w+)\)$", re.MULTILINE)


def test_a_part_of_article_five(clean: Project) -> None:
    """Its cells train, are timed with the machine to themselves, and replayed; figures tell it all.

    Measuring begins when all cells are trained, and nothing runs beside it.
    """
    words = ["--configfile", STUDY, "--config", "budget={epochs: 1}", "seeds=1"]
    words += ["throughput={patience: 0.01, block: 0.001}", "replay={runs: 20}"]
    grid = "grid={{batch_size: [64, 256], lr: [{}]}}"
    # settings of whoever runs the workflow are not for the pytest inside it
    theirs = ("env", "PYTEST_ADDOPTS=--no-such-option")
    clean.run(*theirs, "snakemake", "--cores", "2", *words, grid.format("0.01, 0.1"))

    events = _events(clean)
    begun, ended = events.index(("begins", RULE)), events.index(("ends", RULE))
    running = {rule: 0 for _, rule in events}
    for what, rule in events[:begun]:
        running[rule] += 1 if what == "begins" else -1
    assert not any(running.values())
    assert events[:begun].count(("ends", "train")) == 4
    assert ended == begun + 1
    output = clean / "results-cnn-batch-size-smoke"
    assert len(list((output / "throughput").glob("*.json"))) == 1
    assert json.loads((output / "timings.json").read_bytes())["hardware"]
    for table, columns in TIMED.items():
        header, *rows = (output / table).read_text(encoding="utf-8").splitlines()
        places = [header.split(",").index(name) for name in columns]
        assert len(rows) == 4
        assert all(float(row.split(",")[place]) > 0 for row in rows for place in places)

    assert clean.plan(*words, grid.format("0.01, 0.1")) == {}
    planned = clean.plan(*words, grid.format("0.01, 0.1, 0.3"))  # a step takes as long at any rate
    assert planned["train"] == 2
    assert RULE not in planned
    # no two measurements are equal: what is made of them is made again, too
    again = clean.plan(*words, grid.format("0.01, 0.1"), "--forcerun", RULE)
    assert {RULE, "draw_timings", "write_report"} <= set(again)
    assert "train" not in again


def _events(project: Project) -> list[tuple[str, str]]:
    """The jobs' beginnings and ends in order, as Snakemake's own log of the last run has them."""
    log = max((project / ".snakemake/log").glob("*.log"))
    found = EVENT.findall(log.read_text(encoding="utf-8"))
    return [("begins", begun) if begun else ("ends", ended) for begun, ended in found]
