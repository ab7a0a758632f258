"""What the documentation shows is there, and is what it says."""

from __future__ import annotations

import importlib
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from trainscape import schedules

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "plugins/README.md")),
    ROOT / "examples/README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
COMMANDS = re.compile(r"^\$ (.+)$", re.MULTILINE)
CALLS = re.compile(r"`@?(trainscape\.\w+)\.(\w+)\(name")


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the project's root."""
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_pages_show_the_examples_as_they_are() -> None:
    """`make docs` would write no page anew."""
    done = run("docs/include.py", "--check")
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_the_gallery_of_schedules_is_what_is_drawn(tmp_path: Path) -> None:
    """`make docs` would draw docs/schedules.svg anew to the same bytes."""
    draw = runpy.run_path(str(ROOT / "docs/draw_schedules.py"))["main"]
    draw(tmp_path / "schedules.svg")
    drawn = (tmp_path / "schedules.svg").read_bytes()
    assert drawn == (ROOT / "docs/schedules.svg").read_bytes()


def test_the_map_names_files_that_are_there() -> None:
    """Every module and folder on the architecture page lies where it says."""
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:[a-z_]+/)*[a-z_]+\.py|[a-z_]+/)`", page))
    roots = [ROOT, ROOT / "src", ROOT / "src/trainscape", ROOT / "src/trainscape/pipeline"]
    assert len(named) > 20
    for name in named:
        assert any((root / name).exists() for root in roots), name


def test_an_edited_example_is_shown_anew(tmp_path: Path) -> None:
    """A block below a file's name gets the file's text; all else of the page stays."""
    (tmp_path / "mine.py").write_text("new = 1\n")
    page = (
        "Before.\n\n<!-- from mine.py -->\n```python\nold = 1\n```\n\n```python\nother = 2\n```\n"
    )
    included = runpy.run_path(str(ROOT / "docs/include.py"))["included"]
    assert included(page, tmp_path) == page.replace("old", "new")


def test_every_example_is_shown() -> None:
    """A page shows each file under examples/ that is to be read."""
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for path in ROOT.glob("examples/*/*"):
        name = path.relative_to(ROOT).as_posix()
        if path.suffix in (".py", ".sh"):
            assert f"<!-- from {name} -->" in text, name


def test_the_decorators_are_those_that_the_packages_offer() -> None:
    """docs/plugins.md names every decorator and call by which a package registers a part."""
    named = set(CALLS.findall((ROOT / "docs/plugins.md").read_text(encoding="utf-8")))
    assert named == {
        (f"trainscape.{kind}", name)
        for kind in ("datasets", "workloads", "optimizers", "schedules")
        for name in importlib.import_module(f"trainscape.{kind}").__all__
        if name in ("register", "workload") or name.endswith("dataset")
    }


def test_the_readme_names_commands_that_exist() -> None:
    """Every make target and trainscape command in the README exists."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^(\w+):", makefile, re.MULTILINE))
    help_text = run("-m", "trainscape", "--help").stdout
    for command in COMMANDS.findall(readme):
        words = command.split("#")[0].split()
        if words[0] == "make":
            assert set(words[1:]) <= targets, command
        if words[0] == "trainscape":
            assert re.search(rf"^  {words[1]}\b", help_text, re.MULTILINE), command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_in_the_documentation_lead_somewhere(page: Path) -> None:
    """Every relative link of a page names a file of the project."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("name", schedules.registry.names())
def test_every_schedule_is_listed_and_drawn(name: str) -> None:
    """The README, the comment in params.yaml and the gallery name every schedule."""
    listed = next(r for r in (ROOT / "README.md").read_text().splitlines() if "| schedules |" in r)
    comment = re.search(r"# Factor on.*?schedule:", (ROOT / "params.yaml").read_text(), re.DOTALL)
    assert f"`{name}`" in listed
    assert comment and re.search(rf"\b{name}\b", comment[0])
    assert f">{name}</text>" in (ROOT / "docs" / "schedules.svg").read_text()


def test_the_page_on_the_engine_shows_what_is_made() -> None:
    """The C of the worked example is what the example makes now."""
    made = runpy.run_path(str(ROOT / "docs/engine_step.py"))["text"]()
    assert made == (ROOT / "docs/engine_step.c").read_text(encoding="utf-8"), "run: make docs"
