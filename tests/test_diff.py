"""``trainscape diff``: real repositories with git, and tables of trials written by hand."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kit.versions import COLUMNS, table
from trainscape.analysis.changes import Diff, StepTime
from trainscape.cli import main
from trainscape.hashing import file_sha256
from trainscape.report._changes import time_lines

IDENTITY = {
    f"GIT_{who}_{what}": f"{who}@example.org"
    for who in ("AUTHOR", "COMMITTER")
    for what in ("NAME", "EMAIL")
}
STUDY = "name: test\nseeds: 5\ngrid: {lr: [0.1]}\n"


def git(*words: str) -> str:
    """Run git in the current folder."""
    env = {**os.environ, **IDENTITY, "GIT_CONFIG_GLOBAL": os.devnull}
    return subprocess.run(
        ["git", *words], env=env, check=True, capture_output=True, text=True
    ).stdout.strip()


TIMED = "workload,optimizer,batch_size,step_time_s,iqr_s\ndigits-mlp,sgd,16,"
NO_TIME = "workspace: results/timings.csv: line 2 is no step's time"


def write(text: str, file: str = "results/trials.csv") -> None:
    """Write a file of the current folder."""
    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def commit(tag: str) -> None:
    """Commit everything under a tag."""
    git("add", "--all")
    git("commit", "-q", "--allow-empty", "-m", f"The {tag} one")
    git("tag", tag)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a study and its trials at the tag ``first``."""
    monkeypatch.chdir(tmp_path)
    git("init", "-q", "-b", "main")
    write(STUDY, "params.yaml")
    write(table())
    commit("first")
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    """What the command prints."""
    capsys.readouterr()
    assert main(["diff", *words]) == code
    out, err = capsys.readouterr()
    return out + err


def counts(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, int]:
    """How many cells have each verdict, of the one comparison; those that are none left out."""
    (found,) = json.loads(said(capsys, *words, "--json"))["comparisons"]
    return {verdict: count for verdict, count in found["counts"].items() if count}


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


def test_step_times_on_equal_hardware_alone(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Times are compared where both were measured on the same hardware, with their ranges."""
    head = "workload,optimizer,batch_size,lr,schedule,step_time_s,iqr_s\n"
    write(head + "digits-mlp,sgd,16,0.1,constant,0.001,0.0001\n", "results/timings.csv")
    write(json.dumps({"fingerprint": "a"}), "results/timings.json")
    commit("timed")
    write(head + "digits-mlp,sgd,16,0.1,constant,0.002,0.0001\n", "results/timings.csv")
    text = said(capsys)
    assert "1 slower, 0 faster" in text
    assert "1 ms (IQR 100 µs)  2 ms (IQR 100 µs)" in text
    write(json.dumps({"fingerprint": "b"}), "results/timings.json")
    assert "on different hardware" in said(capsys)
    assert "not measured in both" in said(capsys, "first")


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("params.yaml", "margin: -1", "margin: -1 is no number from 0 on"),
        ("params.yaml", "margin: .nan", "margin: nan is no number from 0 on"),
        ("results/timings.json", "[" * 100_000, "workspace: results/timings.json is no JSON"),
        ("results/timings.csv", f"{TIMED}fast,0.1", NO_TIME),
        ("results/timings.csv", f"{TIMED}inf,0.1", NO_TIME),
    ],
)
def test_what_is_no_number_beside_the_trials_is_told(
    project: Path, capsys: pytest.CaptureFixture[str], file: str, text: str, message: str
) -> None:
    """A margin and step times may be anyone's, as the table may."""
    write(f"{TIMED}0.1,0.1", "results/timings.csv")
    write(json.dumps({"fingerprint": "a"}), "results/timings.json")
    commit("timed")
    write(text, file)
    assert said(capsys, code=2) == f"trainscape: {message}\n"


def test_the_step_times_that_changed_most_come_first() -> None:
    """As a factor, shorter or longer; what is within the ranges is left out."""
    factors = {"a little": 1.2, "a tenth": 0.1, "twice": 2.0, "none": 1.01}
    times = [StepTime(name, (1.0, 0.05), (by, 0.05)) for name, by in factors.items()]
    shown = [line[0] for line in time_lines(Diff("one", "other", [], [], times=times))]
    assert shown == ["a tenth", "twice", "a little"]


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


@pytest.mark.parametrize(
    ("made", "text"),
    [
        ({}, "No result changed: all 100 trials are the same bytes"),
        ({"digest": "d2"}, "No result changed: all 100 trials are equal"),
        ({"name": "two", "shift": 0.9, "only": "sgd"}, "all with sgd"),
        ({"name": "two", "shift": -0.9, "lrs": (0.1,)}, "cells are worse, by up to"),
        ({"name": "two", "seeds": (7,)}, "Nothing can be told: 20 cells are undecided"),
        ({"lrs": (0.7,)}, "No cell is in both versions: 10 cells are new, 20 gone"),
    ],
)
def test_the_page_begins_with_the_finding(
    project: Path, capsys: pytest.CaptureFixture[str], made: dict[str, Any], text: str
) -> None:
    """The heading says what came of it, whatever that is."""
    write(table(**made))
    said(capsys, "--html", "changes.html")
    page = Path("changes.html").read_text(encoding="utf-8")
    assert text in page[page.index("<h1>") : page.index("</h1>")]


def test_of_a_loss_less_is_better_on_the_page_too(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A loss that rose is worse, whatever its sign: in the heading, the map and the chart."""
    write(table(workload="regression"), "a/trials.csv")
    write(table("two", 1.5, workload="regression", digest="d2"), "b/trials.csv")
    said(capsys, "a", "b", "--html", "changes.html")
    page = Path("changes.html").read_text(encoding="utf-8")
    assert re.search(r"<h1>\d+ cells are worse, by up to", page)
    assert re.search(r'<td class="d[0-4]"><b>\+0\.\d+</b><small>worse', page)
    assert "right is worse" in page


def test_an_axis_of_many_values_is_in_the_table_alone(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The chart has a line for each optimizer and batch size, and none for a hundred rates."""
    lrs = tuple(k / 100 for k in range(1, 21))
    write(table(lrs=lrs), "a/trials.csv")
    write(table("two", -0.5, lrs=lrs), "b/trials.csv")
    said(capsys, "a", "b", "--html", "changes.html")
    page = Path("changes.html").read_text(encoding="utf-8")
    chart = page[page.index('data-kind="shifts"') : page.index("</figure>")]
    assert "batch size 16, worse" in chart and "lr 0.01" not in chart
    assert "In numbers, below: 20 of lr." in chart
    assert "<td>lr 0.01</td>" in page


def test_what_the_page_escapes_is_shown_as_it_is(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Words of users are no markup."""
    write(STUDY.replace("test", "<b>mine</b>"), "params.yaml")
    said(capsys, "--html", "changes.html")
    page = Path("changes.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;mine&lt;/b&gt;" in page and "<b>mine" not in page


def test_parameters_of_folders_are_those_that_their_reports_state(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder without a parameter file may have a report; without both it is said why not."""
    for folder, rate in (("a", "0.1"), ("b", "0.2")):
        write(table(), f"{folder}/trials.csv")
        listed = f"<dt>name</dt><dd>x</dd><dt>grid.lr</dt><dd>{rate} &amp; more</dd>"
        write(f"<h3>study</h3>\n<dl>{listed}</dl>", f"{folder}/report.html")
    assert "params  grid.lr: 0.1 & more → 0.2 & more" in said(capsys, "a", "b")
    Path("b/report.html").unlink()
    text = said(capsys, "a", "b", "--html", "changes.html")
    why = "b has neither a parameter file nor a report.html that states it"
    assert f"params  not compared: {why}" in text
    assert f"not compared: {why}" in Path("changes.html").read_text(encoding="utf-8")


def test_a_machine_that_was_not_quiet_is_named(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Times that were disturbed are compared, with a word on which version they are of."""
    head = "workload,optimizer,batch_size,lr,schedule,step_time_s,iqr_s\n"
    write(head + "digits-mlp,sgd,16,0.1,constant,0.001,0.0001\n", "results/timings.csv")
    write(json.dumps({"fingerprint": "a", "quiet": True}), "results/timings.json")
    commit("timed")
    noisy = {"fingerprint": "a", "quiet": False, "noisy": 7, "measurements": 60}
    write(json.dumps(noisy), "results/timings.json")
    assert "not quiet for workspace: 7 of 60 times are noisy" in said(capsys)
    write(json.dumps({"fingerprint": "a", "load": {"too_high": True}}), "results/timings.json")
    assert "busy while workspace was measured" in said(capsys)


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
