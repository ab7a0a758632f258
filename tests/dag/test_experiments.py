"""DVC's experiments and comparisons, as a user types them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from kit.project import Project

# One cell of its own, so that little is trained.
CHANGE = ("-S", "grid.batch_size=[128]", "-S", "grid.lr=[0.1]", "-S", "grid.optimizer=[adam]")
WORKSPACE = [("exp", "run")]
TEMPORARY = [("exp", "run", "--temp")]
QUEUE = [("exp", "run", "--queue"), ("exp", "run", "--run-all")]


@pytest.mark.parametrize(
    "commands",
    [
        pytest.param(WORKSPACE, id="workspace"),
        pytest.param(TEMPORARY, id="temporary folder", marks=pytest.mark.slow),
        # runs in a temporary folder, too
        pytest.param(QUEUE, id="queue", marks=pytest.mark.slow),
    ],
)
def test_experiment(project: Project, commands: list[tuple[str, ...]]) -> None:
    """An experiment trains its own cell only, and `dvc exp show` has its metrics."""
    before = project.results()
    first, *rest = commands
    project.dvc(*first, "--name", "wide", *CHANGE)
    for words in rest:
        project.dvc(*words)
    assert _metrics(project, "wide")["digits-mlp"]["tied_cells"] == 1
    if commands == WORKSPACE:
        assert "train adam lr0.1" in project.work()
    else:
        assert project.work() == set()
        assert project.results() == before
        project.dvc("exp", "apply", "wide")
        assert project.plan() == {}  # its cell, tables and report came back with it


def test_comparisons(history: Project) -> None:
    """Metrics, parameters and plots of two commits are compared, in valid JSON."""
    metrics = _json(history.dvc("metrics", "diff", "--json", "HEAD~1"))
    changed = metrics["results/metrics.json"]
    assert "digits-mlp.tied_cells" in changed or "digits-mlp.accuracy" in changed
    assert len(changed) < 20
    params = _json(history.dvc("params", "diff", "--json", "HEAD~1"))
    assert params["params.yaml"]["grid.lr"] == {"old": "[0.01, 0.1]", "new": "[0.1]"}
    plots = _json(history.dvc("plots", "diff", "--json", "HEAD~1"))
    assert not plots.get("errors")
    curve = plots["data"]["test metric by learning rate"][0]["content"]
    revisions = {row["rev"] for row in curve["data"]["values"]}
    assert len(revisions) == 2
    assert curve["spec"]["encoding"]["x"]["scale"] == {"type": "log"}
    assert {row["lr"] for row in curve["data"]["values"]} == {"0.01", "0.1"}
    assert list(plots["data"]) == [
        "test metric by learning rate",
        "steps to target by learning rate",
    ]
    assert {"filter": "datum.revisions < 2 || datum.any_moved > 0"} in curve["transform"]


def test_plots_page(history: Project, tmp_path: Path) -> None:
    """`dvc plots diff` makes a page that shows both commits' curves."""
    project = history.copy(tmp_path / "project")  # for what others start from stays as it is
    project.dvc("plots", "diff", "--out", "plots", "HEAD~1")
    page = (project / "plots/index.html").read_text(encoding="utf-8")
    assert "test metric by learning rate" in page
    assert page.count('"rev": "HEAD~1"') and page.count('"rev": "workspace"')


def test_experiments_in_a_terminal(history: Project) -> None:
    """`dvc exp show` fits a terminal of 120 columns, and what it shows first is a metric."""
    table = history.run("env", "COLUMNS=120", "dvc", "exp", "show", "--no-pager")
    lines = table.splitlines()
    assert max(map(len, lines)) <= 120
    assert "Experiment" in table and "digits-mlp." in table


def _metrics(project: Project, name: str) -> dict[str, Any]:
    """The metrics of the experiment ``name`` as ``dvc exp show`` has them."""
    shown = _json(project.dvc("exp", "show", "--json"))
    found = [
        revision
        for baseline in shown
        for experiment in baseline.get("experiments") or []
        for revision in experiment["revs"]
        if revision["name"] == name
    ]
    assert len(found) == 1
    metrics: dict[str, Any] = found[0]["data"]["metrics"]["results/metrics.json"]["data"]
    return metrics


def _json(said: str) -> Any:
    """The JSON in what DVC says: notes may stand around it."""
    lines = [line for line in said.splitlines() if line.startswith(("{", "["))]
    return json.loads(lines[0])
