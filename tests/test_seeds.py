"""More seeds cost only the new seeds: the others are taken from any cell that holds them."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kit import examples
from trainscape import datasets, hardware, study
from trainscape.cells.identity import digest, identity
from trainscape.engine import run
from trainscape.pipeline import estimate as estimates
from trainscape.pipeline import settle, train, work
from trainscape.pipeline.layout import Layout
from trainscape.pipeline.speeds import Speed, Speeds
from trainscape.results import seeds, seen
from trainscape.results.cell_files import read_cell, write_cell

GRID = {"optimizer": ["sgd", "adam"], "batch_size": [16], "lr": [0.1, 1e30]}


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project with small data, whose files count as changed long ago."""
    monkeypatch.chdir(tmp_path)
    Path(".snakemake").mkdir()
    monkeypatch.setattr(seen, "SETTLED", -1e9)
    monkeypatch.setattr(datasets, "load", lambda *_: examples.images(1437, test=360))


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The seeds of every cell that is trained, call by call."""
    found: list[list[int]] = []
    real = run.train_cells

    def watched(specs: list[dict[str, Any]], *args: Any, **options: Any) -> Any:
        found.extend(list(spec["seeds"]) for spec in specs)
        return real(specs, *args, **options)

    monkeypatch.setattr(run, "train_cells", watched)
    return found


def made(wanted: Any, **changes: Any) -> tuple[Layout, str]:
    """A study with these seeds, its cells made; and the log."""
    raw = {
        "budget": {"steps": 30},
        "grid": GRID,
        "seeds": wanted,
        "throughput": {"enabled": False},
        "device": "cpu",
        **changes,
    }
    layout, said = Layout(study.parse(raw, "test")), []
    train.make(layout, list(layout.trained), lambda _, text: said.append(text))
    return layout, "\n".join(said)


def contents(layout: Layout) -> dict[str, bytes]:
    """The study's cells by their place below its folder."""
    return {
        str(Path(path).relative_to(layout.output)): Path(path).read_bytes()
        for path in layout.trained
    }


@pytest.mark.parametrize("split", ["fixed", "per-seed"])
def test_more_seeds_train_only_the_new_ones(
    split: str, trained: list[list[int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Diverged trials among them; the files have the bytes of cells that were trained whole."""
    first, _ = made([0, 1, 2, 3, 4], split=split)
    trained.clear()
    layout, said = made([0, 1, 2, 3, 4, 5, 6], split=split)
    assert trained == [[5, 6]] * 4
    for path, cell in first.trained.items():
        assert f"took seeds 0, 1, 2, 3, 4 of {cell} from {path}" in said
        assert f"training {cell}, seeds 5, 6" in said
    (tmp_path / "fresh").mkdir()
    monkeypatch.chdir(tmp_path / "fresh")
    whole, said = made([0, 1, 2, 3, 4, 5, 6], split=split)
    monkeypatch.chdir(tmp_path)
    assert "took" not in said
    fresh = {name: (tmp_path / "fresh/results" / name).read_bytes() for name in contents(layout)}
    assert contents(layout) == fresh and len(fresh) == len(whole.trained) == 4


def test_fewer_seeds_train_nothing(trained: list[list[int]]) -> None:
    """In whatever order; and from the attic and back again, of several files."""
    before, _ = made([0, 1, 2])
    settle.make(before)
    layout, _ = made([4, 3, 2])
    settle.make(layout)
    trained.clear()
    kept = {str(p) for p in Path("results/.attic").iterdir()}
    layout, said = made([3, 1])
    assert trained == [] and len(kept) == 4
    assert said.count("took seeds 1 ") == said.count("took seeds 3 ") == 4
    assert all(path in said for path in kept)
    for path, cell in layout.trained.items():
        record = read_cell(Path(path), digest(cell))
        assert [trial.seed for trial in record.trials] == [3, 1]
        assert record.spec["seeds"] == [3, 1]


def test_another_study_gives_its_seeds(trained: list[list[int]]) -> None:
    """A study with its own folder in the project; its files stay as they are."""
    other, _ = made([0, 1], name="other", output="results-other")
    before = contents(other)
    trained.clear()
    _, said = made([0, 1, 2])
    assert trained == [[2]] * 4 and "from results-other/cells/" in said
    assert contents(other) == before


def test_a_damaged_source_is_passed_over(
    trained: list[list[int]], capsys: pytest.CaptureFixture[str]
) -> None:
    """With a word; its seeds are trained, those of the others are not."""
    first, _ = made([0, 1])
    damaged, *_ = map(Path, first.trained)
    text = damaged.read_text()
    number = json.loads(text)["trials"][0]["train_loss"][0]
    damaged.write_text(text.replace(repr(number), "0.5"))
    trained.clear()
    made([0, 1, 2])
    assert sorted(trained) == [[0, 1, 2], [2], [2], [2]]
    assert f"{damaged} was edited (its checksum differs): it is passed over" in (
        capsys.readouterr().err
    )


def test_what_is_no_cell_is_passed_over(trained: list[list[int]]) -> None:
    """A file among the cells whose seeds are no numbers, whatever else it holds."""
    first, _ = made([0, 1])
    stranger = Path(next(iter(first.trained))).with_name("stranger.json")
    body = {"spec": {"seeds": [float("inf")]}, "identity": {}, "backend": "cpu"}
    stranger.write_text(json.dumps(body))
    trained.clear()
    made([0, 1, 2])
    assert trained == [[2]] * 4


def relabelled(layout: Layout, backend: str) -> None:
    """Let the study's cells be another backend's."""
    for path, cell in layout.trained.items():
        write_cell(Path(path), replace(read_cell(Path(path), digest(cell)), backend=backend))


def test_another_backend_is_not_mixed(trained: list[list[int]]) -> None:
    """All seeds are trained beside those of another machine; where none is missing, all are its."""
    first, _ = made([0, 1])
    relabelled(first, "cpu-other")
    trained.clear()
    layout, said = made([0, 1, 2])
    assert trained == [[0, 1, 2]] * 4 and "took" not in said
    for path in layout.trained:
        Path(path).unlink()
    layout, _ = made([1])
    assert {read_cell(Path(path)).backend for path in layout.trained} == {"cpu-other"}


def test_where_the_backend_turns_out_otherwise_all_seeds_train(trained: list[list[int]]) -> None:
    """Such as torch's own kernels, before there was a compiler: the file is one trained whole."""
    first, _ = made([0, 1])
    backend = read_cell(Path(next(iter(first.trained)))).backend
    other = f"cpu-torch-{hardware.describe()['isa']}-intel"
    relabelled(first, other)
    trained.clear()
    layout, said = made([0, 1, 2])
    assert trained == [*[[2]] * 4, *[[0, 1, 2]] * 4]
    assert f"kept seeds are of {other}, these of {backend}: all train" in said
    assert {read_cell(Path(path)).backend for path in layout.trained} == {backend}


def test_what_did_not_fit_into_memory_is_not_taken(trained: list[list[int]]) -> None:
    """It may fit now."""
    first, _ = made([0, 1])
    for path, cell in first.trained.items():
        record = read_cell(Path(path), digest(cell))
        lost = replace(record.trials[0], status="oom")
        write_cell(Path(path), replace(record, trials=[lost, record.trials[1]]))
    trained.clear()
    made([0, 1, 2])
    assert trained == [[0, 2]] * 4


def test_other_cells_are_not_mixed(trained: list[list[int]]) -> None:
    """What decides a number keeps seeds apart, and so does whether a cell is detailed."""
    layout, _ = made([0, 1])
    trained.clear()
    made([0, 1, 2], evaluate_every=0.5)
    assert trained == [[0, 1, 2]] * 4
    cell = next(iter(layout.trained.values()))
    asked = replace(cell, detailed=True)
    of = identity(cell)
    assert seeds.kin(asked.spec(), of) != seeds.kin(cell.spec(), of)
    assert seeds.kin(replace(cell, seeds=(9,)).spec(), of) == seeds.kin(cell.spec(), of)


def test_again_trains_all(trained: list[list[int]]) -> None:
    """Whoever forces cells wants them trained."""
    made([0, 1])
    trained.clear()
    layout, _ = made([0, 1, 2])
    trained.clear()
    train.make(layout, list(layout.trained), again=True)
    assert trained == [[0, 1, 2]] * 4


def test_the_index_is_read_once_for_each_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until a file changes; a damaged index is made again."""
    made([0, 1])
    read: list[Path] = []
    real = seeds._read

    def watched(path: Path) -> Any:
        read.append(path)
        return real(path)

    monkeypatch.setattr(seeds, "_read", watched)
    layout = Layout(study.parse({"grid": GRID, "seeds": 3, "budget": {"steps": 30}}, "test"))
    cells = list(layout.trained.values())

    def there() -> list[set[int]]:
        held = train.kept_seeds(layout)
        return [held.there(cell.spec(), identity(cell)) for cell in cells]

    assert there() == [{0, 1}] * 4 and len(read) == 4
    assert there() == [{0, 1}] * 4 and len(read) == 4
    read[0].write_text(read[0].read_text() + " ")
    assert there() == [{0, 1}] * 4 and len(read) == 5
    train.INDEX.write_text("[")
    assert there() == [{0, 1}] * 4 and len(read) == 9
    train.INDEX.write_text(json.dumps({str(path): [] for path in read}))
    assert there() == [{0, 1}] * 4 and len(read) == 13


def test_estimate_counts_the_new_seeds_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials, steps and time are those of new seeds; cells with none are kept."""
    monkeypatch.setattr(work, "AFTER", 0.0)
    monkeypatch.setattr(work, "FIGURE", 0.0)
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    monkeypatch.setattr(hardware, "usable_cores", lambda: {0})
    speeds = Speeds({"digits-mlp": Speed(1.0, 0.0, 0.0)}, 0.0, "a guess")
    monkeypatch.setattr(estimates, "of_this_machine", lambda *_: speeds)
    made([0, 1, 2])

    def estimated(wanted: list[int]) -> list[str]:
        raw = {"grid": GRID, "seeds": wanted, "budget": {"steps": 30}, "device": "cpu"}
        off = {"throughput": {"enabled": False}}
        return estimates.estimate(Layout(study.parse({**raw, **off}, "test"))).splitlines()

    lines = estimated([0, 1, 2, 3])
    assert lines[2].split() == ["digits-mlp", "4", "0", "0", "4", "4", "120"]
    assert lines[3] == "12 trials of these cells kept with other seeds: taken, not trained"
    assert lines[4].startswith("about 30 s on 1 core")
    lines = estimated([0, 2])
    assert lines[2].split() == ["digits-mlp", "4", "0", "4", "0", "0", "0"]
    assert "every missing cell is kept" in lines[3]
