"""The registry that every kind of part has: files are its entries, plugins add to them."""

from __future__ import annotations

import importlib.util
import itertools
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from trainscape import datasets, optimizers, schedules, workloads
from trainscape.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from trainscape.registry import Registry

COUNT = itertools.count()
PUBLISHED = re.compile(r"\b(19|20)\d\d,\s+https://(arxiv\.org/abs/\d{4}\.\d{4,5}|\S+\.\S+/\S+)")
RULES = [(kind, name) for kind in (optimizers, schedules) for name in kind.registry.names()]
ENTRY = """
from {package} import registry

@registry.register("{name}")
class Entry:
    made_by = "{name}"
"""


@pytest.fixture
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry[type]]:
    """The registry of a package with the entries ``drum`` and ``red-ball``, none imported yet."""
    package = f"toys{next(COUNT)}"
    folder = tmp_path / package
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from trainscape.registry import Registry\nregistry = Registry('toy', __name__, '-')\n"
    )
    (folder / "_base.py").write_text("raise RuntimeError('no entry')\n")
    for name in ("drum", "red-ball"):
        source = ENTRY.format(package=package, name=name)
        (folder / f"{name.replace('-', '_')}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    registry: Registry[type] = importlib.import_module(package).registry
    yield registry
    for module in [m for m in sys.modules if m.partition(".")[0] == package]:
        del sys.modules[module]


def plugin(path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Run a user's file as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, path.stem, module)
    spec.loader.exec_module(module)
    return module


def test_files_are_entries(toys: Registry[type]) -> None:
    """Public files are listed by name, underscores as the separator, without being imported."""
    assert toys.names() == ["drum", "red-ball"]
    assert not any(m.startswith(f"{toys.package}.") for m in sys.modules)


def test_an_entry_is_imported_alone(toys: Registry[type]) -> None:
    """Asking for one entry imports its file and no other, and gives the entry its name."""
    entry = toys.get("red-ball")
    assert entry.__dict__["made_by"] == entry.__dict__["name"] == "red-ball"
    loaded = [m for m in sys.modules if m.startswith(f"{toys.package}.")]
    assert loaded == [f"{toys.package}.red_ball"]


def test_a_new_file_is_a_new_entry(toys: Registry[type]) -> None:
    """A file that appears beside the others is listed and found; nothing else lists it."""
    folder = toys.source("drum").parent
    (folder / "kite.py").write_text(ENTRY.format(package=toys.package, name="kite"))
    assert "kite" in toys.names()
    assert toys.get("kite").__dict__["made_by"] == "kite"


def test_the_source_of_an_entry_is_its_file(toys: Registry[type]) -> None:
    """The file is found by the entry's name, which is what a digest is taken over."""
    assert toys.source("red-ball").name == "red_ball.py"
    with pytest.raises(UserError, match="unknown 'blue-ball'"):
        toys.source("blue-ball")


def test_an_unknown_name_is_refused_with_the_nearest(toys: Registry[type]) -> None:
    """The message is one line with the place, the value and the nearest name, or every name."""
    with pytest.raises(UserError) as near:
        toys.get("drumm", "grid.toy[0]")
    assert str(near.value) == "grid.toy[0]: unknown 'drumm'; did you mean 'drum'?"
    with pytest.raises(UserError) as far:
        toys.get("xyz")
    assert str(far.value) == "toy: unknown 'xyz'; choose from: drum, red-ball"


@pytest.mark.parametrize("name", ["_base", "__init__", "red_ball", "", "../drum"])
def test_what_is_no_entry_is_unknown(toys: Registry[type], name: str) -> None:
    """Private files, file names and paths are not names."""
    with pytest.raises(UserError, match=r"^toy: unknown "):
        toys.get(name)


def test_a_plugin_registers_by_the_same_decorator(
    toys: Registry[type], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user's file anywhere adds an entry that is listed, found and traced to that file."""
    path = tmp_path / "mine.py"
    path.write_text(ENTRY.format(package=toys.package, name="yo-yo"))
    module = plugin(path, monkeypatch)
    assert toys.names() == ["drum", "red-ball", "yo-yo"]
    assert toys.get("yo-yo") is module.Entry
    assert toys.source("yo-yo") == path.resolve()


def test_a_plugin_may_be_run_again(
    toys: Registry[type], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same file run twice replaces its entry: one process may read several studies."""
    path = tmp_path / "again.py"
    path.write_text(ENTRY.format(package=toys.package, name="yo-yo"))
    plugin(path, monkeypatch)
    second = plugin(path, monkeypatch)
    assert toys.get("yo-yo") is second.Entry


@pytest.mark.parametrize("imported", [True, False])
def test_a_taken_name_is_refused(
    toys: Registry[type], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, imported: bool
) -> None:
    """A plugin cannot take the name of an entry that ships; the message names both files."""
    drum = Path(str(sys.modules[toys.package].__file__)).resolve().parent / "drum.py"
    if imported:
        toys.get("drum")
    path = tmp_path / "loud.py"
    path.write_text(ENTRY.format(package=toys.package, name="drum"))
    with pytest.raises(UserError) as refused:
        plugin(path, monkeypatch)
    assert str(refused.value) == f"toy 'drum' in {path} is already taken by {drum}"
    assert toys.get("drum").__module__ == f"{toys.package}.drum"


def test_two_plugins_cannot_share_a_name(
    toys: Registry[type], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of two files that register one name is refused."""
    for stem in ("first", "second"):
        (tmp_path / f"{stem}.py").write_text(ENTRY.format(package=toys.package, name="yo-yo"))
    plugin(tmp_path / "first.py", monkeypatch)
    with pytest.raises(UserError, match=r"second\.py is already taken by .*first\.py$"):
        plugin(tmp_path / "second.py", monkeypatch)


@pytest.mark.parametrize("kind", [datasets, optimizers, schedules, workloads])
def test_every_file_registers_its_own_name(kind: ModuleType) -> None:
    """Each entry that ships is in the file of its name and carries that name."""
    registry = kind.registry
    assert registry.names()
    for name in registry.names():
        assert registry.get(name).name == name
        assert registry.source(name).stem == name.replace("-", "_")


def test_the_promised_entries_are_there() -> None:
    """The names that studies and docs rely on do not vanish."""
    promised = {"sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw"}
    assert promised <= set(optimizers.registry.names())
    promised = {"constant", "step", "exponential", "inverse_time", "linear", "cosine"}
    assert promised <= set(schedules.registry.names())


@pytest.mark.parametrize(("kind", "name"), RULES, ids=[name for _, name in RULES])
def test_an_optimizer_or_schedule_links_its_paper(kind: ModuleType, name: str) -> None:
    """Its file names title and year and links the paper, or says that there is none."""
    said = sys.modules[kind.registry.get(name).__module__].__doc__ or ""
    source = said.partition("\nSource: ")[2]
    assert PUBLISHED.search(source) or source.startswith("no paper: ")
