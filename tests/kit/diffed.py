"""A repository whose versions ``trainscape diff`` compares, and what the command says."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from kit.versions import table
from trainscape.cli import main

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
