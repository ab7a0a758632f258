"""What goes wrong before the Snakefile is read is said in a line, and not by a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import snakemake_logger_plugin_trainscape as plugin
from snakemake_logger_plugin_trainscape import announced
from snakemake_logger_plugin_trainscape.faults import config_fault, full_disk, in_a_line

SOURCE = Path(plugin.__file__).parent.parent
SNAKEFILE = "rule all:\n    shell: 'true'\n"
FAULTS = [
    (b"grid:\n\tlr: [1]\n", "broken YAML in line 2: a tab; indent by spaces"),
    ("name: a\n".encode("utf-16"), "is not UTF-8 text; save it as UTF-8"),
    ("name: café\n".encode("latin-1"), "is not UTF-8 text; save it as UTF-8"),
    (b"", "says nothing; write key: value"),
    (b"- 1\n", "holds no keys; write key: value"),
    (b"name: [1\n", "broken YAML in line 2: expected ',' or ']', but got '<stream end>'"),
]


def snakemake(folder: Path, *words: str, **environment: str) -> str:
    """What a run of the smallest workflow, with this logger, prints when it fails."""
    (folder / "Snakefile").write_text(SNAKEFILE)
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--logger", "trainscape", *words],
        env={**os.environ, "PYTHONPATH": str(SOURCE), **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    return done.stdout + done.stderr


@pytest.mark.parametrize(("content", "why"), FAULTS)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes, why: str) -> None:
    """File, line and cure, whatever bytes the file holds."""
    file = tmp_path / "study.yaml"
    file.write_bytes(content)
    assert config_fault(file) == f"{file}: {why}"


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    """No traceback says that there is no file."""
    assert config_fault(tmp_path) == f"{tmp_path}: is a folder; give a parameter file"
    missing = tmp_path / "no.yaml"
    assert config_fault(missing) == f"{missing}: no such parameter file"


def test_a_file_that_can_be_read_has_no_fault(tmp_path: Path) -> None:
    """A byte order mark does no harm."""
    file = tmp_path / "study.yaml"
    file.write_bytes(b"\xef\xbb\xbfname: a\n")
    assert config_fault(file) is None


def test_snakemake_says_it_in_one_line(tmp_path: Path) -> None:
    """Also in a dry run: the file is read before the Snakefile is."""
    (tmp_path / "odd.yaml").write_bytes(FAULTS[1][0])
    said = f"odd.yaml: {FAULTS[1][1]}\n"
    assert snakemake(tmp_path, "--configfile", "odd.yaml") == said
    assert snakemake(tmp_path, "-n", "--configfile=odd.yaml") == said
    assert "Traceback" in snakemake(tmp_path, "--verbose", "--configfile", "odd.yaml")


@pytest.mark.parametrize("target", ["all", "out.txt"])
def test_a_target_that_is_taken_for_a_configfile_is_told_its_place(
    tmp_path: Path, target: str
) -> None:
    """Snakemake takes all words after ``--configfile`` for files; a first one is no target."""
    (tmp_path / "study.yaml").write_text("name: a\n")
    why = "a target stands before '--configfile', which takes every word that follows"
    said = snakemake(tmp_path, "--configfile", "study.yaml", target)
    assert said == f"{target}: no such parameter file; {why}\n"
    assert snakemake(tmp_path, "--configfile", target) == f"{target}: no such parameter file\n"


def test_a_home_that_cannot_be_written_names_the_variable(tmp_path: Path) -> None:
    """Snakemake keeps a cache there; the line says where else it may be."""
    home = tmp_path / "home"
    home.write_text("no folder")
    assert snakemake(tmp_path, HOME=str(home), XDG_CACHE_HOME="") == (
        f"Snakemake cannot make its cache (Not a directory: '{home}/.cache'); set XDG_CACHE_HOME "
        "to a folder that can be written to\n"
    )


def test_an_error_that_is_meant_for_the_user_goes_without_lines_of_code() -> None:
    """Snakemake adds where it was raised, which tells a user nothing."""
    raised = 'WorkflowError:\nNo GPU here.\n  File "/a b/executor.py", line 86, in run_jobs\n'
    early = 'WorkflowError in file "/a/Snakefile", line 45:\ntrainscape: ended early\n'
    assert in_a_line(early + '  File "/a/Snakefile", line 45, in __onsuccess\n') == (
        "trainscape: ended early"
    )
    assert in_a_line('WorkflowError in file "/a/Snakefile", line 45:\nNo such rule.\n') is None
    assert in_a_line(raised) == "No GPU here."
    assert in_a_line("MissingInputException in rule a in file x, line 3:\nMissing input") is None


TRACEBACK = """{error}


During handling of the above exception, another exception occurred:


Traceback (most recent call last):

  File "/a b/snakemake/persistence/file.py", line 255, in _write_locks
    with open(lockfile, "w") as lock:

{error}
"""


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            "OSError: [Errno 28] No space left on device",
            "a file cannot be written or read: No space left on device; free some space",
        ),
        (
            f"PermissionError: [Errno 13] Permission denied: '{Path.cwd()}/.snakemake/locks'",
            ".snakemake/locks cannot be written or read: Permission denied; let this user write",
        ),
        (
            "OSError: [Errno 30] Read-only file system: 'logs'",
            "logs cannot be written or read: Read-only file system; let this user write",
        ),
        (
            "OSError: [Errno 122] Disk quota exceeded: 'logs/a.log'",
            "logs/a.log cannot be written or read: Disk quota exceeded; free some space",
        ),
    ],
)
def test_what_the_system_refuses_snakemake_is_a_line(error: str, line: str) -> None:
    """It names the file, where Python does, and what to do; other errors keep their traceback."""
    told = in_a_line(TRACEBACK.format(error=error))
    assert told is not None
    assert told.startswith(line)
    assert "\n" not in told
    assert in_a_line(TRACEBACK.format(error="KeyError: 'a'")) is None
    missing = "FileNotFoundError: [Errno 2] No such file or directory: 'a'"
    assert in_a_line(TRACEBACK.format(error=missing)) is None


def test_records_that_cannot_be_written_are_a_line() -> None:
    """Snakemake's own words for it, at the end of a job."""
    text = "WorkflowError:\nError recording metadata for finished job ([Errno 28] No space left on"
    told = in_a_line(f"{text} device). Please ensure write permissions for the directory /a")
    assert told is not None
    assert told.startswith("a file cannot be written or read: No space left on device; free some")


def test_a_disk_is_full_without_space_or_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """File systems that count no files (Btrfs) have none left, which says nothing."""

    def disk(space: int, files: int, left: int) -> None:
        found = SimpleNamespace(f_bavail=space, f_frsize=1000, f_files=files, f_favail=left)
        monkeypatch.setattr(os, "statvfs", lambda _: found)

    disk(space=100_000, files=10, left=5)
    assert full_disk() == ""
    disk(space=100_000, files=0, left=0)
    assert full_disk() == ""
    disk(space=8, files=10, left=5)
    assert full_disk() == (
        "The disk of this project is full (8 KB are left): free some space, then run the same "
        "command again; what is done stays."
    )
    disk(space=100_000, files=10, left=0)
    assert "no more files" in full_disk()


def test_who_holds_a_lock_is_the_workflows_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it says nothing, Snakemake's own words stay."""
    locked = "LockException:\nError: Directory cannot be locked."
    monkeypatch.setattr(announced, "_holder", [])
    assert in_a_line(locked) is None
    plugin.inform(holder=lambda: "a.txt is held by process 7")
    assert in_a_line(locked) == "a.txt is held by process 7"
