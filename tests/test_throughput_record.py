"""From what the suite of step times has measured to the record."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kit.small_study import make
from trainscape import hardware, throughput
from trainscape.cells import grid
from trainscape.cli import main
from trainscape.sealed import read_sealed
from trainscape.throughput.identity import wanted

if TYPE_CHECKING:
    from pathlib import Path

    from trainscape.study import Study


def benchmarks(study: Study) -> dict[str, Any]:
    """What the suite writes for a study."""
    cells = grid.cells(study)
    numbers = {"step_time_s": 0.001, "iqr_s": 0.0, "samples_per_s": 1e3, "peak_memory_bytes": 9}
    return {
        "machine_info": {"cpu": "any", "device": "cpu", "threads": 2},
        "benchmarks": [],
        "digest": throughput.digest(study, cells),
        "load": {"before": 0.0, "during": 0.2, "after": 0.0, "too_high": True},
        "rows": [{**one.key(), **numbers, "blocks": 8} for one in wanted(cells)],
    }


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place of the record of the tests' study, in an empty project."""
    monkeypatch.chdir(tmp_path)
    study = make()
    path = tmp_path / study.output / throughput.path(study, grid.cells(study))
    path.parent.mkdir(parents=True)
    (tmp_path / study.output / ".study").write_text(study.name)
    return path


def ask(made: object) -> int:
    """Make the record of the tests' study from what a suite wrote: the exit status."""
    with open("benchmarks.json", "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(made if isinstance(made, str) else json.dumps(made))
    study = make().model_dump_json()
    return main(["make", "throughput", "--study", study, "--benchmarks", "benchmarks.json"])


def test_record(record: Path) -> None:
    """A record has the machine, its load and the rows; records of old times go, others' stay."""
    old = record.with_name(f"{record.stem.partition('-')[0]}-000000000000.json")
    other = record.with_name(f"000000000000-{record.stem.partition('-')[2]}.json")
    for file in (old, other):
        file.write_text("{}")
    made = benchmarks(make())
    assert ask(made) == 0
    assert read_sealed(record) == {
        "record": record.stem,
        "fingerprint": hardware.fingerprint("cpu"),
        "hardware": made["machine_info"],
        "load": made["load"],
        "rows": made["rows"],
    }
    assert sorted(record.parent.iterdir()) == sorted([record, other])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda _: "", "cannot be read: "),
        (lambda made: {**made, "digest": "0" * 64}, "is of another study or source; run"),
        (lambda _: {"benchmarks": []}, "is of another study or source; run"),
        (lambda made: {**made, "rows": made["rows"][:3]}, "has 3 of 8 measurements"),
        (lambda made: {**made, "rows": made["rows"][1:] * 2}, "has 14 of 8 measurements"),
    ],
)
def test_no_record(
    change: Any, complaint: str, record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Times that are damaged, of something else or incomplete are refused; the old record stays."""
    record.write_text("the one before")
    assert ask(change(benchmarks(make()))) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"trainscape: throughput: benchmarks.json {complaint}")
    assert said.count("\n") == 1
    assert record.read_text() == "the one before"
    assert [*record.parent.iterdir()] == [record]


def test_nothing_measured(record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """To make a record without saying what was measured is refused in one line."""
    assert main(["make", "throughput", "--study", make().model_dump_json()]) == 2
    assert capsys.readouterr().err == (
        "trainscape: make throughput: --benchmarks must name what the suite has measured\n"
    )
