"""Scratch copies of the project, in which the workflow is run and timed as a user would run it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import yaml

from benchmarks.clock import timed
from kit.project import ROOT, Project, scratch
from trainscape.compiled.libraries import CACHE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LIMIT = 7200  # seconds that a command may take
# writes what the study would train
FILL = ("env", "PYTHONPATH=src:tests", "python", "-m", "benchmarks.untrained", "params.yaml")
SHOWN = 3000  # characters of what a failing command said


def default_study() -> dict[str, Any]:
    """What params.yaml holds."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    return found


def fresh(folder: Path, study: Mapping[str, Any]) -> Project:
    """A copy of the project as it stands, with this study and without results, data or caches."""
    folder.mkdir(parents=True)
    project = scratch(folder / "project", folder / "shared")
    text = yaml.safe_dump(dict(study), sort_keys=False)
    (project / "params.yaml").write_text(text, encoding="utf-8")
    return project


def compiled(project: Project) -> Path:
    """Where a project keeps what it compiles: not where all other runs on this machine do."""
    return project.shared / "compiled"


def seconds(project: Project, *command: str) -> float:
    """The time of a command that must succeed.

    Raises:
        RuntimeError: it fails; says how.
    """
    return timed(lambda: run(project, *command))


def run(project: Project, *command: str) -> str:
    """What a command that must succeed says.

    Raises:
        RuntimeError: it fails.
    """
    process = project.start("env", f"{CACHE}={compiled(project)}", *command)
    try:
        said, _ = process.communicate(timeout=LIMIT)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()
        raise
    if process.returncode:
        words = " ".join(command)[:200]
        raise RuntimeError(f"{words}: exit status {process.returncode}\n{said[-SHOWN:]}")
    return said


def snakemake(project: Project, *words: str) -> float:
    """The time of ``snakemake --cores all`` with further words."""
    return seconds(project, "snakemake", "--cores", "all", *words)


def targets(project: Project, *stages: str) -> list[str]:
    """The files of stages."""
    return project.trainscape("targets", *stages)
