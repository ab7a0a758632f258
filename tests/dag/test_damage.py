"""What is damaged is named and never used; what fails leaves what was there."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from kit.project import Project

TEMPLATE = "{% broken"


TRAINSCAPE = ("env", "PYTHONPATH=src", "python", "-m", "trainscape")


def test_edited_accuracy(project: Project) -> None:
    """No table is made of an edited cell, by hand either; the cell is named."""
    path = project.cells()[0]
    _embellish(project / path)
    before = project.results()
    shutil.rmtree(project / "results/.made/collect")
    said = project.fail(*TRAINSCAPE, "make", "collect")
    assert path in said and "edited" in said and "Traceback" not in said
    assert path in project.fail(*TRAINSCAPE, "verify")
    assert project.results() == before  # what was there is there still
    assert "collect" not in project.stamps()  # and is not taken for fresh


def test_edited_cell_in_the_attic(project: Project) -> None:
    """A cell that was edited in the attic is trained again, not brought back."""
    rates = [0.01, 0.1]
    cell = next(path for path in project.cells() if "/sgd/bs256-lr0.1-" in path)
    whole = (project / cell).read_bytes()
    project.change(lr=rates[:1])
    project.snakemake(*project.trainscape("targets", "collect"))
    for path in (project / "results/.attic").glob("*.json"):
        _embellish(path)
    project.work()
    project.change(lr=rates)
    project.run("snakemake", "--cores", "all", cell)
    assert project.work() == {"train sgd lr0.1"}
    assert (project / cell).read_bytes() == whole


def test_failing_report(project: Project) -> None:
    """A report that cannot be written leaves the last one readable, for Snakemake and for DVC."""
    before = project.results()
    template = project / "src/trainscape/report/report.html.j2"
    template.write_text(TEMPLATE, encoding="utf-8")
    project.fail("dvc", "repro", "--single-item", "report")
    assert project.work() == {"report"}
    assert project.results() == before
    project.git("checkout", "--quiet", "src")
    project.dvc("repro")
    assert project.work() == set()
    assert project.state() == ""


def test_failing_tables(project: Project) -> None:
    """Tables that cannot be made leave the last tables, figures and report as they are."""
    project.change(lr=[0.01])
    read = "    cells = read_entries"
    project.edit("src/trainscape/pipeline/collect.py", read, f"    raise SystemExit(1)\n{read}")
    before = _products(project)
    project.fail("snakemake", "--cores", "all")
    assert _products(project) == before
    assert project.work() & {"collect", "report"} == {"collect"}


def _products(project: Project) -> dict[str, bytes]:
    """All results but the cells, which are settled before any table is made."""
    return {path: made for path, made in project.results().items() if "/cells/" not in path}


def test_damaged_data(project: Project) -> None:
    """No cell trains on a damaged dataset; a message says how to replace it, and a run does."""
    file = project / "data/digits.npz"
    whole = file.read_bytes()
    _alter(file)
    cell = project.cells()[0]
    (project / cell).unlink()
    said = project.fail(*TRAINSCAPE, "train", cell)
    assert "data/digits.npz" in said and "trainscape data digits" in said
    assert not (project / cell).exists()
    assert project.fail(*TRAINSCAPE, "verify")
    project.snakemake(cell)  # makes the data again, then trains
    assert file.read_bytes() == whole
    assert (project / cell).exists()


def _alter(file: Path) -> None:
    """Change one pixel, in a file that is whole."""
    with np.load(file) as content:
        arrays = {name: content[name].copy() for name in content}
    next(iter(arrays.values())).flat[0] ^= 1
    np.savez(file, allow_pickle=False, **arrays)


def _embellish(path: Path) -> None:
    """Give a cell file a better accuracy."""
    body = json.loads(path.read_text(encoding="utf-8"))
    body["trials"][0]["test_metric"][-1] = 0.999
    path.write_text(json.dumps(body, sort_keys=True, separators=(",", ":")), encoding="utf-8")
