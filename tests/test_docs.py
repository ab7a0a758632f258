"""What the documentation shows is run."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from trainscape import schedules

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"```(?:python|yaml)\n# (?P<path>\S+)\n(?P<text>.*?)```", re.DOTALL)
COMMANDS = re.compile(r"^\$ (.+)$", re.MULTILINE)


def run(command: list[str], folder: Path) -> str:
    """Run a command of this environment in ``folder``, on this source; its output."""
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that docs/plugins.md shows, and the data they make."""
    folder = tmp_path_factory.mktemp("plugins")
    files = {m["path"]: m["text"] for m in BLOCK.finditer((ROOT / "docs/plugins.md").read_text())}
    studies = {"studies/rings.yaml", "studies/any-torch.yaml"}
    assert set(files) == {"plugins/make_rings.py", "plugins/rings.py", *studies}
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    run([sys.executable, "plugins/make_rings.py"], folder)
    return folder


def trainscape(folder: Path, *words: str, of: str = "rings") -> str:
    """Run the command line on an example's study."""
    study = ["--study", f"studies/{of}.yaml"]
    return run([sys.executable, "-m", "trainscape", *words, *study], folder)


def test_the_example_plugin_trains(example: Path) -> None:
    """docs/plugins.md: its dataset, model and optimizer train, and its optimizer learns."""
    paths = trainscape(example, "cells", "--paths").split()
    assert len(paths) == 8
    trainscape(example, "data", "rings")
    trainscape(example, "train", *paths)
    trainscape(example, "make", "collect")
    summary = (example / "results-rings" / "summary.csv").read_text().splitlines()
    header = summary[0].split(",")
    rows = [dict(zip(header, line.split(","), strict=True)) for line in summary[1:]]
    best = max(float(row["test_metric_mean"]) for row in rows if row["optimizer"] == "slow-sign")
    assert best > 0.9


def test_any_torch_optimizer_trains(example: Path) -> None:
    """docs/plugins.md: classes named by import path train beside our own, and all of them learn."""
    paths = trainscape(example, "cells", "--paths", of="any-torch").split()
    assert sorted({Path(path).parent.name for path in paths}) == ["adam", "amsgrad", "nadam"]
    trainscape(example, "data", "digits", of="any-torch")
    trainscape(example, "train", *paths, of="any-torch")
    for path in paths:
        cell = json.loads((example / path).read_text())
        for trial in cell["trials"]:
            assert trial["status"] == "ok"
            assert trial["test_metric"][-1] > 0.7


def test_the_readme_names_commands_that_exist() -> None:
    """Every make target and trainscape command in the README exists."""
    readme = (ROOT / "README.md").read_text()
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    help_text = run([sys.executable, "-m", "trainscape", "--help"], ROOT)
    for command in COMMANDS.findall(readme):
        words = command.split("#")[0].split()
        if words[0] == "make":
            assert set(words[1:]) <= targets, command
        if words[0] == "trainscape":
            assert re.search(rf"^    {words[1]}\b", help_text, re.MULTILINE), command


def test_links_in_the_documentation_lead_somewhere() -> None:
    """Every relative link in README, CONTRIBUTING and docs names a file of the project."""
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("name", schedules.registry.names())
def test_every_schedule_is_listed_and_drawn(name: str) -> None:
    """The README, the comment in params.yaml and the gallery name every schedule."""
    listed = next(r for r in (ROOT / "README.md").read_text().splitlines() if "| schedules |" in r)
    comment = re.search(r"# Factor on.*?schedule:", (ROOT / "params.yaml").read_text(), re.DOTALL)
    assert f"`{name}`" in listed
    assert comment and re.search(rf"\b{name}\b", comment[0])
    assert f">{name}</text>" in (ROOT / "docs" / "schedules.svg").read_text()
