"""What goes wrong before the Snakefile is read is said in a line, and not by a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import snakemake_logger_plugin_trainscape as plugin
from snakemake_logger_plugin_trainscape.faults import config_fault, in_a_line

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
    assert in_a_line(raised) == "No GPU here."
    assert in_a_line("MissingInputException in rule a in file x, line 3:\nMissing input") is None
