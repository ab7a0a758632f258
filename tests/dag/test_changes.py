"""A change makes again what it touches, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kit.project import AGGREGATES, ROOT, STAMPS

if TYPE_CHECKING:
    from kit.project import Project

COMMANDS = {"snakemake": ("snakemake", "--cores", "1"), "dvc": ("dvc", "repro")}
EXAMPLE = "examples/rules/rules.py"  # a plugin that registers the optimizer "normed"
RANGE = {"enabled": True, "steps": 30}
ARITHMETIC = ("self.loss_sum.add_(losses)", "self.loss_sum.add_(2 * losses)")
NEW_OPTIMIZER = '''"""Signs: steps of one length in every coordinate."""

from dataclasses import dataclass

from trainscape.optimizers import Optimizer, register


@register("signs")
@dataclass(frozen=True)
class Signs(Optimizer):
    """w ← w − lr · sign(g)."""

    def update(self, param, grad, state, lr, step):
        param.addcmul_(grad.sign(), lr, value=-1)
'''


@pytest.mark.parametrize("by", ["snakemake", pytest.param("dvc", marks=pytest.mark.slow)])
def test_values_that_come_and_go(project: Project, by: str) -> None:
    """What is added trains alone; what is removed leaves no trace; what is put back trains not.

    First a learning rate comes, then range tests in its place, then the rate in theirs. All begins
    with what DVC has made. (Finalists come and go in test_confirm.py.)
    """
    before = project.results()

    project.change(lr=[0.01, 0.1, 0.2])
    assert _work(project, by) == {"train sgd lr0.2", "train adam lr0.2"} | AGGREGATES
    wider = project.results()
    assert (len(project.cells()), project.rows(), project.rows("trials.csv")) == (6, 6, 12)
    assert _cells(before).items() <= _cells(wider).items()

    project.change(lr=[0.01, 0.1], range_test=RANGE)
    assert _work(project, by) == {"train sgd lr1e", "train adam lr1e"} | AGGREGATES
    tested = project.results()
    folders = ("range/digits-mlp/sgd", "range/digits-mlp/adam", "figures/digits-mlp/range")
    added = {str(Path(path).parent) for path in tested.keys() - before.keys()}
    assert added == {f"results/{folder}" for folder in folders}
    tables = ("range.csv", "range.json", "range-curves.csv", "report.html")
    differing = {path for path in before if tested[path] != before[path]}
    assert differing == {f"results/{name}" for name in tables}
    assert project.rows("range.csv") == 2
    assert "Learning-rate range test" in tested["results/report.html"].decode()
    assert project.trainscape("verify") == ["6 cells, 1 dataset: 0 complaints"]

    project.change(lr=[0.01, 0.1, 0.2], range_test={"enabled": False})
    assert _work(project, by) == {"restore sgd lr0.2", "restore adam lr0.2"} | AGGREGATES
    assert project.results() == wider
    assert project.stamps() == STAMPS
    assert project.plan() == {}


def test_deleted_data(project: Project) -> None:
    """Data that is gone is made again, and no cell for it: a cell knows what it was trained on."""
    before = project.results()
    shutil.rmtree(project / "data")
    assert project.plan() == {"make_dataset_digits": 1}
    project.snakemake()
    assert project.work() == {"digits"}
    assert project.results() == before
    assert (project / "data/digits.npz").exists()


def test_edited_source(project: Project) -> None:
    """An edit makes again what it decides: all cells, or figures alone, or nothing at all.

    It is the source beside the Snakefile that counts, whatever copy is installed.
    """
    cells = set(project.cells())
    code = "src/trainscape/engine/pack.py"
    project.edit(code, "import torch\n", "import torch  # really\n\n\n")
    project.edit(code, '"""Train a pack', '"""Let a pack train')
    assert project.plan() == {}
    project.dvc("repro", "--single-item", "train")
    assert project.work() == set()

    project.edit(
        "src/trainscape/figures/draw.py", "\nif TYPE_CHECKING", "\nX = 1\nif TYPE_CHECKING"
    )
    assert project.plan() == {"draw_figures": 1, "draw_timings": 1, "write_report": 1}

    project.edit(code, *ARITHMETIC)
    said = project.run("env", f"PYTHONPATH={ROOT / 'src'}", "snakemake", "--dry-run")
    assert "training 4 cells" in said
    assert cells.isdisjoint(project.trainscape("cells", "--paths"))


def test_other_optimizers(project: Project) -> None:
    """A new file or plugin and its name: only its cells train, and what they replace is gone."""
    (project / "src/trainscape/optimizers/signs.py").write_text(NEW_OPTIMIZER, encoding="utf-8")
    assert project.plan() == {}
    before = _cells(project.results())
    project.change(plugins=[EXAMPLE], optimizer=["sgd", "signs", "normed"])
    project.snakemake(*project.trainscape("targets", "train"))
    cells = {f"train {rule} lr{lr}" for rule in ("signs", "normed") for lr in (0.01, 0.1)}
    assert project.work() == cells | {"settle"}
    after = _cells(project.results())
    assert len(after) == 6 and not any("/adam/" in path for path in after)
    assert not (project / "results/cells/digits-mlp/adam").exists()
    assert {path: made for path, made in before.items() if "/sgd/" in path}.items() <= after.items()
    project.edit(EXAMPLE, "1 - self.decay", "2 - self.decay")
    assert project.plan()["train"] == 2


def test_deleted_files(project: Project) -> None:
    """Deleted tables, figures and cells are made again, as they were, and no others."""
    before = project.results()
    (project / "results/summary.csv").unlink()
    (project / "results/figures/digits-mlp/curves/adam.svg").unlink()
    planned = project.plan()
    assert {"collect", "draw_figures"} <= planned.keys() and "train" not in planned
    path = next(path for path in project.cells() if "/adam/bs256-lr0.01" in path)
    (project / path).unlink()
    project.snakemake()
    assert {job for job in project.work() if "train" in job} == {"train adam lr0.01"}
    assert project.results() == before


def _cells(results: dict[str, bytes]) -> dict[str, bytes]:
    """The cells, and the range tests, among results."""
    folders = ("results/cells/", "results/range/")
    return {path: made for path, made in results.items() if path.startswith(folders)}


def _work(project: Project, command: str) -> set[str]:
    """What the command has run."""
    project.run(*COMMANDS[command])
    return project.work()
