"""What the page's map is made from: its measures, its colours, its files and its still picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from kit import synthetic
from kit.reports import MadeUp
from trainscape import analysis
from trainscape.analysis import Searched
from trainscape.figures import heatmap
from trainscape.figures.values import score
from trainscape.report._map import LEVELS, Still, cell_curves, cell_seeds, measures, of_map, still

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trainscape.analysis import Entry
    from trainscape.report import Page

WORKLOAD = "digits-mlp"


def page(entries: Sequence[Entry], folder: Path, **about: Any) -> Page:
    """What a page of ``entries`` is written from."""
    return MadeUp(entries, **about).page(folder)


def shown(of: Page, workload: str = WORKLOAD) -> Still:
    """The still map, which is there."""
    found = still(workload, of)
    assert found is not None
    return found


@pytest.mark.parametrize("kind", ["val", "loss", "steps"])
def test_a_value_has_the_colour_that_the_figures_give_it(kind: str, tmp_path: Path) -> None:
    """One rule for both: of shares, of losses, and of steps that span a factor of ten."""
    own = page(synthetic.study(), tmp_path)
    column = {"val": "val_metric_mean", "loss": "train_loss_mean", "steps": "steps_to_target"}[kind]
    (measure,) = (found for found in measures(WORKLOAD, own.cells, own) if found.kind == kind)
    values = np.array([row[column] for row in own.cells if row[column] is not None])
    judged = analysis.metric(WORKLOAD)
    scale = heatmap.scale(
        list(values), measure.better, "", lambda v: score(v, judged), fraction=kind == "val"
    )
    scaled = np.clip(scale.norm(values), 0, 1)
    theirs = np.minimum((scaled * LEVELS).astype(int), LEVELS - 1)
    if measure.better == "min":
        theirs = LEVELS - 1 - theirs
    ours = [measure.level(value) for value in values]
    # a value on the bound between two colours may go either way in its last digit
    assert np.mean(ours == theirs) > 0.98
    assert np.abs(ours - theirs).max() <= 1
    assert {0, LEVELS - 1} <= set(ours)
    assert list(measure.bounds) == sorted(measure.bounds)


def test_the_still_map_is_around_the_chosen_cell(tmp_path: Path) -> None:
    """Its optimizer and schedule; the largest batch on top; what diverged says so."""
    own = page(synthetic.study(), tmp_path)
    chosen = own.found[WORKLOAD]["chosen"]["cell"]
    found = shown(own)
    assert found.title == f"{chosen['optimizer']}, {chosen['schedule']}: validation accuracy"
    assert [name for name, _ in found.rows] == ["1024", "256", "64", "16"]
    assert list(found.columns) == ["0.001", "0.003", "0.01", "0.1", "1"]
    (line,) = (fields for name, fields in found.rows if name == str(chosen["batch_size"]))
    (taken,) = (field for field in line if "take" in field.look)
    assert taken is line[synthetic.LRS.index(chosen["lr"])]
    words = {field.text for _, fields in found.rows for field in fields if field.look == "lost"}
    assert words
    assert all(text.startswith(("div ", "fail ")) for text in words)


def test_without_a_validation_split_the_training_loss_comes_first(tmp_path: Path) -> None:
    """Nothing is ranked then: no validation, no steps to target, and no cell is marked."""
    own = page(synthetic.study(validation=0.0), tmp_path, measured=None)
    kinds = [found.kind for found in measures(WORKLOAD, own.cells, own)]
    assert kinds[:2] == ["loss", "test"]
    assert not {"val", "steps", "time"} & set(kinds)
    looks = " ".join(field.look for _, fields in shown(own).rows for field in fields)
    assert "tied" not in looks
    seeds, curves = cell_seeds(WORKLOAD, own), cell_curves(WORKLOAD, own)
    assert seeds is not None
    assert "validation" not in seeds.words
    assert curves is not None
    assert "target" not in curves.caption


def test_a_search_leaves_fields_without_a_cell(tmp_path: Path) -> None:
    """The map spans the grid, trained or not."""
    every = synthetic.study(optimizers=("sgd", "adam"), batch_sizes=(16, 64), lrs=(0.003, 0.1))
    own = [e for e in every if (e.cell.optimizer.name, e.cell.schedule.name) == ("adam", "cosine")]
    digests = [e.record.digest[:12] for e in own[:3]]
    grid = [analysis.axes(e.cell) for e in every]
    searched = Searched("tpe", 3, grid, {WORKLOAD: [digests]})
    made = page(own[:3], tmp_path, measured=None, searched=searched)
    looks = [field.look for _, fields in shown(made).rows for field in fields]
    assert looks.count("none") == 1
    axes: dict[str, list[Any]] = {
        "optimizer": ["sgd", "adam"],
        "schedule": ["constant", "cosine"],
        "batch_size": [16, 64],
        "lr": [0.003, 0.1],
    }
    told = of_map(WORKLOAD, made.cells, analysis.whole(made.cells, searched), axes, made)
    assert told["grid"] == [{"batch_size": [0, 1], "lr": [0, 1]}] * 2
    assert told["searched"]


def test_a_cell_file_can_be_named(tmp_path: Path) -> None:
    """The folder and the rates as the names of cell files have them."""
    entries = synthetic.study(optimizers=("adam",), batch_sizes=(16,), lrs=(1e-5, 0.01, 1.0))
    own = page(entries, tmp_path)
    axes: dict[str, list[Any]] = {
        "optimizer": ["adam"],
        "batch_size": [16],
        "lr": [1e-5, 0.01, 1.0],
    }
    told = of_map(WORKLOAD, own.cells, own.cells, axes, own)
    paths = {e.cell.path(e.record.digest) for e in entries}
    for entry in entries:
        rate = told["rates"][axes["lr"].index(entry.cell.lr)]
        digest, schedule = entry.record.digest[:12], entry.cell.schedule.label
        file = f"{told['folder']}/adam/bs16-lr{rate}-{schedule}-{digest}.json"
        assert file.removeprefix("results/cells/") in paths


def test_a_loss_of_which_less_is_better(tmp_path: Path) -> None:
    """The brightest colour is that of the least value, and maps are compared by ratio."""
    name = synthetic.regression()
    own = page(synthetic.study(workload=name, batch_sizes=(16, 64)), tmp_path)
    first = next(measures(name, own.cells, own))
    assert (first.kind, first.title, first.better) == ("val", "validation MSE", "min")
    values = [r["val_metric_mean"] for r in own.cells if r["val_metric_mean"] is not None]
    assert first.level(min(values)) == LEVELS - 1
    assert first.level(max(values)) == 0
    assert first.apart == "ratio"


def test_one_seed_has_no_interval(tmp_path: Path) -> None:
    """Its dot stands alone."""
    chart = cell_seeds(WORKLOAD, page(synthetic.study(seeds=(0,)), tmp_path))
    assert chart is not None
    assert " to " not in chart.words
