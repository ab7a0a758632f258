"""Tables, claims and parameter files of another version: compared, or refused in one line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kit.hostile import LONG, PIECES, answered, fuzzed, mutated, spoiled
from kit.hostile_studies import STUDIES, dumped
from kit.versions import table
from trainscape.pipeline.diff import as_json, diff, params, recorded
from trainscape.pipeline.revisions import version
from trainscape.report import _changes, _changes_page
from trainscape.results.tables import read_csv, records

if TYPE_CHECKING:
    from collections.abc import Sequence

LINES = [
    line
    for number, line in enumerate(table(lrs=(0.1,), seeds=(0, 1, 2)).splitlines())
    if number < 13 or "64" in line
]
FIELDS = [
    *("", "nan", "inf", "-inf", "1e400", "1e-400", "-1", "0", "1.5", "2", "999", "ok", "oom"),
    *("sgd", '"', '"a', 'a""b', "a\nb", "\0", "\ufeff", "é" * 300, "digits-mlp", "<script>"),
    *("=1+1", "1_0", "9" * 400, "9" * 5000, "a" * 140_000, "0x10", "1,2", ";", "\t"),
]


@st.composite
def tables(draw: st.DrawFn) -> str:
    """A table with fields, lines or columns that are others than they were."""
    rows = [line.split(",") for line in LINES]
    for _ in range(draw(st.integers(1, 4))):
        line = draw(st.integers(0, len(rows) - 1)) if rows else 0
        kind = draw(st.integers(0, 6))
        if kind == 0:
            column = draw(st.integers(0, len(rows[0]) - 1)) if rows and rows[0] else 0
            rows = [row[:column] + row[column + 1 :] for row in rows]
        elif kind == 1 and rows:
            rows.append(list(rows[line]))
        elif kind == 2:
            rows = rows[:line]
        elif kind == 3 and rows:
            rows[line] = [*rows[line], draw(st.sampled_from(FIELDS))]
        elif rows and rows[line]:
            rows[line][draw(st.integers(0, len(rows[line]) - 1))] = draw(st.sampled_from(FIELDS))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    return draw(st.sampled_from(["", "\ufeff"])) + end.join(",".join(row) for row in rows) + end


def written(
    folder: str, trials: bytes, study: bytes, others: Sequence[tuple[str, bytes]] = ()
) -> None:
    """A version of a study in a folder."""
    for name, content in [("results/trials.csv", trials), ("params.yaml", study), *others]:
        file = Path(folder, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def compared() -> None:
    """All that ``trainscape diff`` says of the folders ``one`` and ``other``, and its page."""
    before, after = (version(name, "params.yaml", None) for name in ("one", "other"))
    made = diff(before, after)
    for form in (_changes.text, _changes.markdown, as_json):
        assert form(made)
    if LONG in os.environ:  # the page's chart takes a tenth of a second
        _changes_page.write(made, Path("changes.html"))


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two versions."""
    monkeypatch.chdir(tmp_path)
    for name in ("one", "other"):
        written(name, "\n".join(LINES).encode(), b"name: a")
    assert answered(compared) is None
    return tmp_path


WHOLE = "\n".join(LINES).encode()


@fuzzed(40)
@given(content=tables().map(str.encode) | spoiled(st.just(WHOLE)))
@example(content="\n".join([*LINES, LINES[-1]]).encode())
@example(content=WHOLE.replace(b",ok,", b",ok" + b"a" * 140_000 + b",", 1))
def test_a_spoiled_table_of_trials_is_refused(both: Path, content: bytes) -> None:
    """Columns that are missing, text for numbers, lines twice, open quotes, other line ends."""
    written("other", content, b"name: a")
    answered(compared)
    answered(lambda: records(read_csv(Path("other/results/trials.csv"))))


@fuzzed(60)
@given(
    study=st.builds(dumped, mutated(STUDIES), st.integers(0, 1))
    | spoiled(st.just(dumped(STUDIES[1], 0)))
)
@example(study=b"margin: .nan")
@example(study=b"margin: .inf")
@example(study=b"plugins: 3")
@example(study=b"seeds: 2024-01-01")
@example(study=b"seeds: [2024-01-01]")
@example(study=b"output: [1]")
@example(study=b"output: ../../etc")
@example(study=b"grid: &a [*a]")
def test_a_spoiled_study_of_a_version_is_refused(both: Path, study: bytes) -> None:
    """An older version's parameter file may hold anything; what differs is told, on a line each."""
    written("other", WHOLE, study)
    answered(compared)


LOAD = {"load": {"too_high": True}, "quiet": False}
TIMES = {"fingerprint": "f", **LOAD, "noisy": 1, "measurements": 2}
TIMED = b"workload,optimizer,batch_size,step_time_s,iqr_s\ndigits-mlp,sgd,64,0.1,0.01\n"


@fuzzed(40)
@given(
    held=mutated([TIMES]).map(lambda tree: json.dumps(tree, default=str, skipkeys=True).encode()),
    timed=spoiled(st.just(TIMED)),
)
@example(held=b"[]", timed=TIMED)
@example(held=b"[" * 100_000, timed=TIMED)
@example(held=json.dumps(TIMES).encode(), timed=TIMED.replace(b"0.1,", b"fast,"))
@example(held=json.dumps(TIMES).encode(), timed=TIMED.replace(b"workload", b"work"))
@example(held=json.dumps({**TIMES, "load": [1]}).encode(), timed=TIMED)
def test_spoiled_step_times_are_refused(both: Path, held: bytes, timed: bytes) -> None:
    """Step times of another version stand in two files that anyone may have written."""
    for name in ("one", "other"):
        files = [("results/timings.json", held), ("results/timings.csv", timed)]
        written(name, WHOLE, b"name: a", files)
    answered(compared)


@fuzzed(60)
@given(before=mutated(STUDIES), after=mutated(STUDIES))
def test_parameters_that_differ_are_told_on_a_line_each(before: Any, after: Any) -> None:
    """Whatever values are, each line is one that a terminal only prints."""
    assert all("\n" not in line for line in params(before, after))


@fuzzed(60)
@given(
    text=st.lists(
        st.sampled_from(["<h3>study</h3>", "<dl>", "</dl>", "<dt>", "</dt><dd>", "</dd>", "a"]),
        max_size=40,
    ).map("".join)
)
@example(text="<h3>study</h3><dl>" + "<dt>" * 200_000 + "</dl>")
def test_a_page_of_a_strangers_is_read_quickly(text: str) -> None:
    """What a report states is found in a time that grows with its length."""
    assert answered(lambda: recorded(text)) is None


BROKEN = [b"", b"a,a\n1,2\n", b'a\n"', b"lr\nx\n", b"seed\n1.5\n", b"\xff"]


@pytest.mark.parametrize("piece", [*PIECES, *BROKEN])
def test_what_is_no_table_is_refused(tmp_path: Path, piece: bytes) -> None:
    """A stage that reads it says so in one line."""
    file = tmp_path / "table.csv"
    file.write_bytes(piece)
    said = answered(lambda: records(read_csv(file)))
    if said is None:  # a heading
        assert piece not in BROKEN
    else:
        assert said.startswith(f"{file}: is no table of ours (")
    assert answered(lambda: read_csv(tmp_path / "none.csv")) is not None
    assert answered(lambda: read_csv(tmp_path)) is not None
