"""Real remotes (a folder, S3, SSH): what they lack, damage or refuse is named; nothing is lost."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from kit.remotes import KINDS, Remote, object_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kit.project import Project

PAGE = "results/report.html"
VERIFY = ("env", "PYTHONPATH=src", "python", "-m", "trainscape", "verify", "--all")


@pytest.fixture(params=KINDS)
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Remote]:
    """A remote of each kind; those whose server is not installed are skipped."""
    with KINDS[request.param](tmp_path / "remote") as made:
        yield made


def test_a_clone_has_the_same_bytes(finished: Project, remote: Remote, tmp_path: Path) -> None:
    """After ``dvc pull`` nothing is to be done; an object that is damaged or missing is named."""
    origin = finished.copy(tmp_path / "origin")
    remote.use(origin)
    origin.dvc("push")
    clone = remote.clone(finished, tmp_path / "clone")
    clone.dvc("pull")
    assert "0 complaints" in clone.run(*VERIFY)
    assert clone.results() == finished.results()
    assert clone.plan() == {}

    name, page = object_of(clone / PAGE), (clone / PAGE).read_bytes()
    remote.store.write(name, b"X" + page[1:])
    forget(clone)
    clone.dvc("pull", PAGE)  # takes what is there
    assert f"{PAGE}: was changed after it was made" in clone.fail(*VERIFY)
    said = clone.snakemake("--dry-run")
    assert f"{PAGE} was changed after it was made and is to be made again" in said
    assert f"delete {name} there before 'dvc push'" in said
    assert "writing the report" in said and "training" not in said
    clone.dvc("remote", "modify", "--local", "store", "verify", "true")
    for said in (PAGE, name.replace("/", "").removeprefix("filesmd5")):
        forget(clone)
        lines = clone.fail("dvc", "pull", PAGE)
        assert "Traceback" not in lines and said in lines
        assert not (clone / PAGE).exists()
        assert f"{PAGE}: is missing; run snakemake" in clone.fail(*VERIFY)
        remote.store.remove(name)


def forget(project: Project) -> None:
    """Leave no report, nor DVC a copy of it."""
    (project / PAGE).unlink(missing_ok=True)
    shutil.rmtree(project / ".dvc/cache")


def test_what_was_damaged_is_whole_again(finished: Project, tmp_path: Path) -> None:
    """A study mended here mends the remote, too; until then no damaged object is pushed on."""
    with KINDS["folder"](tmp_path / "remote") as remote:
        clone = remote.clone(finished, tmp_path / "clone")
        shutil.copytree(finished.shared / "remote", tmp_path / "remote")
        name, page = object_of(finished / PAGE), (finished / PAGE).read_bytes()
        remote.store.write(name, b"X" + page[1:])
        clone.dvc("pull")
        clone.snakemake()
        assert (clone / PAGE).read_bytes() == page
        clone.dvc("commit", "--force", "report")
        assert object_of(clone / ".dvc/cache" / name) == name
        remote.store.remove(name)
        clone.dvc("push")
        assert object_of(tmp_path / "remote" / name) == name


@pytest.mark.parametrize("remote", ["s3", "ssh"], indirect=True)
def test_a_remote_that_refuses(finished: Project, remote: Remote, tmp_path: Path) -> None:
    """Wrong keys, and a server that is down: a line from DVC, and the project as it was."""
    clone = remote.clone(finished, tmp_path / "clone")
    before = clone.results()
    remote.use(clone, **remote.wrong)
    refused(clone, remote.refusal)
    remote.use(clone)
    remote.stop()
    refused(clone, "onnect")
    assert clone.results() == before
    assert clone.git("status", "--porcelain") == ""


def refused(project: Project, why: str) -> None:
    """A pull fails, and the first line on errors says why."""
    said = project.fail("dvc", "pull", PAGE)
    errors = [line for line in said.splitlines() if line.startswith("ERROR")]
    assert why in errors[0] and len(errors) == 2 and "Traceback" not in said, said
