"""After a change of the source: what a sample of trained cells says of the others."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kit.project import Project

STREAMS = "src/trainscape/engine/streams.py"
TEXT = 'text = "/".join(map(str, (seed, *stream)))'
SAME = 'text = "/".join(str(word) for word in (seed, *stream))'
OTHER = 'text = "|".join(str(word) for word in (seed, *stream))'
REKEY = ("env", "PYTHONPATH=src", "python", "-m", "trainscape", "rekey", "--sample", "1")


def test_the_source_changes(project: Project) -> None:
    """As a refactoring cells are carried over, and the page says so; with other numbers none is."""
    before = _numbers(project)
    project.edit(STREAMS, TEXT, SAME)
    assert project.plan()["train"] == 4
    said = project.run(*REKEY)
    assert "digits-mlp sgd: 1 cell the same, 1 carried over" in said
    assert "digits-mlp adam: 1 cell the same, 1 carried over" in said
    assert len([job for job in project.work() if job.startswith("train ")]) == 2
    assert "train" not in project.plan()
    project.snakemake()
    assert not any(job.startswith("train ") for job in project.work())
    assert _numbers(project) == before
    assert project.rows("carried.csv") == 2
    page = (project / "results/report.html").read_text(encoding="utf-8")
    assert "carried over by sampling" in page
    assert "1 cell, as 1 retrained cell had the same numbers" in page
    assert project.trainscape("verify")[1].startswith("2 cells carried over by sampling")

    project.edit(STREAMS, SAME, OTHER)
    refused = project.fail(*REKEY)
    assert "digits-mlp sgd: 1 cell compared, 1 not the same: none carried over" in refused
    assert "Traceback" not in refused
    assert project.plan()["train"] >= 2


def _numbers(project: Project) -> list[dict[str, str]]:
    """The rows of two tables without the digests."""
    rows: list[dict[str, str]] = []
    for table in ("trials.csv", "summary.csv"):
        with (project / f"results/{table}").open(encoding="utf-8", newline="") as file:
            rows += [
                {k: v for k, v in row.items() if k != "digest"} for row in csv.DictReader(file)
            ]
    return rows
