"""What is there and is not what was made is made again; `trainscape verify` says the same."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from trainscape.results.cell_files import read_cell, write_cell

if TYPE_CHECKING:
    from pathlib import Path

    from kit.project import Project

SAID = "and is to be made again"
# root without its rights over others' files: as any user, it cannot write to a protected file
PLAIN = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
VERIFY = ("env", "PYTHONPATH=src", "python", "-m", "trainscape", "verify", "--all")
EVERY_TABLE = {"collect", "answer", "figures", "timings", "report"}
# While a job runs, all that is there gets a date of an hour hence, as if the clock then went back.
AHEAD = """import os, sys, time
from pathlib import Path

if sys.argv[0].endswith("trainscape/__main__.py"):
    for path in [*Path("data").rglob("*"), *Path("results").rglob("*")]:
        if path.exists():
            os.utime(path, (time.time() + 3600,) * 2)
"""
# A process that trains is killed when it is about to end.
DIES = """import atexit, os, signal, sys

if "train" in sys.argv:
    atexit.register(os.kill, os.getpid(), signal.SIGKILL)
"""


def _may_be_plain() -> bool:
    """Whether commands can be run with a user's rights."""
    if os.geteuid() != 0:
        return True
    found = shutil.which("setpriv") is not None
    return (
        found and not subprocess.run([*PLAIN, "true"], capture_output=True, check=False).returncode
    )


def doubted(said: str) -> set[str]:
    """The files that a run of Snakemake says are to be made again."""
    lines = (line for line in said.splitlines() if line.endswith(SAID))
    return {line.removeprefix("trainscape: ").split()[0] for line in lines}


def complained(project: Project) -> set[str]:
    """The files that `trainscape verify` complains of."""
    said = project.call(*VERIFY)
    lines = (line for line in said.stderr.splitlines() if line.endswith("to make it again"))
    found = {line.split(": ")[0] for line in lines}
    assert bool(found) == bool(said.returncode)
    return found


def test_tables_of_another_study(project: Project) -> None:
    """Committed tables over those of a smaller study are not taken for its own, by DVC either."""
    project.change(lr=[0.1])
    project.snakemake()
    small = project.results()
    project.git("checkout", "--quiet", "--", "results")
    assert project.rows() == 4
    project.work()
    wrong = complained(project)
    assert {"results/summary.csv", "results/metrics.json"} < wrong
    assert doubted(project.snakemake("--dry-run")) == wrong
    project.dvc("repro")
    assert project.work() == EVERY_TABLE - {"report"}  # which DVC keeps, not git
    assert project.results() == small
    assert complained(project) == set()
    assert project.plan() == {}


def test_an_edited_number(project: Project) -> None:
    """No number that was edited in a table reaches the report, whoever asks for the page."""
    made = project.results()
    project.edit("results/summary.csv", "digits-mlp", "digits-MLP")
    project.edit("results/report.html", "digits-mlp", "digits-MLP")
    assert "results/summary.csv: was changed" in project.fail(
        *("env", "PYTHONPATH=src", "python", "-m", "trainscape", "make", "report")
    )
    wrong = complained(project)
    assert wrong == {"results/summary.csv", "results/report.html"}
    assert doubted(project.snakemake("data/digits.npz")) == wrong
    assert project.work() == set()  # what was not asked for waits
    assert doubted(project.snakemake("results/report.html")) == wrong
    assert project.work() == EVERY_TABLE
    assert project.results() == made


def test_an_edited_dataset(project: Project) -> None:
    """It is made again to the byte, though its arrays are whole; no cell is, as none reads it."""
    file = project / "data/digits.npz"
    made = file.read_bytes()
    file.write_bytes(made + b"x")
    assert complained(project) == doubted(project.snakemake()) == {"data/digits.npz"}
    assert project.work() == {"digits"}
    assert file.read_bytes() == made
    assert complained(project) == set()


def test_a_damaged_cell(project: Project) -> None:
    """It is trained again, to the same bytes, and the tables are made of it."""
    cell, other = project.cells()[:2]
    made = (project / cell).read_bytes()
    project.edit(cell, '"seed":0', '"seed":5')
    shutil.copy(project / other, (kept := project / other).with_suffix(".kept"))
    (project / other).write_bytes(kept.read_bytes()[:-200])
    assert complained(project) == doubted(project.snakemake("--dry-run")) == {cell, other}
    assert doubted(project.snakemake()) == {cell, other}
    assert project.work() - EVERY_TABLE == {"train adam lr0.01", "train adam lr0.1", "settle"}
    assert (project / cell).read_bytes() == made
    assert complained(project) == set()


def test_a_cell_of_another_machine(project: Project) -> None:
    """A cell of another version is whole, and the tables are not made from it: they alone are."""
    cell = project.cells()[0]
    record = read_cell(project / cell)
    trial = replace(record.trials[0], test_metric=[0.5] * len(record.steps))
    other = replace(record, backend="elsewhere", trials=[trial, *record.trials[1:]])
    write_cell(project / cell, other)
    (stamp,) = (project / "results/.made/train").iterdir()
    stamped = str(stamp.relative_to(project.root))
    assert f"{stamped}: was made from another {cell} than is there" in project.fail(*VERIFY)
    assert doubted(project.snakemake()) == {stamped}
    assert project.work() == {"settle", *EVERY_TABLE}
    assert "elsewhere" in (project / "results/trials.csv").read_text(encoding="utf-8")
    assert complained(project) == set()


def test_stamps_and_links_that_lie(project: Project) -> None:
    """A stamp speaks for exactly its stage's files; a link that leads nowhere is no file."""
    made = project.results()
    figure, table = "results/figures/digits-mlp/curves/sgd.svg", "results/summary.csv"
    (stamp,) = (project / "results/.made/figures").iterdir()
    stamp.write_text('{"/etc/hostname": "00"}', encoding="utf-8")
    (project / figure).write_text("junk", encoding="utf-8")
    stamped = str(stamp.relative_to(project.root))
    assert complained(project) == doubted(project.snakemake("--dry-run")) == {stamped}
    for path in (project / table, project / project.cells()[0], project / "data/digits.npz"):
        path.unlink()
        path.symlink_to("/nowhere/at/all")
    with (project / "results/trials.csv").open("a", encoding="utf-8") as file:
        file.write("\n")
    project.snakemake()
    assert project.results() == made
    assert complained(project) == set()
    assert project.plan() == {}


def test_files_dated_in_the_future(project: Project) -> None:
    """No date loses a cell or fails a job, nor one that comes while cells train."""
    cell = project.cells()[0]
    for path in [*(project / "data").rglob("*"), *(project / "results").rglob("*")]:
        os.utime(path, (4e9, 4e9))
    (project / cell).unlink()
    (project / "plugins/ahead.py").write_text(AHEAD, encoding="utf-8")
    project.change(plugins=["plugins/ahead.py"])
    project.snakemake()
    assert project.work() - EVERY_TABLE == {"train adam lr0.01", "settle"}
    assert (project / "data/digits.npz").stat().st_mtime > time.time() + 3000
    assert project.plan() == {}


def test_marks_of_a_killed_run(project: Project) -> None:
    """A whole file is finished, whatever mark a killed run has left, and without a profile."""
    marks = project / ".snakemake/incomplete"
    for file in [*project.cells(), "results/summary.csv", "results/report.html"]:
        (marks / base64.b64encode(file.encode()).decode()).write_text("{}")
    assert project.plan() == {}
    project.snakemake("--workflow-profile", "none", "--rerun-triggers", "mtime")
    assert project.work() == set()


def test_a_process_that_dies_after_its_cell(project: Project) -> None:
    """What it had made by then is kept: nothing is trained again, and the run goes on."""
    cell = project.cells()[0]
    whole = (project / cell).read_bytes()
    (project / cell).unlink()
    (project / "plugins/dies.py").write_text(DIES, encoding="utf-8")
    project.change(plugins=["plugins/dies.py"])
    said = project.fail("snakemake", "--cores", "1", "--executor", "local", cell)
    assert "Failed: digits-mlp adam" in said and "Removing output" not in said
    assert (project / cell).read_bytes() == whole
    project.work()
    project.snakemake(cell)
    assert project.work() == set()


def test_options_that_would_mislead(project: Project) -> None:
    """`--touch` has nothing to touch; a batch trains its part of the cells and no other."""
    said = project.fail("snakemake", "--cores", "1", "--touch")
    assert "trainscape: --touch: time stamps decide nothing here" in said
    assert "Traceback" not in said and "Done in" not in said
    said = project.fail("snakemake", "--cores", "1", "--batch", "all=1/4")
    assert "'settle_cells=1/4' trains a part of them" in said
    shutil.rmtree(project / "results")
    project.work()
    for part, stages in (("1/2", set()), ("2/2", {"settle", *EVERY_TABLE})):
        project.snakemake("--batch", f"settle_cells={part}")
        work = project.work()
        assert len([job for job in work if job.startswith("train ")]) == 2
        assert {job for job in work if not job.startswith("train ")} == stages


def test_cells_of_another_study(project: Project) -> None:
    """The same cell is not trained twice in a project; its other file stays where it is."""
    cells = project.cells()
    first = [(project / cell).read_bytes() for cell in cells]
    words = ("--until", "settle_cells", "--config", "name=try", "output=results-try")
    said = project.snakemake(*words, "grid={lr: [0.1, 0.2]}")
    assert "training 2 cells, bringing back 2 cells" in said
    logs = sorted((project / "logs/try/train").rglob("*.log"))
    assert sum("restored" in log.read_text(encoding="utf-8") for log in logs) == 2
    for name in (cell for cell in cells if "lr0.1-" in cell):
        copied = project / name.replace("results", "results-try")
        assert copied.read_bytes() == (project / name).read_bytes()
    assert [(project / cell).read_bytes() for cell in cells] == first
    project.snakemake(*words, "--forcerun", "train")
    assert not any("restored" in log.read_text(encoding="utf-8") for log in logs)


@pytest.mark.skipif(not _may_be_plain(), reason="needs setpriv (util-linux), and to be let use it")
@pytest.mark.parametrize("folder", ["results", ".snakemake", "logs"])
def test_folders_that_cannot_be_written(project: Project, folder: str) -> None:
    """The run ends with a line that names one, and all that was made is as it was."""
    (project / "results/report.html").unlink()
    before = project.results()
    (project / folder).mkdir(exist_ok=True)
    places = [path for path in (project / folder).rglob("*") if path.is_dir()]
    for place in (project / folder, *places):
        place.chmod(0o555)
    said = project.fail(*(PLAIN if os.geteuid() == 0 else ()), "snakemake", "--cores", "1")
    assert "Traceback" not in said
    lines = [line for line in said.splitlines() if "cannot be written" in line]
    assert len(lines) == 1 and lines[0].removeprefix("trainscape: ").startswith(f"{folder}/")
    assert "Permission denied" in lines[0]
    assert project.results() == before


@pytest.mark.skipif(not _may_be_plain(), reason="needs setpriv (util-linux), and to be let use it")
@pytest.mark.parametrize("link", ["hardlink", pytest.param("symlink", marks=pytest.mark.slow)])
def test_links_to_dvcs_cache(project: Project, link: str) -> None:
    """What DVC protects is replaced, never written through: the cache stays as it is."""
    project.dvc("config", "cache.type", link)
    project.dvc("config", "cache.shared", "group")
    project.dvc("checkout", "--relink")
    project.change(lr=[0.1, 0.2])
    plain = PLAIN if os.geteuid() == 0 else ()
    project.run(*plain, "snakemake", "--cores", "1")
    project.run(*plain, "snakemake", "--cores", "1", "--forcerun", "collect", "train")
    project.run(*plain, "dvc", "repro")
    assert project.plan() == {}
    assert complained(project) == set()
    broken = [path for path in _cached(project / ".dvc/cache/files/md5") if not _whole(path)]
    assert broken == []


def _cached(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _whole(path: Path) -> bool:
    """Whether an object of DVC's cache has the content that its name says."""
    content = path.read_bytes()
    name = f"{path.parent.name}{path.name}".removesuffix(".dir")
    return hashlib.md5(content, usedforsecurity=False).hexdigest() == name
