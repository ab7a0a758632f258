"""What decides the products of a stage: its values, its inputs, its source, its libraries."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib import metadata
from typing import TYPE_CHECKING, Any

import pytest

from trainscape import source, study
from trainscape.pipeline import stages
from trainscape.pipeline.layout import Layout
from trainscape.pipeline.make import STAGES
from trainscape.pipeline.stages import STAMPED

if TYPE_CHECKING:
    from pathlib import Path

STUDY: dict[str, Any] = {
    "grid": {"optimizer": ["sgd"], "batch_size": [64], "lr": [0.1]},
    "throughput": {"enabled": False},
}
DIGESTS = """
import json, sys
from trainscape import study
from trainscape.pipeline.layout import Layout
from trainscape.pipeline.stages import stamped
layout = Layout(study.parse(json.loads(sys.argv[1]), "test"))
print(json.dumps({stage: layout.digest(stage) for stage in stamped(layout)}))
"""
LOADED = """
import importlib, json, sys
importlib.import_module("trainscape.pipeline." + sys.argv[1])
print(json.dumps([name for name in sys.modules if name.split(".")[0] == "trainscape"]))
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package that tests edit, each in a place of its own; its ``src`` folder.

    With its bytecode, which holds for a file until that is edited.
    """
    folder = tmp_path_factory.mktemp("copy") / "src"
    for package in ("trainscape", "snakemake_executor_plugin_fuse"):
        shutil.copytree(source.PACKAGE.parent / package, folder / package)
    return folder


def python(code: str, *args: str, src: Path) -> Any:
    """The JSON that ``code`` prints in a process of its own, with the package below ``src``."""
    env = {**os.environ, "PYTHONPATH": str(src), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", code, *args]
    ran = subprocess.run(
        command, cwd=src, env=env, capture_output=True, text=True, check=False, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def digests(src: Path) -> dict[str, str]:
    """The digest of every stage of a small study."""
    found: dict[str, str] = python(DIGESTS, json.dumps(STUDY), src=src)
    return found


# What is edited, and the stages that are made again.
EDITS = {
    "a complaint": ("study/complaints.py", "is no number", "is not a number", set()),
    "a refusal": ("errors.py", "did you mean", "perhaps you mean", set()),
    "the machine": ("hardware.py", '"default"', '"plain"', set()),
    "a try-out": ("cells/tryout.py", "cannot train", "does not train", set()),
    "provenance": ("pipeline/report.py", '"data digests"', '"digests of data"', {"report"}),
    "the page": ("report/style/base.css", "body", "html body", {"report"}),
    "a caption": ("figures/words.py", "no cell was trained", "none was trained", {"report"}),
    "a picture": ("figures/heatmap.py", "LEVELS = 24", "LEVELS = 25", {"figures", "timings"}),
    "seconds": ("pipeline/timings.py", '"timings.csv"', '"times.csv"', {"timings"}),
    "a table": ("pipeline/collect.py", '"summary": summary', '"summary": trials', {"collect"}),
}


@pytest.fixture(scope="module")
def before(copy: Path) -> dict[str, str]:
    """The digests without any edit."""
    return digests(copy)


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_makes_again_what_it_decides_and_what_reads_that(
    copy: Path, before: dict[str, str], name: str
) -> None:
    """Words that no product holds make nothing again; the source of a product makes it again."""
    file, old, new, stale = EDITS[name]
    path = copy / "trainscape" / file
    whole = path.read_text(encoding="utf-8")
    assert old in whole, "the edit is gone: choose another"
    path.write_text(whole.replace(old, new, 1), encoding="utf-8")
    after = digests(copy)
    path.write_text(whole, encoding="utf-8")
    assert {stage for stage in before if after[stage] != before[stage]} == readers(stale)


def readers(stale: set[str]) -> set[str]:
    """The stages, and all that read their products, directly or not."""
    found = set(stale)
    for stage, about in STAMPED.items():  # in the order in which they are made
        if found & set(about.reads):
            found.add(stage)
    return found - {"replay"}  # which the study does without


@pytest.mark.parametrize(
    ("library", "stale"),
    [
        ("seaborn", {"figures", "timings", "report"}),
        ("matplotlib", {"figures", "timings", "report"}),
        ("pandas", {"collect", "answer", "figures", "timings", "report"}),
        ("jinja2", {"report"}),
        ("pytest", set()),
    ],
)
def test_another_version_of_a_library_makes_again_what_it_makes(
    library: str, stale: set[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Another seaborn draws the figures again, another pandas makes the tables again."""
    monkeypatch.chdir(tmp_path)
    installed = metadata.version
    before = Layout(study.parse(STUDY, "test"))
    wanted = {stage: before.digest(stage) for stage in stages.stamped(before)}
    monkeypatch.setattr(
        metadata, "version", lambda name: "0.0.1" if name == library else installed(name)
    )
    after = Layout(study.parse(STUDY, "test"))
    assert {stage for stage in wanted if after.digest(stage) != wanted[stage]} == stale


@pytest.mark.parametrize("stage", [stage for stage in STAMPED if stage != "train"])
def test_what_a_stage_loads_is_hashed_or_excluded_with_a_reason(stage: str) -> None:
    """No module that makes a product stays out of its digest unseen."""
    hashed = stages.sources(stage)
    loaded = python(LOADED, stage, src=source.PACKAGE.parent)
    free = {name for name in loaded if name not in hashed and name not in source.EXCLUDED}
    assert {name for name in free if not name.startswith(source.DATASETS)} == set()


def test_every_stage_has_a_file_that_makes_it() -> None:
    """The stages that have a stamp, and those that the command makes, are files of the room."""
    folder = source.PACKAGE / "pipeline"
    for stage in {*STAGES, *STAMPED, *stages.STAGES}:
        assert (folder / f"{stage}.py").is_file(), stage


def test_only_collect_and_what_chooses_cells_read_cells() -> None:
    """Later stages read tables: no other file of the room opens a cell file."""
    reading = {
        path.stem
        for path in (source.PACKAGE / "pipeline").glob("*.py")
        if "read_entries" in path.read_text(encoding="utf-8")
    }
    assert reading == {"collect", "confirm", "propose"}
