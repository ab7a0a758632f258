"""``trainscape diff``: real repositories with git, and tables of trials written by hand."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kit.diffed import STUDY, commit, counts, said, write
from kit.diffed import project as project  # a fixture, once it is here
from kit.versions import COLUMNS, table
from trainscape.cli import main
from trainscape.hashing import file_sha256


def test_the_same_bytes(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is equal byte for byte is said to be, and nothing else is said of it."""
    text = said(capsys)
    assert "Same bytes: all 100 trials of 20 cells." in text
    assert "mean shift" not in text
    assert counts(capsys) == {"same bytes": 20}


def test_the_same_numbers_of_other_code(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers that stayed where digests changed are the same, not the same bytes."""
    write(table(digest="d2"))
    assert "The same numbers in all 100 trials of 20 cells; other digests, the same b" in said(
        capsys
    )
    assert counts(capsys) == {"same": 20}


def test_the_same_digests_on_another_backend(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """How many trials differ, and by how much at most; of noise nothing is better or worse."""
    rows = table(backend="cuda-sm90").splitlines()
    fields = rows[7].split(",")
    value = float(fields[COLUMNS.index("test_metric")])
    fields[COLUMNS.index("test_metric")] = str(value - 1 / 360)
    write("\n".join([*rows[:7], ",".join(fields), *rows[8:]]) + "\n")
    text = said(capsys)
    assert "Same digests, another backend (cpu-avx512 → cuda-sm90): 1 of 100 trials have" in text
    assert "at most 0.28 points (sgd batch 16 lr 0.1, seed 1)" in text.replace(" constant", "")
    assert counts(capsys) == {"same": 20}


def test_more_seeds_are_compared_by_those_that_both_have(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A trial does not depend on the others: with seeds added, nothing has changed."""
    first, second = table().splitlines(), table("more", seeds=(5, 6, 7)).splitlines()
    write("\n".join([*first, *second[1:]]) + "\n")
    assert counts(capsys) == {"same": 20}


def test_other_seeds_are_noise(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A rerun with other seeds has nothing but what is the same and what is undecided."""
    write(table("two", seeds=(5, 6, 7, 8, 9), digest="d2"))
    text = said(capsys)
    assert "with no seed in common" in text and "unpaired" in text
    assert set(counts(capsys)) <= {"same", "undecided"}


def test_a_change_is_found(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One optimizer's cells are worse; params, cells and the mean say so, and the run fails."""
    write(table("two", shift=-0.8, only="adam", digest="d2"))
    write(STUDY.replace("0.1", "0.1, 0.2"), "params.yaml")
    text = said(capsys, "--fail-on", "worse", code=1)
    assert "params  grid.lr: with 0.2" in text
    assert counts(capsys).get("worse", 0) >= 8
    assert "adam batch 16 lr 0.1 constant" in text.split("worse, in points")[1]
    line = next(line for line in text.splitlines() if line.startswith("  optimizer adam"))
    assert line.endswith("worse")
    line = next(line for line in text.splitlines() if line.startswith("  optimizer sgd"))
    assert not line.endswith(("worse", "better"))
    assert said(capsys, "--fail-on", "better")


def test_new_and_gone(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Cells that came and went are counted, and are neither better nor worse."""
    rows = [row for row in table().splitlines() if ",0.01," not in row]
    extra = table(lrs=(0.2,)).splitlines()[1:]
    write("\n".join([*rows, *extra]) + "\n")
    assert counts(capsys) == {"same bytes": 10, "new": 10, "gone": 10}
    assert "mean shift" not in said(capsys)


def test_confirmed_cells_stand_apart_and_first(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where both versions have confirmed cells, these come first."""
    write(table("fresh", seeds=(1000, 1001)), "results/confirm.csv")
    commit("second")
    found = json.loads(said(capsys, "--json"))["comparisons"]
    assert [one["table"] for one in found] == ["confirm", "trials"]
    assert len(json.loads(said(capsys, "first", "--json"))["comparisons"]) == 1


def test_revisions_folders_and_files(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A version is a revision, a project, an output folder or a table, from a subfolder too."""
    write(table(digest="d2"))
    commit("second")
    write(table("three", shift=-1.0), "elsewhere/trials.csv")
    assert counts(capsys, "first", "second") == {"same": 20}
    assert counts(capsys, "first", ".") == {"same": 20}
    assert counts(capsys, "results", "second") == {"same bytes": 20}
    assert counts(capsys, "first", "elsewhere")["worse"] == 20
    assert counts(capsys, "first", "elsewhere/trials.csv")["worse"] == 20
    assert "before  HEAD (" in said(capsys)


def test_a_project_below_the_repository(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths are the project's, wherever it lies in the repository."""
    write(STUDY.replace("name", "output: mine\nname"), "below/params.yaml")
    write(table(), "below/mine/trials.csv")
    commit("second")
    monkeypatch.chdir(project / "below")
    assert counts(capsys, "second") == {"same bytes": 20}
    assert counts(capsys, "second", "--results", "../results") == {"same bytes": 20}


def test_a_table_that_does_not_belong_there_is_named(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that git alone brought beside its stamp; one that was committed without `dvc commit`."""
    file = "results/trials.csv"

    def stamp() -> None:
        made = {"made": {file: file_sha256(Path(file))}, "from": {}}
        write(json.dumps(made), "results/.made/collect/0123456789ab")
        md5 = hashlib.md5(Path(file).read_bytes(), usedforsecurity=False).hexdigest()
        write(json.dumps({"stages": {"a": {"outs": [{"path": file, "md5": md5}]}}}), "dvc.lock")

    write("study\n", "results/.study")
    write(table())
    stamp()
    commit("one")
    said(capsys, "one")
    write(table(digest="d2"))
    assert main(["diff", "one"]) == 0
    changed = f"trainscape: workspace: {file} was changed after it was made; run snakemake"
    assert changed in capsys.readouterr().err
    commit("two")
    stamp()
    commit("three")
    assert main(["diff", "two", "three"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("trainscape: two (") and "without 'dvc commit'" in line


def test_for_a_pull_request_and_as_a_page(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Markdown has tables; the page the finding as its heading, a map and the mean shifts."""
    write(table("two", shift=-0.8, only="adam", digest="d2"))
    text = said(capsys, "--markdown", "--html", "changes.html")
    assert "| same bytes | same | better | worse | undecided | new | gone |" in text
    assert "<details>" in text and "| adam batch 16 lr 0.1 constant |" in text
    page = Path("changes.html").read_text(encoding="utf-8")
    for shown in (text, page):  # each mean shift has the level of its interval
        assert "at the level that decides" in shown and re.search(r" to [^ ]+ \(99\.\d+%\)", shown)
    assert re.search(r"<h1>\d+ cells are worse, by up to [\d.]+ points, all with adam</h1>", page)
    assert "adam, constant: change of test accuracy" in page
    assert 'data-kind="shifts"' in page


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["firts"], "firts: is no file, folder or git revision; did you mean 'first'?"),
        (["first", "--results", "mine"], "has no mine/trials.csv; name another revision, or"),
        (["--workload", "digit-mlp"], "workload: unknown 'digit-mlp'; did you mean 'digits-mlp'?"),
        (["first", "other"], "no workload in both: first ("),
        (["first", "broken.csv"], "broken.csv: has no column 'workload'"),
        (["first", "line.csv"], "line 2 is no trial"),
        (["first", "twice.csv"], "twice.csv: line 3 has a trial again that a line before has"),
        (["first", "share.csv"], "digits-mlp after, table trials: test_metric '1.5' of "),
        (["first", "quote.csv"], "quote.csv: is no table: field larger than field limit"),
    ],
)
def test_mistakes_are_told_in_a_line(
    project: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    """What cannot be compared is refused in one line that names what to mend."""
    write(table(workload="quadratic"), "other/trials.csv")
    write("a,b\n1,2\n", "broken.csv")
    write(table().replace(",16,", ",x,"), "line.csv")
    head, first, *rest = table().splitlines(keepends=True)
    write("".join([head, first, first, *rest]), "twice.csv")
    write(re.sub(r",0\.\d+,,,,,,", ",1.5,,,,,,", table()), "share.csv")
    write(head + '"' + "a" * 200_000, "quote.csv")
    text = said(capsys, *words, code=2)
    assert text.count("\n") == 1 and message in text


def test_outside_a_repository(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two folders are compared without git; a revision is refused."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    write(table(), "a/trials.csv")
    write(table(), "b/trials.csv")
    assert counts(capsys, "a", "b") == {"same bytes": 20}
    assert "is in no git repository" in said(capsys, "HEAD", "b", code=2)


def test_the_command_is_light() -> None:
    """It loads no torch."""
    code = (
        "import sys; from trainscape.pipeline import diff, revisions; "
        "from trainscape.report import _changes, _changes_page; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
