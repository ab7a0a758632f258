"""``trainscape which``: real repositories with git and DVC."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from trainscape.cells.cell import TrialRecord
from trainscape.errors import UserError
from trainscape.hashing import file_sha256, sha256
from trainscape.pipeline.which import which
from trainscape.results.cell_files import CellRecord, write_cell
from trainscape.sealed import write_sealed

STAGE = """
stages:
  make:
    cmd: "true"
    outs:
      - results/cells:
          persist: true
      - results/report.html:
          persist: true
"""
IDENTITY = {
    f"GIT_{who}_{what}": f"{who}@example.org"
    for who in ("AUTHOR", "COMMITTER")
    for what in ("NAME", "EMAIL")
}
DAY = "2026-01-0{}T12:00:00+00:00"


def run(*words: str, day: int = 1) -> str:
    """Run a command in the current folder; what it prints."""
    dates = {"GIT_AUTHOR_DATE": DAY.format(day), "GIT_COMMITTER_DATE": DAY.format(day)}
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "DVC_NO_ANALYTICS": "1"}
    env = {**os.environ, **IDENTITY, **dates, **alone}
    return subprocess.run(words, env=env, check=True, capture_output=True, text=True).stdout.strip()


def commit(message: str, day: int, dvc: bool = False) -> str:
    """Commit everything; the short hash."""
    if dvc:
        run(sys.executable, "-m", "dvc", "commit", "-q", "-f")
    run("git", "add", "-A")
    run("git", "commit", "-q", "--allow-empty", "-m", message, day=day)
    return run("git", "rev-parse", "HEAD")[:7]


def write(name: str, text: str) -> Path:
    """Write a file below the current folder."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty git repository as the current folder."""
    monkeypatch.chdir(tmp_path)
    run("git", "init", "-q", "-b", "main")
    return tmp_path


@pytest.fixture
def study(plain: Path) -> dict[str, str]:
    """A repository in which DVC keeps cells and report: four commits, by their messages."""
    run(sys.executable, "-m", "dvc", "init", "-q")
    write("dvc.yaml", STAGE)
    write("results/cells/m/adam/a.json", "a1")
    write("results/cells/m/adam/b.json", "b1")
    write("results/report.html", "r1")
    made = {"first": commit("first", 1, dvc=True)}
    write("results/cells/m/adam/b.json", "b2")
    write("results/report.html", "r2")
    made["second"] = commit("second", 2, dvc=True)
    made["third"] = commit("third", 3)
    write("results/report.html", "r3")
    made["fourth"] = commit("fourth", 4, dvc=True)
    return made


def test_names_the_commit_that_brought_a_git_tracked_file_and_counts_those_that_keep_it(
    plain: Path,
) -> None:
    """The commit is the one that brought these bytes, however many others came after."""
    table = write("results/summary.csv", "1")
    commit("old", 1)
    write("results/summary.csv", "2")
    made = commit("new numbers", 2)
    commit("docs", 3)
    commit("more docs", 4)
    assert which(table) == (
        f'results/summary.csv is that of commit {made} (2026-01-02, "new numbers"); '
        "2 later commits keep it"
    )


def test_names_the_newest_commit_of_content_that_came_twice(plain: Path) -> None:
    """Content that left and came back is that of the commit that brought it back."""
    table = write("summary.csv", "1")
    commit("one", 1)
    write("summary.csv", "2")
    commit("two", 2)
    write("summary.csv", "1")
    made = commit("one again", 3)
    assert which(table) == f'summary.csv is that of commit {made} (2026-01-03, "one again")'


def test_says_which_commit_replaced_an_older_file(plain: Path) -> None:
    """A file of an older commit is named with the commit that replaced it."""
    write("summary.csv", "1")
    old = commit("one", 1)
    commit("docs", 2)
    write("summary.csv", "2")
    new = commit("two", 3)
    assert which(write("summary.csv", "1")) == (
        f'summary.csv is that of commit {old} (2026-01-01, "one"); 1 later commit keeps it; '
        f'replaced by {new} (2026-01-03, "two")'
    )


def test_finds_a_commit_on_another_branch(plain: Path) -> None:
    """Bytes that only another branch has are found there, and it is said."""
    write("summary.csv", "1")
    commit("one", 1)
    run("git", "checkout", "-q", "-b", "try")
    write("summary.csv", "tried")
    made = commit("a try", 2)
    run("git", "checkout", "-q", "main")
    text = which(write("summary.csv", "tried"))
    assert text.endswith(f'{made} (2026-01-02, "a try"), which is not in HEAD\'s history')


def test_says_that_a_file_is_not_committed_and_names_the_newest_that_is(plain: Path) -> None:
    """Bytes of no commit are called that, beside the newest commit with such a file."""
    write("summary.csv", "1")
    made = commit("one", 1)
    assert which(write("summary.csv", "other")).splitlines() == [
        "summary.csv is not committed as it is: it was changed since commit "
        f'{made} (2026-01-01, "one")',
        "  it lies in no study's results, so nothing says what it was made from",
        "  to keep it: git add summary.csv && git commit",
    ]


def test_a_file_that_no_commit_knows_is_called_so(plain: Path) -> None:
    """Neither an empty history nor one without the file is an error."""
    file = write("new.csv", "1")
    nothing = "new.csv is not committed: it is new, and no commit has such a file"
    assert which(file).splitlines()[0] == nothing
    run("git", "commit", "-q", "--allow-empty", "-m", "empty")
    assert which(file).splitlines()[0] == nothing


def made(name: str, text: str, stage: str = "report") -> Path:
    """A result of the study 'tried' with its stamp."""
    path = write(name, text)
    output = Path(Path(name).parts[0])
    (output / ".study").write_text("tried\n")
    stamp = output / ".made" / stage / "0123456789ab"
    write(str(stamp), json.dumps({"made": {name: file_sha256(path)}, "from": {}}))
    return path


def test_a_fresh_result_says_what_it_was_made_from_and_what_to_do(plain: Path) -> None:
    """New, then edited, then of a folder that git ignores: each has its own words and advice."""
    page = made("mine/report.html", "page")
    assert which(page).splitlines() == [
        "mine/report.html is not committed: it is new, and no commit has such a file",
        "  made by the stage report of study 'tried', digest 0123456789ab; "
        "the file is as it was made",
        "  to keep it: git add mine/report.html && git commit",
    ]
    page.write_text("edited")
    _, origin, advice = which(page).splitlines()
    assert origin.endswith("digest 0123456789ab; the file was changed after it was made")
    assert (
        advice
        == "  to have it as it was made: snakemake --cores all, with the --configfile of its study"
    )
    write(".gitignore", "/results-*/\n")
    *_, advice = which(made("results-try/report.html", "page")).splitlines()
    assert advice.startswith("  git is told to ignore it, so no commit will have it")


def test_a_fresh_cell_says_its_values_and_its_digest(plain: Path) -> None:
    """A cell's file holds what it was made from; a damaged one is called that."""
    spec = {
        "workload": "digits-mlp",
        "optimizer": {"name": "adam"},
        "batch_size": 16,
        "lr": 0.1,
        "schedule": {"name": "cosine"},
        "seeds": [0, 1],
    }
    identity = {"data": "d", "torch": "2", "source": "s"}
    digest = sha256({"cell": spec, "identity": identity})
    trials = [TrialRecord.untrained(seed, "oom") for seed in (0, 1)]
    path = Path(f"mine/cells/digits-mlp/adam/bs16-lr0.1-cosine-{digest[:12]}.json")
    write("mine/.study", "tried\n")
    write_cell(path, CellRecord(digest, "cpu-avx512", spec, identity, [1], trials))
    text = which(path)
    assert (
        "made by the stage train of study 'tried': digits-mlp adam batch 16 lr 0.1 cosine, "
        f"2 seeds, digest {digest[:12]}, by torch 2 on cpu-avx512"
    ) in text
    path.write_text(path.read_text().replace("avx512", "avx2"))
    assert "of study 'tried', but was edited" in which(path)
    assert which(path).endswith(
        "to have it as it was made: snakemake --cores all, with the --configfile of its study"
    )


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("throughput/0a-1b.json", "the stage throughput of study 'tried', which times"),
        ("finalists/digits-mlp/finalists-0a.json", "'trainscape choose' for study 'tried', which"),
        ("search/digits-mlp/round-01-0a.json", "'trainscape propose' for study 'tried', which"),
    ],
)
def test_a_fresh_file_with_a_seal_says_which_stage_made_it(
    plain: Path, file: str, said: str
) -> None:
    """No stamp names it: it says by itself whether it is as it was made."""
    write("mine/.study", "tried\n")
    path = Path("mine") / file
    write_sealed(path, {"cells": []})
    _, words, _ = which(path).splitlines()
    assert words.startswith(f"  made by {said}")
    assert words.endswith("; the file is as it was made")
    path.write_text(path.read_text().replace("[]", "[1]"))
    assert "of study 'tried', but was edited" in which(path)


def test_finds_dvc_tracked_files_and_members_of_tracked_folders(study: dict[str, str]) -> None:
    """A file of DVC's is found by md5, in dvc.lock or in its folder's listing."""
    assert which(Path("results/report.html")) == (
        f'results/report.html is that of commit {study["fourth"]} (2026-01-04, "fourth")'
    )
    assert which(Path("results/cells/m/adam/b.json")) == (
        f'results/cells/m/adam/b.json is that of commit {study["second"]} (2026-01-02, "second"); '
        "2 later commits keep it"
    )
    assert f"commit {study['first']} " in which(Path("results/cells/m/adam/a.json"))
    write("results/report.html", "r2")
    assert which(Path("results/report.html")) == (
        f'results/report.html is that of commit {study["second"]} (2026-01-02, "second"); '
        f'1 later commit keeps it; replaced by {study["fourth"]} (2026-01-04, "fourth")'
    )


def test_says_what_is_missing_for_dvc_tracked_files(study: dict[str, str]) -> None:
    """Not committed, a lock that is not committed, and a listing that is not here: told apart."""
    report, cell = Path("results/report.html"), Path("results/cells/m/adam/b.json")
    write(str(report), "r9")
    changed, _, advice = which(report).splitlines()
    assert changed == (
        "results/report.html is not committed as it is: it was changed since commit "
        f'{study["fourth"]} (2026-01-04, "fourth")'
    )
    assert advice == "  to keep it: dvc commit --force && git add . && git commit"
    run(sys.executable, "-m", "dvc", "commit", "-q", "-f")
    assert which(report).splitlines()[0] == (
        "results/report.html is not committed: dvc.lock has it, and is to be committed itself"
    )
    for listing in Path(".dvc/cache/files/md5").rglob("*.dir"):
        listing.unlink()
    assert "dvc fetch --all-commits" in which(cell)


def test_reads_listings_from_a_cache_that_was_moved(study: dict[str, str]) -> None:
    """DVC's setting of the cache's folder is followed."""
    run(sys.executable, "-m", "dvc", "cache", "dir", "--local", "elsewhere")
    Path(".dvc/cache").rename("elsewhere")
    assert f"commit {study['second']} " in which(Path("results/cells/m/adam/b.json"))


def test_works_from_a_folder_below(study: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The path is the caller's, the repository is found from the file."""
    monkeypatch.chdir("results")
    assert which(Path("report.html")).startswith(f"report.html is that of commit {study['fourth']}")


def test_refuses_what_is_no_result_file(
    tmp_path: Path, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing file, a folder and a file outside git are one line each."""
    with pytest.raises(UserError, match=r"nonesuch.html: no such file"):
        which(Path("nonesuch.html"))
    write("results/x", "")
    with pytest.raises(UserError, match=r"results: is a folder; name a file in it"):
        which(Path("results"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match=r"results/x: is in no git repository"):
        which(Path("results/x"))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match=r"git: is not installed"):
        which(Path("results/x"))
