"""What the documentation shows is run."""

import hashlib
import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from trainscape import schedules

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"```(?:python|yaml)\n# (?P<path>\S+)\n(?P<text>.*?)```", re.DOTALL)
SHAKESPEARE = re.compile(r'sha256="[0-9a-f]{64}"')
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
    plugins = {"make_rings", "rings", "rules", "characters"}
    studies = {"rings", "rules", "characters", "any-torch"}
    expected = {*(f"plugins/{n}.py" for n in plugins), *(f"studies/{n}.yaml" for n in studies)}
    assert set(files) == expected
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


def test_rules_by_parameter_and_schedules_train(example: Path) -> None:
    """docs/plugins.md: an optimizer that takes parameters whole, under a schedule, learns."""
    paths = trainscape(example, "cells", "--paths", of="rules").split()
    assert len(paths) == 8
    trainscape(example, "data", "digits", of="rules")
    trainscape(example, "train", *paths, of="rules")
    for path in paths:
        for trial in json.loads((example / path).read_text())["trials"]:
            assert trial["status"] == "ok"
            if "/normed/" in path and "inverse_root" in path:
                assert trial["test_metric"][-1] > 0.7


def test_the_character_transformer_trains(example: Path) -> None:
    """docs/plugins.md: a file from elsewhere is checked and read, and a sequence model learns it.

    The text is made here, in place of the one at the documented address, and the study cut short.
    """
    draw = random.Random(0)
    words = ["to be", "or not", "that is", "the question", "whether", "nobler"]
    text = " ".join(draw.choice(words) for _ in range(40_000)).encode()
    (example / "text").mkdir()
    (example / "text" / "input.txt").write_bytes(text)
    plugin = example / "plugins/characters.py"
    sha256 = hashlib.sha256(text).hexdigest()
    edited, count = SHAKESPEARE.subn(f'sha256="{sha256}"', plugin.read_text())
    assert count == 1
    plugin.write_text(edited.replace("= 8000, 1000, 32", "= 800, 100, 32"))
    study = example / "studies/characters.yaml"
    study.write_text(study.read_text().replace("steps: 300", "steps: 60"))
    paths = trainscape(example, "cells", "--paths", of="characters").split()
    assert len(paths) == 2
    trainscape(example, "data", "shakespeare", "--from", "text", of="characters")
    trainscape(example, "train", *paths, of="characters")
    for path in paths:
        for trial in json.loads((example / path).read_text())["trials"]:
            assert trial["status"] == "ok"
            # of 13 letters and the space, guessing costs ln 14 = 2.6 nats
            assert trial["test_metric"][-1] < 1.5


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
        text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("name", schedules.registry.names())
def test_every_schedule_is_listed_and_drawn(name: str) -> None:
    """The README, the comment in params.yaml and the gallery name every schedule."""
    listed = next(r for r in (ROOT / "README.md").read_text().splitlines() if "| schedules |" in r)
    comment = re.search(r"# Factor on.*?schedule:", (ROOT / "params.yaml").read_text(), re.DOTALL)
    assert f"`{name}`" in listed
    assert comment and re.search(rf"\b{name}\b", comment[0])
    assert f">{name}</text>" in (ROOT / "docs" / "schedules.svg").read_text()
