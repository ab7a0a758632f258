"""After a change of code that changes no number a sample is trained again, and speaks for all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kit import examples, synthetic
from trainscape import analysis, datasets, study
from trainscape.analysis import Entry
from trainscape.cells import identity
from trainscape.cli import main
from trainscape.errors import UserError
from trainscape.pipeline import origin, rekey, report, settle, train, verify
from trainscape.pipeline.layout import Layout
from trainscape.results import carrying
from trainscape.results.cell_files import Carried, CellRecord, read_cell, write_cell

if TYPE_CHECKING:
    from collections.abc import Sequence

SMALL = {
    "budget": {"steps": 8},
    "grid": {
        "optimizer": ["sgd", "adam"],
        "batch_size": [16, 64],
        "lr": [0.01, 0.1, 1.0],
        "schedule": ["constant", "cosine"],
    },
    "seeds": 2,
    "range_test": {"enabled": False},
    "confirm": False,
    "throughput": {"enabled": False},
    "device": "cpu",
}


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(json.dumps(SMALL))
    monkeypatch.setattr(datasets, "load", lambda *_: examples.images(1437, test=360))


@pytest.fixture
def code(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes today's code another one, whose hash has this letter; with a version of torch."""
    real = identity._identity

    def change(letter: str, torch: str = "2.11.0") -> None:
        def changed(*of: Any) -> dict[str, str]:
            return {**real(*of), "source": letter * 64, "torch": torch}

        monkeypatch.setattr(identity, "_identity", changed)

    return change


def layout(**changes: Any) -> Layout:
    """The small study, with other values."""
    return Layout(study.parse({**SMALL, **changes}, "test"))


def trained(of: Layout, paths: Sequence[str] | None = None) -> dict[str, CellRecord]:
    """Some cells, or all of them, trained by the code of now; by file."""
    wanted = list(of.cells if paths is None else paths)
    train.make(of, wanted, lambda *_: None, again=True)
    return {path: read_cell(Path(path)) for path in wanted}


def carried_over(of: Layout, k: int = 2) -> tuple[int, list[str]]:
    """How many cells differ and what a rekey says, its sample trained here."""
    todo = rekey.groups(of, k)
    trained(of, [pair.path for group in todo for pair in group.to_train])
    lines: list[str] = []
    return rekey.rekey(todo, lines.append), lines


def test_a_change_that_changes_no_number_trains_a_sample(code: Any) -> None:
    """The other cells have the trials of the older files, their own digest, and say so."""
    code("a", torch="2.10.0")
    before = trained(layout())
    older = {path: Path(path).read_bytes() for path in before}
    code("b")
    of = layout()
    differing, lines = carried_over(of)
    assert differing == 0
    ends = "2 cells the same, 10 carried over"
    assert lines == [f"digits-mlp sgd: {ends}", f"digits-mlp adam: {ends}"]
    made = {path: read_cell(Path(path), of.identify(cell)) for path, cell in of.cells.items()}
    now = {carrying.besides_code(r.spec, r.identity["data"]): r for r in made.values()}
    marks = 0
    for old in before.values():
        same = now[carrying.besides_code(old.spec, old.identity["data"])]
        assert (same.trials, same.steps, same.backend) == (old.trials, old.steps, old.backend)
        for mark in same.carried:
            marks += 1
            assert (mark.digest, mark.identity, mark.seeds) == (old.digest, old.identity, [0, 1])
            assert len(mark.retrained) == 2
    assert marks == 20
    assert {path: Path(path).read_bytes() for path in older} == older
    assert rekey.groups(layout(), 2) == []


def test_a_change_of_numbers_is_refused_and_named(code: Any) -> None:
    """One optimizer's numbers differ: nothing of it is carried over; the other's cells are."""
    code("a")
    for path, record in trained(layout()).items():
        if record.spec["optimizer"]["name"] == "adam":
            first = replace(record.trials[0], test_metric=[0.25] * len(record.steps))
            write_cell(Path(path), replace(record, trials=[first, *record.trials[1:]]))
    code("b")
    of = layout()
    differing, lines = carried_over(of)
    assert differing == 2
    assert lines[0] == "digits-mlp sgd: 2 cells the same, 10 carried over"
    assert lines[1] == "digits-mlp adam: 2 cells compared, 2 not the same: none carried over"
    assert all("1 of 2 trials: test_metric by at most 0." in line for line in lines[2:])
    there = [cell.optimizer.label for path, cell in of.cells.items() if Path(path).exists()]
    assert (there.count("sgd"), there.count("adam")) == (12, 2)


def test_what_is_trained_already_is_compared_and_not_trained(
    code: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a stopped run has trained is taken as it is; a cell of it that differs refuses.

    A dry run says so, and no other cell is trained for what is refused.
    """
    code("a")
    trained(layout())
    code("b")
    of = layout()
    first = list(of.cells)[:3]
    trained(of, first)
    for group in rekey.groups(of, 2):
        assert not {pair.path for pair in group.to_train} & set(first)
    record = read_cell(Path(first[0]))
    write_cell(Path(first[0]), replace(record, steps=[1] * len(record.steps)))
    differing, lines = carried_over(of)
    assert differing == 1 and lines[1].endswith(": the steps of its evaluations")
    assert lines[0] == "digits-mlp sgd: 3 cells compared, 1 not the same: none carried over"
    capsys.readouterr()
    assert main(["rekey", "--dry-run"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[1].split() == ["digits-mlp", "sgd", "12", "3", "0", "0"]
    assert said[2:] == lines[:2], "the other optimizer's cells were carried over"


def test_a_sample_leaves_no_code_out_and_spreads() -> None:
    """Every schedule and kind of cell, then batch sizes in turn; the same choice every time."""
    pairs = [
        carrying.Pair(
            f"{size} {lr} {name} {detailed}",
            replace(synthetic.cell(batch_size=size, lr=lr, schedule=name), detailed=detailed),
            f"{size} {lr} {name} {detailed}",
            carrying.Older(Path("old"), "d", "code"),
            trained=False,
        )
        for size in (16, 32, 64, 128)
        for lr in (0.1, 0.2, 0.3)
        for name in ("constant", "cosine", "linear")
        for detailed in (False, True)
    ]
    chosen = carrying.sample(pairs, 8)
    assert chosen == carrying.sample(list(reversed(pairs)), 8)
    sizes = [pair.cell.batch_size for pair in chosen]
    assert len(chosen) == 8 and {sizes.count(size) for size in (16, 32, 64, 128)} == {2}
    few = carrying.sample(pairs, 1)
    assert {pair.cell.schedule.label for pair in few} == {"constant", "cosine", "linear"}
    assert {pair.cell.detailed for pair in few} == {False, True} and len(few) == 3
    assert len(carrying.sample(pairs, 1000)) == len(pairs)


def test_what_cannot_be_compared_is_left_out(code: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A damaged file is named; another machine's arithmetic and lack of memory are passed over."""
    code("a")
    made = iter(trained(layout()).items())
    (damaged, _), (elsewhere, there), (full, lacking), *rest = made
    Path(damaged).write_text(Path(damaged).read_text().replace("ok", "OK"))
    write_cell(Path(elsewhere), replace(there, backend="cuda-sm90-w512"))
    lack = [replace(trial, status="oom") for trial in lacking.trials]
    write_cell(Path(full), replace(lacking, trials=lack))
    code("b")
    found = [pair for group in rekey.groups(layout(), 2) for pair in group.pairs]
    assert {str(pair.older.path) for pair in found} == {path for path, _ in rest}
    said = capsys.readouterr().err
    assert said == f"{damaged} was edited (its checksum differs): it is passed over\n"


def test_cells_of_other_values_are_no_older_ones(code: Any) -> None:
    """Another budget is another cell, whatever its code."""
    code("a")
    trained(layout(budget={"steps": 9}))
    code("b")
    assert rekey.groups(layout(), 2) == []


def test_of_several_older_files_the_last_is_taken(code: Any) -> None:
    """Files of the code before the last, in the attic, are not compared with."""
    code("a")
    trained(layout())
    code("b")
    of = layout()
    trained(of)
    settle.make(of)
    code("c")
    found = [pair for group in rekey.groups(layout(), 2) for pair in group.pairs]
    assert {str(pair.older.path) for pair in found} == set(of.cells)


def test_marks_last_until_a_cell_is_trained(code: Any) -> None:
    """Carried over twice, and with more seeds, the first digest stays; force ends it."""
    code("a")
    digests = {record.digest for record in trained(layout()).values()}
    for letter in "bc":
        code(letter)
        assert carried_over(layout())[0] == 0
    more = layout(seeds=3)
    train.make(more, list(more.cells), lambda *_: None)
    records = {path: read_cell(Path(path)) for path in more.cells}
    marks = {path: record.carried for path, record in records.items() if record.carried}
    assert len(marks) == 20
    twice = 0
    for (mark,) in marks.values():
        assert mark.seeds == [0, 1] and len(mark.retrained) == 2
        twice += mark.digest in digests
    assert twice >= 16  # not of the 4 that the first sample has trained
    settle.make(more)
    assert verify.verify(more).carried == 20
    path = next(iter(marks))
    trained(more, [path])
    now = read_cell(Path(path))
    assert now.carried == [] and now.trials == records[path].trials
    assert b"carried" not in Path(path).read_bytes()


def test_tables_and_origin_tell(code: Any) -> None:
    """A row per optimizer and sample, and the page has all; a file names where it came from."""
    about = {**synthetic.IDENTITY, "torch": "2.10.0"}
    mark = Carried([0, 1], "a" * 64, about, ["b" * 12, "c" * 12])
    of = synthetic.study(lrs=(0.1,), schedules=("constant",))
    some = [Entry(e.cell, replace(e.record, carried=[mark])) for e in of[:3]]
    row: dict[str, Any] = {"workload": "digits-mlp", "optimizer": "sgd", "torch": "2.10.0"}
    assert analysis.records(analysis.carried([*some, *of[3:]])) == [
        {**row, "cells": 3, "retrained": 2}
    ]
    assert analysis.records(analysis.carried(of)) == []
    assert report._carried(
        [row | {"cells": 3, "retrained": 2}, row | {"cells": 1, "retrained": 1}]
    ) == {
        "digits-mlp sgd, trained by torch 2.10.0": "3 cells, as 2 retrained cells had the same "
        "numbers; 1 cell, as 1 retrained cell had the same numbers"
    }
    versions = [f"2.{n}.0" for n in range(8)]
    marks = [replace(mark, identity={**about, "torch": v}) for v in (*versions, *versions)]
    several = analysis.carried([Entry(of[0].cell, replace(of[0].record, carried=marks))])
    assert list(several["torch"]) == versions and set(several["cells"]) == {1}
    code("a")
    trained(layout())
    code("b")
    of_now = layout()
    carried_over(of_now)
    file = next(Path(path) for path in of_now.cells if read_cell(Path(path)).carried)
    first = read_cell(file).carried[0].digest[:12]
    told = f"2 seeds carried over by sampling from digest {first} of torch 2.11.0, as 2 retrained"
    assert told in origin.origin(file).words


def test_the_command_plans_and_refuses(code: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A dry run writes nothing; a sample of none, and a study as JSON, are refused in a line."""
    assert main(["rekey"]) == 0
    nothing = "nothing to carry over: "
    assert capsys.readouterr().out == f"{nothing}no missing cell is there with older code\n"
    code("a")
    trained(layout())
    code("b")
    before = sorted(Path("results").rglob("*"))
    capsys.readouterr()
    assert main(["rekey", "--dry-run", "--sample", "3"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1].split() == ["digits-mlp", "sgd", "12", "3", "3", "9"]
    assert said[-1] == "18 cells to carry over, if these have the same numbers"
    assert sorted(Path("results").rglob("*")) == before
    assert main(["rekey", "--sample", "12"]) == 0
    assert capsys.readouterr().out == f"{nothing}the sample is all there is\n"
    assert main(["rekey", "--sample", "0"]) == 2
    assert main(["rekey", "--study", json.dumps(SMALL)]) == 2
    assert capsys.readouterr().err == (
        "trainscape: --sample: 0 compares nothing; choose 1 or more\n"
        "trainscape: rekey: takes a parameter file, since a run of Snakemake trains the sample\n"
    )


def test_nothing_is_carried_over_without_the_sample(code: Any) -> None:
    """A run that fails ends the command, before anything is compared."""
    code("a")
    trained(layout())
    code("b")
    of = layout()
    with pytest.raises(UserError, match="not all of the sample was trained, so nothing is carried"):
        rekey.retrain("no-such.yaml", [next(iter(of.cells))])
    assert not any(Path(path).exists() for path in of.cells)
