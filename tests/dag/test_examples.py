"""The commands that examples/README.md states run as they stand."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from kit.project import ROOT

if TYPE_CHECKING:
    from kit.project import Project

STATED = re.compile(r"^\| `(?P<folder>[\w-]+)` \|.*\| `(?P<command>[^`]+)` \|$", re.MULTILINE)


def test_every_example_is_planned_by_its_command(clean: Project) -> None:
    """Each folder has a command, which its study repeats; it plans the study's cells."""
    page = (ROOT / "examples/README.md").read_text(encoding="utf-8")
    stated = dict(STATED.findall(page))
    assert set(stated) == {path.parent.name for path in ROOT.glob("examples/*/study.yaml")}
    for folder, command in stated.items():
        study = f"examples/{folder}/study.yaml"
        assert (ROOT / study).read_text(encoding="utf-8").startswith(f"# {command}\n")
        program, *words = shlex.split(command)
        if program == "snakemake":
            assert clean.plan(*words)["train"]


def test_comparison(clean: Project) -> None:
    """compare.sh trains a study, then the added rate's cells alone, and shows what that changed."""
    said = clean.run("sh", "examples/compare/compare.sh")
    assert re.findall(r"training (\d+) cells?", said) == ["2", "1"]
    for sign, cells in ("-2", "+3"):  # of the optimizer and batch size
        assert re.search(rf"^\{sign}digits-mlp,.*,{cells},0\.0,", said, flags=re.MULTILINE), said
