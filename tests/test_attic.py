"""What leaves a study is kept, what comes back is not trained, and a user's files stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kit.killed import half_written
from trainscape import study
from trainscape.cells.cell import TrialRecord
from trainscape.cells.identity import digest, identity
from trainscape.pipeline.layout import Layout
from trainscape.results.attic import Attic
from trainscape.results.cell_files import CellRecord, write_cell
from trainscape.results.owner import claim, others


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def layout(*optimizers: Any, **keys: Any) -> Layout:
    """A study of one cell per optimizer."""
    grid = {"optimizer": list(optimizers), "batch_size": [64], "lr": [0.1]}
    made = Layout(study.parse({"grid": grid, **keys}, "test"))
    claim(made.output, made.study.name)
    return made


def trained(of: Layout) -> list[Path]:
    """The study's cells, written as if trained."""
    for path, cell in of.cells.items():
        trials = [TrialRecord.untrained(seed, "oom") for seed in cell.seeds]
        record = CellRecord(digest(cell), "cpu-avx2", cell.spec(), identity(cell), [], trials)
        write_cell(Path(path), record)
    return list(map(Path, of.cells))


def take(of: Layout) -> None:
    """Move what is not the study's to the attic."""
    Attic(of.output).take(of.trained)


def restore(of: Layout, path: Path) -> Path | None:
    """Bring back a cell; one that is not the study's has no digest."""
    cell = of.trainable.get(str(path))
    attic = Attic(of.output, others(of.output))
    return attic.restore(path, of.identify(cell) if cell else "", of.trainable)


def test_a_cell_that_leaves_comes_back() -> None:
    """Out of the study it moves to the attic; back in the study it returns, the same bytes."""
    sgd, adam = trained(layout("sgd", "adam"))
    content = adam.read_bytes()
    take(layout("sgd"))
    assert sgd.exists() and not adam.exists()
    back = layout("sgd", "adam")
    assert restore(back, adam)
    assert adam.read_bytes() == content
    assert not restore(back, Path(str(adam).replace("adam", "sgd")))


def test_another_label_keeps_the_cell() -> None:
    """A label is no part of a cell: under a new one the file moves and nothing trains."""
    (old,) = trained(layout({"name": "momentum", "label": "one"}))
    renamed = layout({"name": "momentum", "label": "two"})
    (new,) = map(Path, renamed.cells)
    assert restore(renamed, new)
    assert new.exists() and not old.exists()


def test_a_damaged_cell_does_not_come_back(capsys: pytest.CaptureFixture[str]) -> None:
    """What was edited in the attic is named and trained again."""
    study_of_two = layout("sgd", "adam")
    _, adam = trained(study_of_two)
    take(layout("sgd"))
    kept = Attic(study_of_two.output).place(adam)
    kept.write_text(kept.read_text().replace("oom", "ok"))
    assert not restore(study_of_two, adam)
    assert str(kept) in capsys.readouterr().err


def test_a_cell_of_another_study_is_copied(capsys: pytest.CaptureFixture[str]) -> None:
    """The same cell of another study is taken from there, checked, and stays there, too."""
    first, second = layout("sgd", "adam"), layout("adam", output="results-try", name="try")
    _, adam = trained(first)
    (path,) = map(Path, second.cells)
    assert Attic(second.output, others(second.output)).kept(path, second.trainable) == [adam]
    assert restore(second, path) == adam
    assert path.read_bytes() == adam.read_bytes()
    path.unlink()
    take(layout("sgd"))  # it leaves the other study
    assert restore(second, path) == Attic(first.output).place(adam)
    path.unlink()
    (kept,) = Path("results/.attic").iterdir()
    kept.write_text(kept.read_text().replace("oom", "ok"))
    assert restore(second, path) is None and not path.exists()
    assert str(kept) in capsys.readouterr().err


def test_files_of_the_users_own_stay() -> None:
    """Pruning moves cells and removes what a killed run left half written, and nothing else."""
    of = layout("sgd")
    trained(of)
    note = of.output / "cells" / "notes.json"
    note.write_text("{}")
    half = half_written(of.output / "cells" / "digits-mlp" / "a.json")
    take(of)
    assert note.exists() and not half.exists()
    assert all(Path(path).exists() for path in of.cells)
