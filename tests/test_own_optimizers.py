"""An optimizer of one's own, by its import path: which files decide its cells' digests."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from trainscape.cells import identity, locate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CLASS = "import torch\nclass Mine(torch.optim.SGD):\n    speed = {speed}\n"
SPEED = "SPEED = 1\n"

# An import path, and files; the digest has to cover the one that holds SPEED.
LAYOUTS: dict[str, tuple[str, dict[str, str]]] = {
    "alone": ("own_rule.Mine", {"own_rule.py": SPEED + CLASS.format(speed="SPEED")}),
    "a module beside": (
        "own_rule.Mine",
        {
            "own_rule.py": "import own_speed\n" + CLASS.format(speed="own_speed.SPEED"),
            "own_speed.py": SPEED,
        },
    ),
    "a name from a module beside": (
        "own_rule.Mine",
        {
            "own_rule.py": "from own_speed import SPEED\n" + CLASS.format(speed="SPEED"),
            "own_speed.py": SPEED,
        },
    ),
    "two modules away": (
        "own_rule.Mine",
        {
            "own_rule.py": "import own_middle\n" + CLASS.format(speed="own_middle.SPEED"),
            "own_middle.py": "from own_speed import SPEED\n",
            "own_speed.py": SPEED,
        },
    ),
    "a package, relative": (
        "own_rules.sub.Mine",
        {
            "own_rules/__init__.py": "",
            "own_rules/sub.py": "from .speed import SPEED\n" + CLASS.format(speed="SPEED"),
            "own_rules/speed.py": SPEED,
        },
    ),
    "a package, from the folder above": (
        "own_rules.deep.sub.Mine",
        {
            "own_rules/__init__.py": "",
            "own_rules/deep/__init__.py": "",
            "own_rules/deep/sub.py": "from ..speed import SPEED\n" + CLASS.format(speed="SPEED"),
            "own_rules/speed.py": SPEED,
        },
    ),
    "a package, by its full name": (
        "own_rules.sub.Mine",
        {
            "own_rules/__init__.py": "",
            "own_rules/sub.py": "from own_rules.speed import SPEED\n" + CLASS.format(speed="SPEED"),
            "own_rules/speed.py": SPEED,
        },
    ),
    "a package's own file": (
        "own_rules.sub.Mine",
        {
            "own_rules/__init__.py": SPEED,
            "own_rules/sub.py": "import own_rules\n" + CLASS.format(speed="own_rules.SPEED"),
        },
    ),
    "a module beside a package": (
        "own_rules.sub.Mine",
        {
            "own_rules/__init__.py": "",
            "own_rules/sub.py": "import own_speed\n" + CLASS.format(speed="own_speed.SPEED"),
            "own_speed.py": SPEED,
        },
    ),
    "a package beside a package": (
        "own_rules.sub.Mine",
        {
            "own_rules/__init__.py": "",
            "own_rules/sub.py": "from own_speed.fast import SPEED\n" + CLASS.format(speed="SPEED"),
            "own_speed/__init__.py": "",
            "own_speed/fast.py": SPEED,
        },
    ),
    "a namespace, relative": (
        "own_rules.sub.Mine",
        {
            "own_rules/sub.py": "from .speed import SPEED\n" + CLASS.format(speed="SPEED"),
            "own_rules/speed.py": SPEED,
        },
    ),
    "a module beside a namespace": (
        "own_rules.sub.Mine",
        {
            "own_rules/sub.py": "from own_speed import SPEED\n" + CLASS.format(speed="SPEED"),
            "own_speed.py": SPEED,
        },
    ),
    "re-exported": (
        "own_rules.Mine",
        {
            "own_rules/__init__.py": "from .sub import Mine\n",
            "own_rules/sub.py": "import own_speed\n" + CLASS.format(speed="own_speed.SPEED"),
            "own_speed.py": SPEED,
        },
    ),
    "re-exported from beside the package": (
        "own_rules.Mine",
        {
            "own_rules/__init__.py": "from own_sub import Mine\n",
            "own_sub.py": SPEED + CLASS.format(speed="SPEED"),
        },
    ),
    "re-exported when asked for": (
        "own_rules.Mine",
        {
            "own_rules/__init__.py": (
                "import importlib\n"
                "def __getattr__(name):\n"
                "    return getattr(importlib.import_module('own_rules.' + 'sub'), name)\n"
            ),
            "own_rules/sub.py": "from .speed import SPEED\n" + CLASS.format(speed="SPEED"),
            "own_rules/speed.py": SPEED,
        },
    ),
    "imported late": (
        "own_rule.Mine",
        {
            "own_rule.py": CLASS.format(speed=1)
            + "    def step(self, closure=None):\n        import own_speed\n",
            "own_speed.py": SPEED,
        },
    ),
}


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """The files below a folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def known_by(monkeypatch: pytest.MonkeyPatch, path: str, *folders: Path) -> str | None:
    """What stands in a digest for an optimizer whose files lie in ``folders``."""
    for function in (identity.implementation, locate.locate):
        function.cache_clear()
    with monkeypatch.context() as patch:
        for folder in folders:
            patch.syspath_prepend(folder)
        try:
            return identity.implementation(path)
        finally:
            for name in [name for name in sys.modules if name.startswith("own_")]:
                del sys.modules[name]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_an_optimizer_imports_counts(
    layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edit of any file that the class needs is another digest; a comment, or a move, is none."""
    path, files = LAYOUTS[layout]
    spoken = {name: text.replace(SPEED, "SPEED = 1  # fast\n") for name, text in files.items()}
    edited = {name: text.replace(SPEED, "SPEED = 2\n") for name, text in files.items()}
    assert spoken != files != edited
    first, moved, other = (
        known_by(monkeypatch, path, write(tmp_path / place, text))
        for place, text in (("a", files), ("b", spoken), ("c", edited))
    )
    assert first == moved != other
    assert first is not None


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_it_does_not_import_counts_nothing(
    layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A further file beside the class, or in its package, is no change."""
    path, files = LAYOUTS[layout]
    more = {**files, "own_notes.py": SPEED}
    more |= {f"{name.partition('/')[0]}/notes.py": SPEED for name in files if "/" in name}
    first, after = (
        known_by(monkeypatch, path, write(tmp_path / place, text))
        for place, text in (("a", files), ("b", more))
    )
    assert first == after


def test_a_namespace_may_lie_in_two_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the class imports from the other folder counts, too."""
    found = []
    for place, speed in (("a", SPEED), ("b", "SPEED = 2\n")):
        rule = "from own_rules.speed import SPEED\n" + CLASS.format(speed="SPEED")
        one = write(tmp_path / place / "one", {"own_rules/sub.py": rule})
        two = write(tmp_path / place / "two", {"own_rules/speed.py": speed})
        found.append(known_by(monkeypatch, "own_rules.sub.Mine", two, one))
    assert found[0] != found[1]


@pytest.mark.parametrize("editable", [True, False])
def test_a_package_that_is_installed_to_be_edited_counts_by_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, editable: bool
) -> None:
    """Its version stays when its files change; any other package is known by its version."""
    found = []
    for place, speed in (("a", 1), ("b", 2)):
        facts = {"own_rule-1.0.dist-info/METADATA": "Name: own_rule\nVersion: 1.0\n"}
        site = write(tmp_path / place / "site", facts)
        files = {"own_rule.py": CLASS.format(speed=speed)}
        home = write(tmp_path / place / "src" if editable else site, files)
        found.append(known_by(monkeypatch, "own_rule.Mine", site, home))
    assert (found[0] != found[1]) == editable
    assert editable or found == ["own_rule 1.0"] * 2
