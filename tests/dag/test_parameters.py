"""Parameters come from one file; what is wrong with them is said in one line before any job."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from kit.project import ROOT, STUDY

if TYPE_CHECKING:
    from kit.project import Project

BAD = {
    "unknown key": ("gird: {lr: [0.1]}", "did you mean 'grid'?"),
    "unknown optimizer": ("grid: {optimizer: [adamm]}", "did you mean 'adam'?"),
    "negative rate": ("grid: {lr: [-1]}", "-1"),
    "not YAML": ("grid: [", "line"),
    "labels that meet": (
        "grid: {optimizer: [{name: sgd, label: a-b}, {name: adam, label: a}],"
        " schedule: [{name: cosine, label: c}, {name: constant, label: b-c}]}",
        "share the figure",
    ),
    "failing plugin": ("plugins: [plugins/none.py]", "no such file"),
    "outside": ("output: ../elsewhere", "inside the project"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_study(clean: Project, case: str) -> None:
    """A bad params.yaml ends snakemake and trainscape with exit code 2 and the same one line."""
    text, hint = BAD[case]
    (clean / "params.yaml").write_text(text + "\n", encoding="utf-8")
    ours = clean.call("env", "PYTHONPATH=src", "python", "-m", "trainscape", "targets", "report")
    theirs = clean.call("snakemake", "--cores", "1", "--quiet", "all")
    lines = [line for line in theirs.stderr.splitlines() if "workflow specific profile" not in line]
    assert (ours.returncode, theirs.returncode) == (2, 2)
    assert ours.stderr.splitlines() == lines
    assert len(lines) == 1 and lines[0].startswith("trainscape: ") and hint in lines[0]
    assert not (clean / "data").exists() and not (clean / "results").exists()


def test_configfile_replaces(clean: Project) -> None:
    """A study that omits a key has the schema's default, not the value in params.yaml."""
    study = {key: value for key, value in STUDY.items() if key not in ("seeds", "throughput")}
    path = clean / "studies/other.yaml"
    path.write_text(yaml.safe_dump({**study, "output": "results-other"}), encoding="utf-8")
    said = clean.run("snakemake", "--dry-run", "--verbose", "--configfile", "studies/other.yaml")
    expected = clean.trainscape("cells", "--paths", "--study", "studies/other.yaml")
    assert len(expected) == 4
    assert all(f"output: {path}\n" in said for path in expected)
    assert "measure_throughput" in said  # the default; params.yaml turns it off


def test_config_replaces_a_value(clean: Project) -> None:
    """`--config` replaces the axis that it names, whole, and no other."""
    plan = clean.plan("--config", "grid={lr: {sgd: [0.5], adam: {log: [1e-3, 1e-1, 3]}}}")
    assert plan["train"] == 4
    assert clean.plan("--config", "grid={lr: [0.1]}")["train"] == 2
    assert clean.plan("--config", "seeds=3", "budget={steps: 7}")["train"] == 4


def test_two_configfiles(clean: Project) -> None:
    """Two parameter files are refused: Snakemake would mix them. One may be meant as a target."""
    study = "studies/quick.yaml"
    done = clean.call("snakemake", "-n", "--configfile", study, "params.yaml")
    assert done.returncode == 2
    why = "takes one study, and params.yaml is a second; a target stands before --configfile"
    assert f"trainscape: --configfile: {why}" in done.stderr


def test_output_of_another_study(project: Project) -> None:
    """A study is refused the output folder of another, before anything is written."""
    before = project.results()
    project.change(name="other")
    done = project.call("snakemake", "--cores", "all")
    assert done.returncode == 2
    assert "holds the study 'tiny'" in done.stderr
    assert project.results() == before


def test_the_committed_study_takes_experiments() -> None:
    """``dvc exp run -S 'grid.lr=[…]'`` can set the axis of the committed params.yaml."""
    lr = yaml.safe_load((ROOT / "params.yaml").read_text())["grid"]["lr"]
    assert isinstance(lr, list), "DVC cannot put a list in the place of a mapping"
