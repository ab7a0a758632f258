"""What is done for each cell is done once, however many there are: by counts, not by the clock."""

from __future__ import annotations

import json
import weakref
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from benchmarks import scale, untrained
from trainscape import analysis, sealed, study
from trainscape.figures.names import Figure, Sorted
from trainscape.pipeline import collect
from trainscape.pipeline.doubts import remove_dead_links
from trainscape.pipeline.layout import Layout
from trainscape.pipeline.verify import faults
from trainscape.pipeline.workflow import Run
from trainscape.results import cell_files
from trainscape.results.seen import Seen
from trainscape.results.tables import CHUNK, frame, read_csv, write_csv, written_csv

if TYPE_CHECKING:
    from collections.abc import Callable

SMALL, LARGE = 8, 16  # cells of the grid


def made(folder: Path, cells: int, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A finished training of so many cells and their range tests, in a folder of its own."""
    folder.mkdir()
    monkeypatch.chdir(folder)
    own = {**scale.study(cells), "budget": {"epochs": 2}, "seeds": 2}
    off = {"confirm": False, "throughput": {"enabled": False}}
    file = Path("params.yaml")
    file.write_text(yaml.safe_dump({**own, **off}), encoding="utf-8")
    untrained.main(str(file))
    return Layout(study.read(file))


def counted(
    monkeypatch: pytest.MonkeyPatch, counts: Counter[str], place: object, name: str
) -> None:
    """Count the calls of a function by its name."""
    real: Callable[..., Any] = getattr(place, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        counts[name] += 1
        return real(*args, **kwargs)

    monkeypatch.setattr(place, name, call)


class Watched:
    """Reads cells, and knows how many of the grid's are held at once."""

    def __init__(self) -> None:
        self.read = cell_files.read_cell
        self.held: weakref.WeakSet[cell_files.CellRecord] = weakref.WeakSet()
        self.most = 0

    def __call__(self, path: Path, digest: str | None = None) -> cell_files.CellRecord:
        record = self.read(path, digest)
        if "/cells/" in path.as_posix():
            self.held.add(record)
            self.most = max(self.most, len(self.held))
        return record


def test_collect_reads_each_cell_once_and_holds_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many cells there are, each is parsed once, and let go before the next but one."""
    for cells in (SMALL, LARGE):
        layout = made(tmp_path / str(cells), cells, monkeypatch)
        counts: Counter[str] = Counter()
        with monkeypatch.context() as patch:
            patch.setattr(cell_files, "read_cell", watched := Watched())
            patch.setattr(cell_files.CellRecord, "__hash__", object.__hash__)
            counted(patch, counts, cell_files, "read_sealed")
            counted(patch, counts, json, "loads")
            collect.make(layout)
        files = len(layout.trained)
        assert files == cells + len(layout.range_tests)
        assert counts == {"read_sealed": files, "loads": files}
        assert watched.most <= 2
        assert len(read_csv(layout.output / "summary.csv")) == cells


def test_a_look_at_what_is_there_grows_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files seen before are not opened, and each more is asked for its state ten times at most."""
    asked: dict[int, Counter[str]] = {}
    for cells in (SMALL, LARGE):
        layout = made(tmp_path / str(cells), cells, monkeypatch)
        monkeypatch.setattr("trainscape.results.seen.SETTLED", -60.0)  # files are new, and stay
        Path(".snakemake").mkdir()
        seen = Seen(Path(".snakemake/trainscape/files.json"))
        list(faults(layout, seen))
        seen.save()
        counts = asked.setdefault(cells, Counter())
        with monkeypatch.context() as patch:
            counted(patch, counts, sealed, "_as_written")
            for name in ("stat", "lstat", "is_symlink", "exists"):
                counted(patch, counts, Path, name)
            list(faults(layout, Seen(seen.store)))
            remove_dead_links(layout)
        assert counts["_as_written"] == 0
    more = {name: asked[LARGE][name] - asked[SMALL][name] for name in asked[LARGE]}
    assert 0 < sum(more.values()) <= 10 * (LARGE - SMALL), more


def test_only_cells_that_are_missing_need_jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Snakemake's graph is as large as the work to do: with nothing to do no cell is in it."""
    layout = made(tmp_path / "study", SMALL, monkeypatch)
    run = Run(layout, workflow(), frozenset())
    cells = list(layout.cells)
    assert run.needed(cells) == []
    assert run.needed(["results/cells/missing.json", *cells]) == ["results/cells/missing.json"]
    doubted = Run(layout, workflow(), frozenset(cells[:1]))
    assert doubted.needed(cells) == cells[:1]
    Path(cells[1]).rename("kept")
    assert run.needed(cells) == cells[1:2]
    Path("kept").rename(cells[1])  # trained meanwhile: it stays in the graph that it came into
    assert run.needed(cells) == cells[1:2]


@pytest.mark.parametrize("asked", [{"forcerun": ["train"]}, {"batch": "settle_cells=1/2"}])
def test_force_and_batches_name_all_cells(
    asked: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part of what is missing would be another part at every call."""
    layout = made(tmp_path / "study", SMALL, monkeypatch)
    cells = list(layout.cells)
    assert list(map(str, Run(layout, workflow(**asked), frozenset()).needed(cells))) == cells


def workflow(**settings: Any) -> Any:
    """What a run asks of Snakemake's workflow."""
    asked = {"forcerun": [], "forceall": False, "batch": None, **settings}
    graph = SimpleNamespace(forcefiles=set(), forcerules=[])
    return SimpleNamespace(dag=graph, dag_settings=SimpleNamespace(**asked))


def test_figures_find_their_rows_without_a_look_at_each() -> None:
    """Rows are sorted once, by what the figures name; each figure has its own, in order."""
    looks: Counter[str] = Counter()

    class Looked(dict[str, Any]):
        def __getitem__(self, name: str) -> Any:
            looks[name] += 1
            return super().__getitem__(name)

    optimizers = [f"o{k}" for k in range(20)]
    rows = [
        Looked(workload="w", optimizer=o, schedule=s, lr=lr)
        for lr in (1, 2)
        for o in optimizers
        for s in ("a", "b")
    ]
    by_figure = Sorted(rows)
    for kind in ("one", "two"):
        for name in optimizers:
            own = by_figure.of(Figure("w", kind, name, "b"))
            assert [row["lr"] for row in own] == [1, 2]
            assert {(row["optimizer"], row["schedule"]) for row in own} == {(name, "b")}
    assert looks["workload"] == len(rows)
    assert by_figure.of(Figure("another", "one")) == []


def test_a_table_written_row_by_row_has_the_same_bytes(tmp_path: Path) -> None:
    """As one that is held whole: quotes, nulls, small and large numbers."""
    columns = ("optimizer", "seed", "epoch", "split", "loss", "metric")
    rows = [
        ('a, "quoted"\nlabel', 0, 1.0, "train", 1e-05, None),
        ("007", 1, 1 / 3, "test", 1e16, 123456789.125),
        ("NA", 2, 0.1 + 0.2, "validation", 5e-324, -0.0),
    ]
    write_csv(frame((dict(zip(columns, r, strict=True)) for r in rows), columns), tmp_path / "held")
    with written_csv(tmp_path / "streamed", columns) as write:
        write(iter(rows[:1]))
        write(rows[1:])
    assert (tmp_path / "streamed").read_bytes() == (tmp_path / "held").read_bytes()


def test_a_table_that_fails_half_way_is_not_there(tmp_path: Path) -> None:
    """What was there stays."""
    (tmp_path / "table").write_text("before", encoding="utf-8")
    with pytest.raises(ZeroDivisionError), written_csv(tmp_path / "table", ("loss",)) as write:
        write((1 / k,) for k in (1, 0))
    assert (tmp_path / "table").read_text(encoding="utf-8") == "before"
    assert list(tmp_path.iterdir()) == [tmp_path / "table"]


@pytest.mark.parametrize("count", [0, 1, CHUNK - 1, CHUNK + 2])
def test_rows_of_one_split_are_read_alone(tmp_path: Path, count: int) -> None:
    """They are those of the whole table, with their places in it."""
    with written_csv(tmp_path / "table", ("split", "step", "loss")) as write:
        write((("train", "test")[k % 2], k, k / 2) for k in range(count))
    whole = read_csv(tmp_path / "table")
    part = read_csv(tmp_path / "table", {"split": "test"})
    assert part.equals(whole[whole["split"] == "test"])
    assert list(part.dtypes) == list(whole.dtypes)


def test_histories_are_made_when_they_are_asked_for() -> None:
    """They are the rows of the cell, in their order, and of no other."""
    rows = [
        {"workload": "w", "optimizer": o, "batch_size": 8, "lr": 0.1, "schedule": "s", "loss": k}
        for o in ("a", "b")
        for k in (3.0, 1.0, 2.0)
    ]
    table = frame(rows, (*analysis.AXES, "loss"))
    histories = analysis.Histories(table)
    assert len(histories) == 2
    assert [row["loss"] for row in histories["w", "b", 8, 0.1, "s"]] == [3.0, 1.0, 2.0]
    assert ("w", "c", 8, 0.1, "s") not in histories
