"""The executor's README: what it shows is run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import snakemake_executor_plugin_fuse as plugin
from snakemake_executor_plugin_fuse import ExecutorSettings

if TYPE_CHECKING:
    from kit.toy import Toy

PAGE = Path(plugin.__file__).with_name("README.md").read_text()
BLOCK = re.compile(r"```(?:python|yaml)\n# (?P<path>\S+)\n(?P<text>.*?)```", re.DOTALL)


def test_the_example_runs_in_two_processes_and_without_the_executor(toy: Toy) -> None:
    """The page's Snakefile, program and profile make the same files with and without bundles."""
    files = {match["path"]: match["text"] for match in BLOCK.finditer(PAGE)}
    assert set(files) == {"Snakefile", "square.py", "profiles/default/config.yaml"}
    for name, text in files.items():
        toy.write(name, text)
    call = [sys.executable, "-m", "snakemake", "--cores", "2"]
    subprocess.run(call, cwd=toy.root, env=toy.environment(), check=True, capture_output=True)
    records = toy.records()
    assert [record["jobs"] for record in records] == [50, 50]
    assert abs(records[0]["cost"] - records[1]["cost"]) <= 100
    made = sorted((toy / "squares").iterdir())
    assert {file.name: file.read_text() for file in made} == {
        f"{n}.txt": f"{n * n}\n" for n in range(100)
    }
    for file in made[:4]:
        file.unlink()
    local = [*call, "--executor", "local"]
    subprocess.run(local, cwd=toy.root, env=toy.environment(), check=True, capture_output=True)
    assert len(toy.records()) == 2
    assert sorted((toy / "squares").iterdir()) == made


def test_the_page_names_every_setting() -> None:
    """Each setting is there, with its default."""
    settings = ExecutorSettings()
    for name in ("launcher", "cancel", "per_gpu", "max_jobs"):
        line = re.search(rf"`--fuse-{name.replace('_', '-')} \w+` \|(.*)", PAGE)
        assert line
        assert str(getattr(settings, name) or "empty") in line[1]
