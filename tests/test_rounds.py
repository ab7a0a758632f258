"""The rounds of a search: their files, what is shown of them, and what is refused."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kit import small_study, synthetic
from kit.reports import MadeUp, held
from trainscape import analysis, report
from trainscape.analysis import Searched, steps, whole
from trainscape.errors import DamagedFileError, UserError
from trainscape.pipeline.estimate import estimate
from trainscape.pipeline.layout import Layout
from trainscape.pipeline.propose import make as propose
from trainscape.results.cell_files import CellRecord, write_cell
from trainscape.sealed import write_sealed
from trainscape.search.rounds import read_round, write_round

if TYPE_CHECKING:
    from trainscape.cells.cell import Cell

DESIGN = {"method": "evolution", "trials": 6, "rounds": 3, "seed": 0}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test has an output folder of its own."""
    monkeypatch.chdir(tmp_path)


def layout(design: dict[str, Any] | None = None, **changes: Any) -> Layout:
    """A search of 16 cells."""
    grid = {"lr": [0.01, 0.03, 0.1, 0.3], **changes}
    wanted = {**DESIGN, **(design or {})}
    return Layout(small_study.make(design=wanted, throughput={"enabled": False}, **grid))


def files(of: Layout) -> list[str]:
    """The files of the rounds."""
    return of.rounds["digits-mlp"]


def train(of: Layout, path: str) -> None:
    """What training would leave, made up: better with the rate."""
    from trainscape.cells.identity import digest, identity

    cell: Cell = of.cells[path]
    trials = [synthetic.trial(seed, [0.5 + cell.lr]) for seed in cell.seeds]
    spec, own = cell.spec(), identity(cell)
    write_cell(Path(path), CellRecord(digest(cell), "cpu-avx2", spec, own, [10], trials))


def test_a_round_is_named_by_what_decides_it() -> None:
    """Rounds that follow change no earlier file; method, seed, sizes and grid change them all."""
    first = files(layout())
    assert len(first) == 3
    assert files(layout({"trials": 8, "rounds": 4}))[:3] == first
    labelled = [{"name": "sgd", "label": "plain"}, "adam"]
    assert files(layout(optimizer=labelled)) == first
    for other in (
        layout({"method": "tpe"}),
        layout({"seed": 1}),
        layout({"trials": 9}),
        layout(lr=[0.01, 0.1, 0.3]),
    ):
        assert not set(files(other)) & set(first)


def test_rounds_follow_from_each_other() -> None:
    """Each proposes further cells once those before are trained; the last ends the search."""
    study = layout()
    seen: list[str] = []
    for number, file in enumerate(files(study), start=1):
        progress = "".join(study.progress)
        assert progress.endswith(f"{len(seen)} are proposed, in {number - 1} of 3 rounds")
        assert "study default: 6 cells × 3 seeds = 18 trials" in estimate(study)
        propose(study, file)
        new = read_round(Path(file), study.cells)
        assert len(new) == 2 and not set(new) & set(seen)
        for path in new:
            train(study, path)
        seen += new
    assert study.proposed() == seen
    assert list(study.chosen) == [path for path in study.cells if path in seen]


def test_a_round_of_no_search_is_refused() -> None:
    """A damaged file, and a file that is no round of the study, are named."""
    study = layout()
    path = Path(files(study)[0])
    path.parent.mkdir(parents=True)
    for text in ("[", '["0123456789ab"]', "{}x", "[[]]", "{}"):
        path.write_text(text)
        with pytest.raises(DamagedFileError, match=f"{path}: is not a whole file"):
            study.proposed()
    write_sealed(path, {"round": path.stem, "cells": ["0123456789ab"]})
    with pytest.raises(DamagedFileError, match=f"{path}: is no round of this search"):
        study.proposed()
    write_sealed(path, {"round": "round-02-0123456789ab", "cells": []})
    with pytest.raises(DamagedFileError, match=f"{path}: holds another one"):
        study.proposed()
    with pytest.raises(UserError, match=r"round-09\.json: is no round of study 'default'"):
        propose(study, "results/search/digits-mlp/round-09.json")


def test_rounds_that_come_out_otherwise_are_refused() -> None:
    """Where the replay of earlier rounds gives other cells, it is said what to delete."""
    study = layout()
    first, second, _ = files(study)
    propose(study, first)
    others = [p for p in study.cells if p not in read_round(Path(first), study.cells)][:2]
    write_round(Path(first), others)
    for path in others:
        train(study, path)
    with pytest.raises(UserError, match="search/digits-mlp: its rounds come out otherwise"):
        propose(study, second)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"validation": 0}, "design: a search needs a validation split"),
        ({"design": {**DESIGN, "trials": 17}}, "design.trials: 17 is more than the 16 cells"),
        ({"figures": ["loss-by-batch"]}, "figures: loss-by-batch need every cell"),
        ({"replay": {"enabled": True}}, "replay.enabled: needs every cell of the grid"),
        (
            {"design": "grid", "validation": 0, "replay": {"enabled": True}},
            "replay.enabled: a search needs a validation split",
        ),
    ],
)
def test_what_cannot_be_searched_is_refused(keys: dict[str, Any], message: str) -> None:
    """Before anything runs, in one line."""
    with pytest.raises(UserError, match=message):
        Layout(small_study.make(**{"design": DESIGN, "lr": [0.01, 0.03, 0.1, 0.3], **keys}))


def found() -> tuple[list[analysis.Entry], Searched]:
    """A search in two rounds of two of 24 cells; all are adam's with the schedule cosine."""
    every = synthetic.study(optimizers=("sgd", "adam"), batch_sizes=(16, 64), lrs=(0.003, 0.1, 1.0))
    own = [e for e in every if (e.cell.optimizer.name, e.cell.schedule.name) == ("adam", "cosine")]
    order = [own[i].record.digest[:12] for i in (2, 0, 1, 3)]
    grid = [analysis.axes(e.cell) for e in every]
    return own[:4], Searched("tpe", 3, grid, {"digits-mlp": [order[:2], order[2:]]})


def test_the_best_so_far_is_followed_by_hand() -> None:
    """Diverged cells leave it as it is; before the first that ended there is none."""
    values = [None, 0.5, 0.4, 0.7]
    rows = [
        {
            **dict.fromkeys(("optimizer", "schedule"), "one"),
            "batch_size": 64,
            "lr": 0.1,
            "digest": str(n),
            "workload": "digits-mlp",
            "val_metric_mean": value,
        }
        for n, value in enumerate(values)
    ]
    path = steps(rows, [["0", "1"], ["2", "3"]])
    assert [(step.round, step.value, step.best) for step in path] == [
        (1, None, None),
        (1, 0.5, 0.5),
        (2, 0.4, 0.5),
        (2, 0.7, 0.7),
    ]


def test_cells_that_were_not_trained_are_blank(tmp_path: Path) -> None:
    """Every facet of the grid is drawn; what was not trained has neither words nor hatching."""
    entries, searched = found()
    study = MadeUp(entries, measured=None, searched=searched)
    rows = whole(study.cells, searched)
    assert [row["status"] for row in rows].count("untrained") == 20
    assert [analysis.axes(e.cell) for e in entries] == [
        {axis: row[axis] for axis in analysis.AXES} for row in analysis.trained(rows)
    ]
    study.draw(tmp_path)
    facets = tmp_path / "digits-mlp" / "test-metric"
    assert len(list(facets.iterdir())) == 4
    words = [node.text for node in ET.parse(facets / "sgd-constant.svg").iter() if node.text]
    assert "no value" not in words and not [w for w in words if "div" in w]
    assert "pattern" not in (facets / "sgd-constant.svg").read_text()
    page = tmp_path / "report.html"
    report.write(study.page(tmp_path), page)
    html = page.read_text(encoding="utf-8")
    assert "24 cells 4 were trained, as tpe proposed them (in 2 rounds, seed 3)" in html
    assert "Best so far, round by round" in html
    captions = [shown["caption"] for kind in held(html, "pictures") for shown in kind["figures"]]
    assert "sgd, constant: no cell was trained." in " ".join(captions)


def test_rounds_are_listed_by_digests() -> None:
    """A round's file lists what a person can look up in the cells' folder."""
    study = layout()
    propose(study, files(study)[0])
    named = json.loads(Path(files(study)[0]).read_text())["cells"]
    assert named == [Path(path).stem.split("-")[-1] for path in study.proposed()]
