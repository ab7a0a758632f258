"""The best cell so far, from cell files as they finish."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trainscape import study
from trainscape.pipeline import leader
from trainscape.pipeline.layout import Layout
from trainscape.pipeline.leader import Leader

GRID = {"optimizer": ["sgd"], "batch_size": [64], "lr": [0.1, 0.2, 0.3], "schedule": ["constant"]}


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """Three cells of two workloads, none of them trained."""
    monkeypatch.chdir(tmp_path)
    return Layout(study.parse({"workloads": ["digits-mlp", "digits-cnn"], "grid": GRID}, "study"))


def finish(path: str, *metrics: float, status: str = "ok") -> str:
    """Write a cell whose seeds end with these validation metrics."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    trials = [{"status": status, "val_metric": [0.1, metric]} for metric in metrics]
    Path(path).write_text(json.dumps({"trials": trials}))
    return path


def test_names_the_best_mean_over_seeds_of_the_workload_that_trains(layout: Layout) -> None:
    """By the last evaluation; the words change with the workload of the newest cell."""
    mlp, cnn = ([f for f in layout.cells if name in f] for name in ("digits-mlp", "digits-cnn"))
    best = Leader(layout)
    assert best([]) == ""
    first = "best so far 75.0%: digits-mlp sgd batch 64 lr 0.1 constant"
    assert best([finish(mlp[0], 0.5, 1.0)]) == first
    assert best([finish(mlp[1], 0.7, 0.7)]) == first
    assert best([]) == first
    assert best([finish(cnn[0], 0.2)]).startswith("best so far 20.0%: digits-cnn")


def test_of_a_loss_the_least_is_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes before or after it."""
    monkeypatch.chdir(tmp_path)
    losses = Layout(study.parse({"workloads": ["regression"], "grid": GRID}, "study"))
    best = Leader(losses)
    said = [best([finish(file, loss)]) for file, loss in zip(losses.cells, (4, 2, 3), strict=True)]
    assert [words.partition(":")[0] for words in said] == [f"best so far {x}" for x in (4, 2, 2)]


def test_leaves_out_what_did_not_end_well_and_what_cannot_be_read(layout: Layout) -> None:
    """A diverged seed, a broken file, a missing one and a range test are no best."""
    one, two, three, *_ = layout.cells
    Path(finish(two, 0.9)).write_text("{")
    best = Leader(layout)
    assert best([finish(one, 0.9, status="diverged"), two, three, *layout.range_tests]) == ""


def test_cells_of_earlier_runs_count_a_few_at_a_time(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was there is looked at, too, and a look never takes longer than a moment."""
    for path, metric in zip(layout.cells, (0.9, 0.6, 0.7), strict=False):
        finish(path, metric)
    clock = iter(range(100))
    monkeypatch.setattr(leader, "monotonic", lambda: next(clock))
    monkeypatch.setattr(leader, "BUDGET", 1.5)
    best, new = Leader(layout), finish(list(layout.cells)[1], 0.8)
    assert best([new]).startswith("best so far 80.0%"), "what has just come is looked at first"
    assert [best([])[:17] for _ in range(3)][-1] == "best so far 90.0%"
