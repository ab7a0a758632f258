"""What counts as a change of source, and which files a file's closure holds."""

from __future__ import annotations

import os
import subprocess
import textwrap
from pathlib import Path

import pytest

from trainscape import optimizers, source
from trainscape.cells.identity import ENGINE

SNIPPET = '''
"""A module."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@register("rule", speed=1.0)
class Rule(Base):
    """A class."""

    speed: float = 1.5

    def update(self, x: Tensor, *rest, lr=0.1, **more) -> str:
        """A function."""
        x -= lr * (x @ x.T) ** 2  # a comment
        y = [a for a in rest if a is not None and a != 'b']
        with open(f"{x!r:>{y}}-{lr}") as file, lock:
            while not file: break
        try:
            match x:
                case {"a": [1, *_]} | None: return lambda k: -k
        except (ValueError, TypeError) as error:
            raise error from None
        global state
        return y[1:2, ...] if x < 1_000 <= 2j else b"bytes"
'''
GOLDEN = "c3387770631350d3b5d3db999584578856a91d22bcc992d6acac1e95a1e2e647"


def meaning(text: str) -> str:
    """What is hashed of a snippet."""
    return source.canonical_source(textwrap.dedent(text))


def test_the_hash_is_pinned(tmp_path: Path) -> None:
    """A hash of today is a hash of tomorrow and of every Python: else all is trained again."""
    path = tmp_path / "snippet.py"
    path.write_text(SNIPPET)
    assert source.file_hash(path) == GOLDEN


@pytest.mark.parametrize("version", ["3.12", "3.13", "3.14"])
def test_the_hash_is_that_of_every_python(tmp_path: Path, version: str) -> None:
    """Another interpreter, where this machine has one, gives the same hash."""
    here = tmp_path / "snippet.py"
    here.write_text(SNIPPET)
    code = (
        "import runpy, sys, pathlib\n"
        "source = runpy.run_path(sys.argv[1])\n"
        "print(source['file_hash'](pathlib.Path(sys.argv[2])))"
    )
    installed = Path.home().glob(f".pyenv/versions/{version}.*/bin/python3")
    for python in [f"python{version}", *map(str, installed)]:
        command = [python, "-c", code, str(source.__file__), str(here)]
        if subprocess.run(  # a shim may stand for an interpreter that is not there
            ["sh", "-c", 'command -v "$0" && "$0" -V', python], capture_output=True, check=False
        ).returncode:
            continue
        ours = {**os.environ, "PYTHONPATH": str(source.PACKAGE.parent)}
        ran = subprocess.run(
            command, env=ours, capture_output=True, text=True, timeout=60, check=True
        )
        assert ran.stdout.strip() == GOLDEN
        return
    pytest.skip(f"no Python {version} on this machine")


BASE = "def f(x, y=1):\n    return x * y\n"


@pytest.mark.parametrize(
    "same",
    [
        "# why\ndef f(x, y=1):  # how\n    return x * y\n",
        '"""What."""\ndef f(x, y=1):\n    """How."""\n    return x * y\n',
        "\n\ndef f( x,y = 1 ) :\n\n        return (x\n            * y)\n",
        "def f(x, y=1): return x * y",
        "def f(x, y=0x1):\n    return x * y\n",
        "if TYPE_CHECKING:\n    from a import b\ndef f(x, y=1):\n    return x * y\n",
        "if typing.TYPE_CHECKING:\n    from a import b\ndef f(x, y=1):\n    return x * y\n",
    ],
)
def test_layout_and_comments_do_not_count(same: str) -> None:
    """Comments, docstrings, layout, brackets and what only type checkers read are no change."""
    assert meaning(same) == meaning(BASE)


@pytest.mark.parametrize(
    "other",
    [
        "def f(x, y=1):\n    return x + y\n",
        "def f(x, y=1):\n    return y * x\n",
        "def f(x, y=2):\n    return x * y\n",
        "def f(x, *, y=1):\n    return x * y\n",
        "def g(x, y=1):\n    return x * y\n",
        "def f(x, z=1):\n    return x * z\n",
        "@g\ndef f(x, y=1):\n    return x * y\n",
        "async def f(x, y=1):\n    return x * y\n",
        "def f(x, y=1):\n    return x * y\nf(1)\n",
        "def f(x: int, y=1):\n    return x * y\n",
        "if TYPE_CHECKING:\n    pass\nelse:\n    a = 1\ndef f(x, y=1):\n    return x * y\n",
        "if CHECKING:\n    a = 1\ndef f(x, y=1):\n    return x * y\n",
        "def f(x, y=1):\n    return x * y\n    'not first'\n",
    ],
)
def test_arithmetic_names_and_defaults_count(other: str) -> None:
    """Operators, order, names, defaults, decorators and statements are a change."""
    assert meaning(other) != meaning(BASE)


def test_constants_are_told_apart_by_type_and_value() -> None:
    """No two of these are the same constant, though Python finds some of them equal."""
    values = ["1", "1.0", "True", "'1'", "b'1'", "1j", "None", "'None'", "...", "-1", "0", "False"]
    values += ["0.1", "0.10000000000000002", "'a'", "'A'", "'a '", "''", "()", "[]", "{}"]
    assert len({meaning(f"x = {value}") for value in values}) == len(values)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('x = "a"', "x = 'a'"),
        ('x = "a" "b"', "x = 'ab'"),
        ("x = 1000000", "x = 1_000_000"),
        ("x = 0.1", "x = 1e-1"),
        ('f"{x}-{y:.2f}"', "f'{x}-{ y :.2f}'"),
        ('f"{x}" "b"', 'f"{x}b"'),
        ("from a import (b,\n  c)", "from a import b, c"),
    ],
)
def test_spelling_does_not_count(one: str, other: str) -> None:
    """Quotes, number style and line breaks say the same."""
    assert meaning(one) == meaning(other)


@pytest.mark.parametrize(
    "other", ['f"{y}"', 'f"{x!r}"', 'f"{x:.1f}"', 'f"{x} "', '"{x}"', 'f"{x.a}"', 'f"{{x}}"']
)
def test_f_strings_count(other: str) -> None:
    """An f-string's names, conversions, formats and text are a change."""
    assert meaning(other) != meaning('f"{x}"')


def test_import_order_counts_nothing_in_a_closure(tmp_path: Path) -> None:
    """The closure is by name: where and in which order files are imported does not matter."""
    (tmp_path / "a.py").write_text("import b, c\n")
    (tmp_path / "b.py").write_text("x = 1\n")
    (tmp_path / "c.py").write_text("import b\n")
    entries = [tmp_path / "a.py", tmp_path / "c.py"]
    assert source.closure(entries) == source.closure(reversed(entries))
    assert list(source.closure(entries)) == ["a.py", "b.py", "c.py"]


def test_a_plugins_own_imports_belong_to_it(tmp_path: Path) -> None:
    """Helpers beside and below a plugin count: packages, nested, relative and late imports."""
    (tmp_path / "parts" / "deep").mkdir(parents=True)
    files = {
        "mine.py": "import json, numpy\nfrom parts import one\ndef f():\n    import late\n",
        "late.py": "if TYPE_CHECKING:\n    import typed\n",
        "typed.py": "",
        "unused.py": "",
        "parts/__init__.py": "",
        "parts/one.py": "from . import two\nfrom parts.deep.three import x\n",
        "parts/two.py": "",
        "parts/unused.py": "",
        "parts/deep/three.py": "from .. import four\nfrom .late import x\nimport late\n",
        "parts/deep/late.py": "",
        "parts/four.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    expected = {name for name in files if Path(name).stem not in ("typed", "unused")}
    assert set(source.closure([tmp_path / "mine.py"])) == expected


def test_modules_that_are_imported_by_a_call_belong_to_it(tmp_path: Path) -> None:
    """A name that stands in the call counts, with dots in front or not; any other call does not."""
    (tmp_path / "parts").mkdir()
    files = {
        "mine.py": "import importlib\nfrom importlib import import_module\n"
        "importlib.import_module('one')\n__import__('two')\nimport_module('parts.three')\n"
        "import_module(name)\nimport_module()\nimport_module(3)\nopen('unused')\n",
        "one.py": "",
        "two.py": "",
        "parts/__init__.py": "",
        "parts/three.py": "import importlib\nimportlib.import_module('.four', __package__)\n",
        "parts/four.py": "",
        "unused.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert set(source.closure([tmp_path / "mine.py"])) == files.keys() - {"unused.py"}


def test_a_plugin_may_lie_anywhere(tmp_path: Path) -> None:
    """Moving a plugin with its helpers changes no digest; a helper's arithmetic does."""
    closures = []
    for place, text in (("a", "x = 1\n"), ("b", "x = 1  # one\n"), ("c", "x = 2\n")):
        (tmp_path / place).mkdir()
        (tmp_path / place / "mine.py").write_text("import helper\n")
        (tmp_path / place / "helper.py").write_text(text)
        closures.append(source.closure([tmp_path / place / "mine.py"]))
    assert closures[0] == closures[1]
    assert closures[0] != closures[2]


def test_helpers_of_one_name_are_all_hashed(tmp_path: Path) -> None:
    """Two plugins' helpers of the same name both count, in either order."""
    entries = []
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        (tmp_path / place / f"{place}.py").write_text("import helper\n")
        (tmp_path / place / "helper.py").write_text(f"x = '{place}'\n")
        entries.append(tmp_path / place / f"{place}.py")
    both = source.closure(entries)
    assert both == source.closure(reversed(entries))
    hashes = both["helper.py"].split("+")
    assert sorted(source.closure([e])["helper.py"] for e in entries) == hashes
    assert len(hashes) == 2


def test_a_cell_depends_on_its_own_parts_only() -> None:
    """The closure of adamw holds adam and what that builds on, and no other optimizer."""
    found = source.closure([*ENGINE, optimizers.registry.source("adamw")])
    rules = {n.rpartition(".")[2] for n in found if n.startswith("trainscape.optimizers.")}
    assert rules == {"_base", "_decay", "_moments", "adam", "adamw"}
