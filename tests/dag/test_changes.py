"""A change makes again what it touches, and nothing else."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kit.project import AGGREGATES, ROOT, STAMPS

if TYPE_CHECKING:
    from kit.project import Project

# The commands for a value that is added, removed and put back; in turn, each meets what the other
# has made.
WAYS = [
    pytest.param(
        (["snakemake"], ["snakemake"], ["snakemake"]), id="snakemake", marks=pytest.mark.slow
    ),
    pytest.param((["dvc"], ["dvc"], ["dvc"]), id="dvc", marks=pytest.mark.slow),
    pytest.param((["snakemake", "dvc"], ["dvc"], ["snakemake"]), id="in turn"),
]
COMMANDS = {"snakemake": ("snakemake", "--cores", "all"), "dvc": ("dvc", "repro")}
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


@pytest.mark.parametrize("way", WAYS)
def test_rate_that_comes_and_goes(project: Project, way: tuple[list[str], ...]) -> None:
    """An added rate trains its cells alone; removed, it leaves no trace; put back, none trains."""
    adding, removing, putting_back = way
    before = project.results()
    ours = {"sgd lr0.2", "adam lr0.2"}

    project.change(lr=[0.01, 0.1, 0.2])
    assert _work(project, adding) == {f"train {cell}" for cell in ours} | AGGREGATES
    wider = project.results()
    assert (len(project.cells()), project.rows(), project.rows("trials.csv")) == (6, 6, 12)
    kept = [path for path in before if path.startswith("results/cells")]
    assert all(wider[path] == before[path] for path in kept)

    project.change(lr=[0.01, 0.1])
    assert _work(project, removing) == AGGREGATES
    assert project.results() == before
    assert project.stamps() == STAMPS

    project.change(lr=[0.01, 0.1, 0.2])
    assert _work(project, putting_back) == {f"restore {cell}" for cell in ours} | AGGREGATES
    assert project.results() == wider
    assert project.stamps() == STAMPS
    assert project.plan() == {}


def test_range_tests_that_come_and_go(project: Project) -> None:
    """Switched on, range tests alone train; off, they leave no trace; on again, none trains."""
    before = project.results()
    ours = {"sgd lr1e", "adam lr1e"}

    project.change(range_test={"enabled": True, "steps": 30})
    assert _work(project, ["snakemake"]) == {f"train {test}" for test in ours} | AGGREGATES
    wider = project.results()
    tables = {
        *(f"results/{name}" for name in ("range.csv", "range.json", "range-curves.csv")),
        "results/report.html",
    }
    assert {path for path in before if wider[path] != before[path]} == tables
    added = {str(Path(path).parent) for path in wider.keys() - before.keys()}
    folders = ("range/digits-mlp/sgd", "range/digits-mlp/adam", "figures/digits-mlp/range")
    assert added == {f"results/{folder}" for folder in folders}
    assert project.rows("range.csv") == 2
    assert "Learning-rate range test" in wider["results/report.html"].decode()
    assert project.trainscape("verify") == ["6 cells, 1 datasets: 0 complaints"]

    project.change(range_test={"enabled": False})
    assert _work(project, ["dvc"]) == AGGREGATES
    assert project.results() == before
    assert project.stamps() == STAMPS

    project.change(range_test={"enabled": True, "steps": 30})
    assert _work(project, ["snakemake"]) == {f"restore {test}" for test in ours} | AGGREGATES
    assert project.results() == wider


def test_deleted_data(project: Project) -> None:
    """Data that is gone is made again, and no cell for it: a cell knows what it was trained on."""
    before = project.results()
    shutil.rmtree(project / "data")
    assert project.plan() == {"make_dataset_digits": 1}
    project.snakemake()
    assert project.work() == {"digits"}
    assert project.results() == before
    assert (project / "data/digits.npz").exists()


def test_comment_in_the_engine(project: Project) -> None:
    """A comment, a docstring or a blank line in the engine makes nothing again."""
    project.edit("src/trainscape/engine/pack.py", "import torch\n", "import torch  # really\n\n\n")
    project.edit("src/trainscape/engine/pack.py", '"""Train a pack', '"""Let a pack train')
    assert project.plan() == {}
    project.dvc("repro")
    assert project.work() == set()


def test_arithmetic_of_the_engine(project: Project) -> None:
    """Other arithmetic in the engine plans every cell again, under another digest."""
    before = set(project.cells())
    project.edit("src/trainscape/engine/pack.py", *ARITHMETIC)
    assert project.plan()["train"] == 4
    assert before.isdisjoint(project.trainscape("cells", "--paths"))


def test_installed_copy(project: Project) -> None:
    """The source beside the Snakefile counts, whatever copy is installed and shows progress."""
    project.edit("src/trainscape/engine/pack.py", *ARITHMETIC)
    said = project.run("env", f"PYTHONPATH={ROOT / 'src'}", "snakemake", "--dry-run")
    assert re.search(r"^train +4$", said, flags=re.MULTILINE)


def test_edited_figures(project: Project) -> None:
    """Other drawing code draws every figure again and writes the report, and touches no table."""
    before = project.results()
    code = project / "src/trainscape/figures/draw.py"
    code.write_text(code.read_text(encoding="utf-8") + "\nEDITED = True\n", encoding="utf-8")
    project.dvc("repro")
    assert project.work() == {"figures", "timings", "report"}
    assert project.results() == before  # the edit changes the code, not what it draws


def test_other_optimizer(project: Project) -> None:
    """A new optimizer is a file and a name; only its cells train, and what it replaces is gone."""
    (project / "src/trainscape/optimizers/signs.py").write_text(NEW_OPTIMIZER, encoding="utf-8")
    assert project.plan() == {}
    project.change(optimizer=["sgd", "signs"])
    project.snakemake()
    assert project.work() == {"train signs lr0.01", "train signs lr0.1"} | AGGREGATES
    for optimizer, files in {"sgd": 2 + 4, "signs": 2 + 4, "adam": 0}.items():
        assert len([path for path in project.results() if optimizer in path]) == files
    assert not (project / "results/cells/digits-mlp/adam").exists()
    assert "signs" in (project / "results/report.html").read_text(encoding="utf-8")


def test_documented_plugin(project: Project) -> None:
    """The optimizer in examples/rules, named in a finished study, trains its own cells only."""
    rules = "examples/rules/rules.py"
    before = project.results()
    project.change(plugins=[rules], optimizer=["sgd", "adam", "normed"])
    project.snakemake()
    assert project.work() == {"train normed lr0.01", "train normed lr0.1"} | AGGREGATES
    after = project.results()
    kept = [path for path in before if path.startswith("results/cells")]
    assert all(after[path] == before[path] for path in kept)
    project.edit(rules, "1 - self.decay", "2 - self.decay")
    assert project.plan()["train"] == 2


def test_deleted_product(project: Project) -> None:
    """A deleted table or figure is made again, as it was."""
    before = project.results()
    (project / "results/summary.csv").unlink()
    (project / "results/figures/digits-mlp/curves/adam.svg").unlink()
    project.snakemake()
    assert {"collect", "figures"} <= project.work() <= AGGREGATES
    assert project.results() == before


def test_deleted_cell(project: Project) -> None:
    """A deleted cell is trained again, to the same bytes; the others are not."""
    before = project.results()
    path = next(path for path in project.cells() if "/adam/bs256-lr0.01" in path)
    (project / path).unlink()
    project.snakemake()
    assert {job for job in project.work() if "train" in job} == {"train adam lr0.01"}
    assert project.results() == before


def _work(project: Project, commands: list[str]) -> set[str]:
    """What the commands ran together; all but the first that has work to do must find none."""
    found: list[set[str]] = []
    for command in commands:
        project.run(*COMMANDS[command])
        found.append(project.work())
    assert not any(found[1:])
    return found[0]
