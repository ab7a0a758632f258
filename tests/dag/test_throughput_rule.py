"""Step times are measured after training, with the machine to themselves."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kit.project import Project

RULE = "measure_throughput"
EVENT = re.compile(r"^(?:local)?rule (\w+):$|^Finished jobid: \d+ \(Rule: (\w+)\)$", re.MULTILINE)


def test_measured_alone(project: Project) -> None:
    """Measuring begins when all cells are trained, nothing runs beside it, and times are there."""
    project.change(lr=[0.2, 0.3], optimizer=["sgd"])
    project.change(throughput={"enabled": True, "rounds": 2, "block": 0.001})
    # settings of whoever runs the workflow are not for the pytest inside it
    project.run("env", "PYTEST_ADDOPTS=--no-such-option", "snakemake", "--cores", "all")
    events = _events(project)
    begun, ended = events.index(("begins", RULE)), events.index(("ends", RULE))
    running = {rule: 0 for _, rule in events}
    for what, rule in events[:begun]:
        running[rule] += 1 if what == "begins" else -1
    assert not any(running.values())
    assert events[:begun].count(("ends", "train")) == 2
    assert ended == begun + 1
    assert len(list((project / "results/throughput").glob("*.json"))) == 1
    header, *rows = (project / "results/timings.csv").read_text(encoding="utf-8").splitlines()
    column = header.split(",").index("step_time_s")
    assert len(rows) == 2 and all(float(row.split(",")[column]) > 0 for row in rows)
    assert json.loads((project / "results/timings.json").read_bytes())["hardware"]
    assert project.plan() == {}

    project.change(lr=[0.1, 0.2, 0.3], optimizer=["sgd"])  # a step takes as long at any rate
    planned = project.plan()
    assert planned["train"] == 1
    assert RULE not in planned


def _events(project: Project) -> list[tuple[str, str]]:
    """The jobs' beginnings and ends in order, as Snakemake's own log of the last run has them."""
    log = max((project / ".snakemake/log").glob("*.log"))
    found = EVENT.findall(log.read_text(encoding="utf-8"))
    return [("begins", begun) if begun else ("ends", ended) for begun, ended in found]
