"""Cell files: written whole, refused by name when anything in them is not as it was written."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kit import synthetic
from kit.synthetic import IDENTITY
from trainscape.cells.cell import TrialRecord
from trainscape.errors import UserError
from trainscape.hashing import sha256
from trainscape.pipeline.checks import check_output
from trainscape.registry import NAME_HOLDS
from trainscape.results.cell_files import CellRecord, read_cell, write_cell
from trainscape.results.owner import check_claim, claim
from trainscape.sealed import write_sealed

if TYPE_CHECKING:
    from collections.abc import Callable

    Damage = Callable[[dict[str, Any]], object]

CELL = synthetic.cell(optimizer="sgd", seeds=(0, 1), validation=0.2, epochs=2)
AGAIN = "; run snakemake to make it again"
DIGEST = CELL.digest(IDENTITY)
RECORD = CellRecord(
    digest=DIGEST,
    backend="cpu-avx2",
    spec=CELL.spec(),
    identity=IDENTITY,
    steps=[18, 36],
    trials=[
        TrialRecord(
            seed=0,
            status="ok",
            diverged_at=None,
            train_loss=[1.5, 0.1],
            fit_loss=[1.4, 0.1],
            fit_metric=[0.5, 1.0],
            val_loss=[1.4, 0.2],
            val_metric=[0.5, 0.96875],
            test_loss=[1.4, 0.3],
            test_metric=[0.5, 0.9],
        ),
        TrialRecord.untrained(1, "oom"),
    ],
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A whole cell file at its own path."""
    path = tmp_path / "cells" / CELL.path(DIGEST)
    write_cell(path, RECORD)
    return path


def edit(path: Path, damage: Damage, *, sealed: bool = False) -> None:
    """Change what a cell file holds; ``sealed`` puts a checksum that fits."""
    body = json.loads(path.read_text())
    checksum = body.pop("checksum")
    damage(body)
    path.write_text(json.dumps({**body, "checksum": sha256(body) if sealed else checksum}))


def refused(path: Path, digest: str | None = None) -> str:
    """Why reading ``path`` is refused, without the file's name that comes first."""
    with pytest.raises(UserError) as error:
        read_cell(path, digest)
    name, _, why = str(error.value).partition(": ")
    assert name == str(path)
    assert "\n" not in why
    return why


def test_a_record_comes_back_as_it_was_written(file: Path) -> None:
    """Every float, None and history is read exactly as written, with and without the digest."""
    assert read_cell(file) == read_cell(file, DIGEST) == RECORD


def test_equal_records_are_equal_bytes(file: Path, tmp_path: Path) -> None:
    """A cell file is a function of its record: no time, host or path is in it."""
    other = tmp_path / "elsewhere" / file.name
    write_cell(other, RECORD)
    assert other.read_bytes() == file.read_bytes()
    assert str(tmp_path) not in other.read_text()


@pytest.mark.parametrize(
    "damage",
    [
        lambda body: body["trials"][0]["test_metric"].__setitem__(-1, 0.99),
        lambda body: body["trials"][0].update(status="diverged"),
        lambda body: body["trials"].pop(),
        lambda body: body.update(backend="cuda-sm90"),
        lambda body: body["steps"].__setitem__(0, 17),
        lambda body: body["spec"].update(lr=0.1),
        lambda body: body["identity"].update(torch="2.12.0"),
        lambda body: body.update(digest="0" * 64),
    ],
)
def test_an_edit_is_refused(file: Path, damage: Damage) -> None:
    """A single changed value, an accuracy above all, is found by the checksum."""
    edit(file, damage)
    assert refused(file) == f"was edited (its checksum differs){AGAIN}"


@pytest.mark.parametrize(
    "damage",
    [lambda body: body["spec"].update(lr=0.1), lambda body: body["identity"].update(torch="2.12")],
)
def test_a_relabelled_cell_is_refused(file: Path, damage: Damage) -> None:
    """Results under another spec are refused even with a checksum that fits."""
    edit(file, damage, sealed=True)
    assert refused(file) == f"has a digest that is not that of what it states{AGAIN}"


def test_another_cell_under_this_name_is_refused(file: Path) -> None:
    """A whole file that was renamed to another cell's digest does not pass for that cell."""
    other = file.with_name(file.name.replace(DIGEST[:12], "0" * 12))
    file.rename(other)
    assert refused(other) == f"holds another cell ({DIGEST[:12]}){AGAIN}"


def test_a_digest_that_is_asked_for_is_compared_whole(file: Path) -> None:
    """Twelve equal digits are not enough where the whole digest is known."""
    why = refused(file, DIGEST[:12] + "0" * 52)
    assert why == f"holds another cell ({DIGEST[:12]}){AGAIN}"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"not JSON",
        b"[]",
        b"3",
        b"null",
        b"{}",
        b'{"format": 1}',
        b"\xff\xfe",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    ],
)
def test_what_is_no_cell_file_is_refused(file: Path, content: bytes) -> None:
    """Empty files, other JSON and pointers are refused by name, never read as results."""
    file.write_bytes(content)
    assert re.fullmatch(rf"is not a whole file \(\w+\){AGAIN}", refused(file))


def test_a_file_cut_anywhere_is_refused(file: Path) -> None:
    """No prefix of a cell file, as a broken transfer leaves it, is taken for a whole one."""
    content = file.read_bytes().rstrip()
    for length in range(0, len(content), 7):
        file.write_bytes(content[:length])
        assert refused(file).startswith("is not a whole file")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_json_does_not_know_is_refused(file: Path, number: str) -> None:
    """NaN and infinities, which Python's own reader takes, are damage."""
    file.write_text(file.read_text().replace("0.96875", number))
    assert refused(file) == f"is not a whole file (ValueError){AGAIN}"


def test_unknown_and_missing_fields_are_refused(file: Path) -> None:
    """A file with one field more or less is not whole, whatever its checksum."""
    edit(file, lambda body: body.update(extra=1), sealed=True)
    assert refused(file) == f"is no cell (TypeError){AGAIN}"
    write_cell(file, RECORD)
    edit(file, lambda body: body["trials"][0].pop("seed"), sealed=True)
    assert refused(file) == f"is no cell (TypeError){AGAIN}"
    write_cell(file, RECORD)
    edit(file, lambda body: body["trials"][0].pop("val_metric"), sealed=True)
    why = "seed 0 has evaluations of which some numbers are missing"
    assert refused(file) == f"is no cell ({why}){AGAIN}"


def test_another_format_is_refused(file: Path) -> None:
    """A whole file of another version says so, though nothing else in it is as expected."""
    write_sealed(file, {"format": 2, "results": []})
    assert refused(file) == f"has format 2, this version reads 1{AGAIN}"


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    """What cannot be read is named, with what to do."""
    assert refused(tmp_path / "none.json") == "no such file; run snakemake to make it"
    assert refused(tmp_path) == "cannot be read: Is a directory"


def test_nan_is_never_written(tmp_path: Path) -> None:
    """A record with NaN is an error where it is made, and leaves no file."""
    bad = replace(RECORD, trials=[replace(RECORD.trials[0], train_loss=[float("nan")])])
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_cell(tmp_path / "cell.json", bad)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_inside_anothers_results_is_refused(tmp_path: Path) -> None:
    """What the outer study sweeps away would be the inner one's."""
    claim(tmp_path / "outer", "first")
    with pytest.raises(UserError, match="lies in the results of another study"):
        check_claim(tmp_path / "outer" / "inner", "second")


def test_a_folder_belongs_to_one_study(tmp_path: Path) -> None:
    """The first study claims the folder, may come back, and a second is refused by name."""
    output = tmp_path / "results"
    check_claim(output, "first")
    assert not output.exists()
    claim(output, "first")
    claim(output, "first")
    check_claim(output, "first")
    for ask in (claim, check_claim):
        with pytest.raises(UserError) as error:
            ask(output, "second")
        assert str(error.value) == (
            f"output: {str(output)!r} holds the study 'first'; give 'second' a folder of its own"
        )
    assert (output / ".study").read_text() == "first\n"


def test_a_file_is_no_output_folder(tmp_path: Path) -> None:
    """An output that is a file is refused in one line."""
    output = tmp_path / "results"
    output.write_text("")
    with pytest.raises(UserError) as error:
        claim(output, "first")
    assert str(error.value) == (
        f"output: {str(output)!r} cannot be a folder of results: File exists"
    )


def test_a_folder_with_files_of_nobody_is_not_taken(tmp_path: Path) -> None:
    """A folder that holds a user's own files is refused, and nothing in it is touched."""
    own = tmp_path / "paper" / "figures" / "drawing.svg"
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    for refuse in (check_claim, claim):
        with pytest.raises(UserError, match="holds files of no study"):
            refuse(tmp_path / "paper", "first")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [own]


def test_a_folder_that_holds_only_folders_is_free(tmp_path: Path) -> None:
    """Snakemake makes a job's folders before the job claims them."""
    (tmp_path / "results" / "cells" / "digits-mlp").mkdir(parents=True)
    claim(tmp_path / "results", "first")
    assert (tmp_path / "results" / ".study").read_text() == "first\n"


@pytest.mark.parametrize(
    ("output", "why"),
    [
        (".git/.snakemake", f": '.git' is no name for a folder of results; choose {NAME_HOLDS}"),
        ("a b", f": 'a b' is no name for a folder of results; choose {NAME_HOLDS}"),
        ("../x", " is no folder inside the project; choose one, such as 'results'"),
        ("/tmp/x", " is no folder inside the project; choose one, such as 'results'"),
        (".", " is no folder inside the project; choose one, such as 'results'"),
        ("data/x", " is the folder of datasets; choose 'results'"),
    ],
)
def test_a_folder_that_is_none_for_results_is_refused(output: str, why: str) -> None:
    """Outside of the project, hidden, or the datasets' own: each is called what it is."""
    with pytest.raises(UserError) as refused:
        check_output(output, Path("data"))
    assert str(refused.value) == f"output: {output!r}{why}"
