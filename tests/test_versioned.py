"""What keeps DVC or git from keeping versions is told, with what to do, before a stage runs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from trainscape.cli import main
from trainscape.errors import UserError
from trainscape.pipeline.refusals import check_place
from trainscape.pipeline.versioned import warnings

STAGE = {"DVC_STAGE": "data"}


@pytest.mark.parametrize(
    ("folder", "config", "local", "place"),
    [
        ("a{b}c", "", "", "a{b}c/.dvc/cache"),
        ("a{b", "[core]\n    autostage = false\n", "", "a{b/.dvc/cache"),
        ("a{b}c", "", "[cache]\n    dir = ../own\n", "a{b}c/own"),
        ("a{b}c", "[cache]\n    type = copy\n    dir = {root}/plain\n", "", None),
        ("a{b}c", "[cache]\n    dir = x\n", "[cache]\n    dir = {root}/plain\n", None),
        ("a{b}c", "", "['remote \"s\"']\n    dir = {root}/plain\n", "a{b}c/.dvc/cache"),
        ("plain", "[cache]\n    dir = {root}/a}b\n", "", "a}b"),
        ("it's 100% ü", "", "", None),
    ],
)
def test_braces_are_told_where_the_cache_lies(
    folder: str, config: str, local: str, place: str | None, tmp_path: Path
) -> None:
    """The cache's own path counts, wherever the project's settings put it."""
    root = tmp_path / folder
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc/config").write_text(config.replace("{root}", str(tmp_path)))
    (root / ".dvc/config.local").write_text(local.replace("{root}", str(tmp_path)))
    said = list(warnings(root, Path("results"), STAGE))
    if place is None:
        assert said == []
    else:
        assert len(said) == 1
        assert said[0].startswith(f"DVC cannot keep files in {tmp_path / place}, a path with ")
    assert (
        list(warnings(root, Path("results"), {})) == []
    )  # nobody needs to know who runs Snakemake alone


@pytest.mark.parametrize(
    ("output", "told"), [("results", False), ("mine", False), ("results-mine", True)]
)
def test_an_output_that_git_ignores_is_told(output: str, told: bool, tmp_path: Path) -> None:
    """By this project's own .gitignore, names that begin with results- are of no version."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    shutil.copy(Path(__file__).parents[1] / ".gitignore", tmp_path)
    said = list(warnings(tmp_path, Path(output), STAGE))
    assert [line.split(",")[0] for line in said] == ["output: git ignores 'results-mine'"] * told


def test_a_dvc_stage_says_so_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What each stage of dvc.yaml asks first prints the line, and the files as ever."""
    (tmp_path / "a{b}c").mkdir()
    monkeypatch.chdir(tmp_path / "a{b}c")
    Path("params.yaml").write_text("name: tiny\n")
    monkeypatch.setenv("DVC_STAGE", "data")
    assert main(["targets", "data"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("data/digits.npz\n")
    assert said.err.startswith("trainscape: DVC cannot keep files in ")
    assert said.err.endswith("dvc config --local cache.dir FOLDER\n")


@pytest.mark.parametrize("name", ["q{1}", "q{a b}c{2}", "x{}/y{1}"])
def test_a_folder_that_snakemake_takes_for_wildcards_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Braces around what is no name are told in a line, not as an error of a regular expression."""
    (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / name)
    with pytest.raises(UserError, match="takes braces in a path for wildcards and stops") as error:
        check_place(Path.cwd())
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["a{b}c", "q{}", "q{", "it's 100% ü"])
def test_other_folders_are_not(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Snakemake runs in any other folder, whatever its name."""
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / name)
    check_place(Path.cwd())
