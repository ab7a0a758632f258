"""All stages of a small study in one process, and the check of what they made."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from trainscape import study
from trainscape.cli import main
from trainscape.errors import UserError
from trainscape.pipeline import data, train
from trainscape.pipeline.layout import Layout
from trainscape.pipeline.make import make
from trainscape.pipeline.stages import STAMPED, made_from
from trainscape.pipeline.verify import verify
from trainscape.results.cell_files import read_cell, write_cell
from trainscape.sealed import write_sealed

STUDY = {
    "budget": {"steps": 40},
    "seeds": 2,
    "grid": {"optimizer": ["sgd"], "batch_size": [64, 256], "lr": [0.1, 1e30]},
    "target": {"digits-mlp": 1.0},
    "throughput": {"enabled": False},
    "range_test": {"enabled": True, "steps": 30, "high": 1e30},
}

FIRST = ("train", "collect")


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A finished study of four cells, two diverging, and two range tests, without step times."""
    monkeypatch.chdir(tmp_path)
    made = Layout(study.parse(STUDY, "test"))
    data.make(made)
    train.make(made, list(made.trained))
    for stage in ("settle", "collect", "answer", "figures", "timings", "report"):
        make(made, stage)
    return made


def complaints(layout: Layout) -> list[str]:
    """What ``trainscape verify`` says against the study's files."""
    return verify(layout).complaints


def test_every_stage_makes_what_the_layout_lists(layout: Layout) -> None:
    """After all stages every product and stamp is there, the check is content, no file is left."""
    listed = {Path(p) for p in layout.targets("data", "train", *STAMPED)}
    there = {path for root in ("data", "results") for path in Path(root).rglob("*")}
    assert {path for path in there if path.is_file()} == listed | {Path("results/.study")}
    assert complaints(layout) == []


def test_of_many_missing_files_the_first_are_named(
    layout: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line for a folder that lacks more than a few, and what brings them; --all names each."""
    told = ["verify", "--study", json.dumps(STUDY)]
    cells = [str(path) for path in layout.cells]
    for name in (*cells, *(str(path) for path in Path("results/.made").glob("*/*"))):
        Path(name).unlink()
    capsys.readouterr()
    assert main(told) == 1
    found = capsys.readouterr()
    train, collect = (layout.stamp(stage).removeprefix("results/.made/") for stage in FIRST)
    assert found.err.splitlines() == [
        *(f"{cell}: no such file; run snakemake to make it" for cell in cells),
        f"results/.made: 6 files are missing: {train}, {collect}, …",
        "'snakemake --cores all' makes what is missing, 'dvc pull' brings what a remote has; "
        "--all names each file",
    ]
    assert found.out == "6 cells, 1 dataset: 10 complaints\n"
    assert main([*told, "--all"]) == 1
    assert capsys.readouterr().err.splitlines() == complaints(layout)


def test_the_report_tells_a_budget_of_steps(layout: Layout) -> None:
    """The first paragraph counts steps, not epochs, and names what diverged."""
    page = (layout.output / "report.html").read_text()
    assert "None epochs" not in page and "None steps" not in page
    assert "40 steps" in page
    metrics = json.loads((layout.output / "metrics.json").read_text())
    assert metrics


def test_what_diverges_or_misses_the_target_is_said_in_words(layout: Layout) -> None:
    """All JSON is strict, tables hold no NaN, and a target that is missed is null."""
    files = {path for path in Path("results").rglob("*.json") if path.is_file()}
    assert {path.name for path in files} > {"metrics.json", "range.json", "timings.json"}
    assert {Path(path) for path in layout.trained} <= files
    for path in files:
        json.loads(path.read_bytes(), parse_constant=pytest.fail)
    summary = (layout.output / "summary.csv").read_text().lower()
    assert "diverged" in summary and "nan" not in summary and "inf" not in summary
    metrics = json.loads((layout.output / "metrics.json").read_text())["digits-mlp"]
    assert metrics["steps_to_target"] is None
    assert metrics["diverged_share"] == 0.5


def test_a_study_without_step_times_shows_none(layout: Layout) -> None:
    """Switched off is not the same as not yet measured: no figure and no section of times."""
    names = {path.parent.name for path in layout.output.rglob("*.svg")}
    results = {"test-metric", "steps-to-target", "diverged-share", "curves", "range"}
    assert names == results | {"importance"}
    assert "Not measured here" not in (layout.output / "report.html").read_text()


def test_what_was_changed_afterwards_is_named(layout: Layout) -> None:
    """An edited table, a missing figure, an edited cell and a damaged dataset: a line each."""
    table = layout.output / "summary.csv"
    table.write_text(table.read_text().replace("sgd", "SGD"))
    figure = Path(layout.products("figures")[0])
    figure.unlink()
    cell = Path(layout.products("train")[0])
    cell.write_text(cell.read_text().replace('"seed":0', '"seed":7'))
    arrays = Path("data/digits.npz")
    arrays.write_bytes(arrays.read_bytes()[:-100])
    found = complaints(layout)
    assert len(found) == 4
    for path in (table, figure, cell, arrays):
        assert any(line.startswith(str(path)) for line in found), path


def test_a_cell_of_no_study_is_refused(layout: Layout) -> None:
    """A path that the grid does not hold is named, before anything trains."""
    with pytest.raises(Exception, match=r"results/cells/a\.json: is no cell of study 'default'"):
        train.make(layout, ["results/cells/a.json"])


def test_a_stage_is_not_made_for_another_study(layout: Layout) -> None:
    """A process that reads a plugin or source edited during the run says so, and writes nothing."""
    stamp = Path(layout.stamp("collect"))
    before = stamp.stat().st_mtime_ns
    with pytest.raises(UserError, match="has changed since the run began; run again"):
        make(layout, "collect", awaited=str(stamp.with_name("0" * 12)))
    assert stamp.stat().st_mtime_ns == before
    make(layout, "collect", awaited=str(stamp))


def test_a_stage_reads_nothing_that_was_changed(layout: Layout) -> None:
    """By hand, too, no stage is made of a table that is missing, or not what was made."""
    table = layout.output / "trials.csv"
    table.write_text(table.read_text() + "\n")
    for stage in ("figures", "timings", "report"):
        with pytest.raises(UserError, match=r"results/trials\.csv: was changed after it was made"):
            make(layout, stage)
    Path(layout.stamp("collect")).unlink()
    with pytest.raises(UserError, match=r"results/\.made/collect/\w{12}: no such file"):
        make(layout, "report")


def test_files_of_two_versions_are_told_apart(layout: Layout) -> None:
    """A cell of another machine, an older page: each is whole, and does not belong to the rest."""
    page, stamp = layout.output / "report.html", Path(layout.stamp("report"))
    older = page.read_bytes(), stamp.read_bytes()
    cell = Path(next(iter(layout.range_tests)))
    write_cell(cell, replace(read_cell(cell), backend="elsewhere"))
    from_another = "was made from another"
    why = f"{from_another} {cell} than is there; run snakemake to make it again"
    assert complaints(layout) == [f"{layout.stamp('train')}: {why}"]
    make(layout, "settle")
    assert [line.partition(":")[0] for line in complaints(layout)] == [layout.stamp("collect")]
    with pytest.raises(UserError, match=f"{from_another} results/.made/train"):
        make(layout, "answer")
    for stage in ("collect", "answer", "figures", "timings", "report"):
        make(layout, stage)
    assert complaints(layout) == []
    page.write_bytes(older[0])
    stamp.write_bytes(older[1])
    (line,) = complaints(layout)
    assert line.startswith(f"{stamp}: {from_another} {layout.stamp('collect')}")


def test_times_are_of_the_step_times_that_are_there(layout: Layout) -> None:
    """The stamp of what shows seconds holds the hash of the measurement, if there is one."""
    timed = Layout(study.parse({**STUDY, "throughput": {"enabled": True}}, "test"))
    assert timed.throughput is not None
    assert timed.throughput not in made_from(timed, "timings")
    write_sealed(Path(timed.throughput), {})
    assert made_from(timed, "timings") == [timed.stamp("collect"), timed.throughput]
