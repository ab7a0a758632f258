"""A user's own files: imported once, and refused by file and line when they fail."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from kit.own_folder import folder as folder  # autouse, once it is here
from trainscape import optimizers
from trainscape.cells import grid, plugins
from trainscape.errors import UserError
from trainscape.study import parse

if TYPE_CHECKING:
    from pathlib import Path

RULE = """
from dataclasses import dataclass
from trainscape.optimizers import Optimizer, register

@register("{name}")
@dataclass(frozen=True)
class Mine(Optimizer):
    speed: float = 1.0
    steps: int = 3

    def __post_init__(self):
        if self.speed < 0:
            raise ValueError("speed")

    def update(self, param, grad, state, lr, now):
        param.addcmul_(grad, lr, value=-self.speed)
"""


def refused(*paths: str) -> str:
    """Why loading the plugins is refused: one line."""
    with pytest.raises(UserError) as error:
        plugins.load(paths)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_plugin_adds_a_part(folder: Path) -> None:
    """A plugin's optimizer is a name like any other, its fields hyperparameters with defaults."""
    (folder / "mine.py").write_text(RULE.format(name="mine"))
    raw = {
        "plugins": ["mine.py"],
        "grid": {"optimizer": [{"name": "mine", "speed": "2e-1", "steps": "1e1"}], "lr": [0.1]},
    }
    first = grid.cells(parse(raw, "params.yaml"))[0]
    assert first.optimizer.spec() == {
        "name": "mine",
        "clip_norm": None,
        "speed": 0.2,
        "steps": 10,
    }
    assert optimizers.registry.source("mine") == (folder / "mine.py").resolve()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"speed": True}, "grid.optimizer[0].speed: True is true or false; give a number"),
        ({"speed": float("nan")}, "grid.optimizer[0].speed: nan is no finite number"),
        ({"speed": "fast"}, "grid.optimizer[0].speed: 'fast' is no number"),
        ({"steps": 1.5}, "grid.optimizer[0].steps: 1.5 is no whole number"),
        ({"speed": None}, "grid.optimizer[0].speed: is empty; give it a value or remove the key"),
        ({"speed": -1}, "grid.optimizer[0]: {'speed': -1} speed"),
        ({"sped": 1}, "grid.optimizer[0] (mine): unknown 'sped'; did you mean 'speed'?"),
    ],
)
def test_a_plugins_hyperparameters_are_checked(
    folder: Path, given: dict[str, object], message: str
) -> None:
    """Numbers are checked for a plugin that checks nothing itself, and in its words if it does."""
    (folder / "mine.py").write_text(RULE.format(name="mine"))
    raw = {
        "plugins": ["mine.py"],
        "grid": {"optimizer": [{"name": "mine", **given}], "lr": [0.1]},
    }
    with pytest.raises(UserError) as error:
        grid.cells(parse(raw, "params.yaml"))
    assert str(error.value) == message


def test_a_check_that_fails_is_told_with_its_line(folder: Path) -> None:
    """A plugin's check that trips over a value is told of by file and line, before any job."""
    text = RULE.format(name="mine").replace("self.speed < 0", "1 / self.speed < 0")
    (folder / "mine.py").write_text(text)
    raw = {
        "plugins": ["mine.py"],
        "grid": {"optimizer": [{"name": "mine", "speed": 0}], "lr": [0.1]},
    }
    with pytest.raises(UserError) as error:
        grid.cells(parse(raw, "params.yaml"))
    assert str(error.value) == (
        "grid.optimizer[0]: mine.py, line 12: ZeroDivisionError: float division by zero"
    )


def test_a_hyperparameter_without_a_default_is_asked_for(folder: Path) -> None:
    """A plugin may leave a default out; a study that gives no value is told which."""
    (folder / "mine.py").write_text(RULE.format(name="mine").replace("float = 1.0", "float"))
    raw = {"plugins": ["mine.py"], "grid": {"optimizer": ["mine"], "lr": [0.1]}}
    with pytest.raises(UserError) as error:
        grid.cells(parse(raw, "params.yaml"))
    assert str(error.value) == "grid.optimizer[0]: {} needs the key 'speed'"


def test_a_field_that_every_optimizer_has_is_refused(folder: Path) -> None:
    """A rule's own clip_norm would clip what the engine has clipped."""
    text = RULE.format(name="mine").replace("speed: float = 1.0", "clip_norm: float = 1.0")
    (folder / "mine.py").write_text(text)
    raw = {"plugins": ["mine.py"], "grid": {"optimizer": ["mine"], "lr": [0.1]}}
    with pytest.raises(UserError) as error:
        grid.cells(parse(raw, "params.yaml"))
    assert str(error.value) == (
        "grid.optimizer[0]: 'mine' has a field 'clip_norm', which is every optimizer's: "
        "the engine clips; rename it, or remove it"
    )


def test_a_part_that_is_no_dataclass_is_refused(folder: Path) -> None:
    """A class without fields is refused by name, with what to add."""
    (folder / "mine.py").write_text(
        "from trainscape.optimizers import register\n@register('mine')\nclass Mine:\n    pass\n"
    )
    raw = {"plugins": ["mine.py"], "grid": {"optimizer": ["mine"], "lr": [0.1]}}
    with pytest.raises(UserError) as error:
        grid.cells(parse(raw, "params.yaml"))
    assert str(error.value) == (
        "grid.optimizer[0]: 'mine' is no dataclass; add @dataclass(frozen=True) to it"
    )


def test_a_plugin_is_imported_once(folder: Path) -> None:
    """However often and under whatever path it is loaded, a file runs once."""
    (folder / "once.py").write_text("from pathlib import Path\nPath('ran').open('a').write('x')\n")
    plugins.load(["once.py", "./once.py"])
    plugins.load([str(folder / "once.py")])
    assert (folder / "ran").read_text() == "x"


def test_a_missing_file_is_named(folder: Path) -> None:
    """A path that is no file is refused as the study has it."""
    assert refused("none.py") == "plugins: no such file 'none.py'"
    assert refused(".") == "plugins: no such file '.'"


def test_only_python_files_are_plugins(folder: Path) -> None:
    """A file that Python does not import is refused before it is run."""
    (folder / "notes.txt").write_text("")
    assert refused("notes.txt") == "plugins: 'notes.txt' is not a Python file"


def test_a_syntax_error_names_its_line(folder: Path) -> None:
    """What is not Python is refused by file and line."""
    (folder / "broken.py").write_text("a = 1\nb = = 2\n")
    assert refused("broken.py") == (
        "plugins: broken.py: SyntaxError: invalid syntax (broken.py, line 2)"
    )


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import nonesuch", "ModuleNotFoundError: No module named 'nonesuch'"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
        ("import json; json.loads('{')", "JSONDecodeError: Expecting property name"),
        ("raise SystemExit(0)", "SystemExit: 0"),
    ],
)
def test_an_exception_names_its_line(folder: Path, statement: str, message: str) -> None:
    """Whatever a plugin raises is one line with the plugin's own file and line."""
    (folder / "fails.py").write_text(f"a = 1\n\n{statement}\n")
    assert refused("fails.py").startswith(f"plugins: fails.py, line 3: {message}")
    assert "trainscape_plugin_fails" not in sys.modules


def test_an_exception_in_a_helper_names_the_plugins_line(folder: Path) -> None:
    """An error below a plugin is told of at the line of the plugin that led there."""
    (folder / "helper_that_fails.py").write_text("x = = 1\n")
    (folder / "fails.py").write_text("import helper_that_fails\n")
    assert refused("fails.py") == (
        "plugins: fails.py, line 1: SyntaxError: invalid syntax (helper_that_fails.py, line 1)"
    )


def test_two_plugins_of_one_file_name_are_refused(folder: Path) -> None:
    """Two files with the same name would be one module; the second is refused by both paths."""
    for place in ("a", "b"):
        (folder / place).mkdir()
        (folder / place / "same.py").write_text("")
    first = str((folder / "a" / "same.py").resolve())
    assert refused("a/same.py", "b/same.py") == (
        f"plugins: 'b/same.py' and {first!r} have the same file name"
    )


def test_a_name_that_is_taken_is_refused(folder: Path) -> None:
    """A plugin cannot quietly replace a part of the package."""
    (folder / "mine.py").write_text(RULE.format(name="adam"))
    why = refused("mine.py")
    assert why.startswith("plugins: mine.py: optimizer 'adam' in ")
    assert "is already taken by" in why


def test_a_name_that_is_no_file_name_is_refused(folder: Path) -> None:
    """A part's name becomes a folder, so a plugin may not register what cannot be one."""
    (folder / "mine.py").write_text(RULE.format(name="my/rule"))
    assert refused("mine.py").startswith("plugins: mine.py: optimizer 'my/rule' in ")


def test_a_plugin_imports_what_lies_beside_it(folder: Path) -> None:
    """A helper beside the plugin is found, wherever the study lies."""
    place = folder / "parts"
    place.mkdir()
    (place / "helper_beside.py").write_text("SPEED = 7.0\n")
    text = RULE.format(name="helped").replace("= 1.0", "= helper_beside.SPEED")
    (place / "helped.py").write_text("import helper_beside\n" + text)
    plugins.load(["parts/helped.py"])
    assert optimizers.registry.get("helped")().__dict__["speed"] == 7.0


def test_helpers_of_one_name_are_refused(folder: Path) -> None:
    """A plugin never runs with another plugin's helper, or the library's, for its own."""
    for place in ("a", "b"):
        (folder / place).mkdir()
        (folder / place / f"plugin_{place}.py").write_text("import same_helper\n")
        (folder / place / "same_helper.py").write_text(f"place = {place!r}\n")
    other = (folder / "a" / "same_helper.py").resolve()
    assert refused("a/plugin_a.py", "b/plugin_b.py") == (
        f"plugins: b/plugin_b.py: imports 'same_helper' from {other}; "
        "give 'same_helper.py' a name of its own"
    )
    (folder / "plugin_c.py").write_text("import random\n")
    (folder / "random.py").write_text("")
    assert refused("plugin_c.py").startswith("plugins: plugin_c.py: imports 'random' from ")


def test_a_helper_that_is_imported_late_is_checked_at_once(folder: Path) -> None:
    """A helper that is not Python is refused before a job starts, though no line has run it yet."""
    (folder / "late_helper.py").write_text("x = = 1\n")
    (folder / "late.py").write_text("def f():\n    import late_helper\n")
    assert refused("late.py") == (
        "plugins: late.py: SyntaxError: invalid syntax (late_helper.py, line 1)"
    )


WORKLOAD = """
from trainscape.workloads import ACCURACY, Metric, workload

METRIC = Metric("right", "{direction}", "fraction", ACCURACY.compute)

@workload("own", dataset="digits", target={target}, metric=METRIC)
def build():
    from torch import nn

    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
"""


def test_a_direction_that_is_neither_max_nor_min_is_refused(folder: Path) -> None:
    """It is refused when the metric is made, and never taken for one of the two."""
    (folder / "own.py").write_text(WORKLOAD.format(target=0.9, direction="maximize"))
    said = refused("own.py")
    assert said.endswith("metric 'right', direction: unknown 'maximize'; did you mean 'max'?")


def test_a_workloads_own_target_in_percent_is_refused(folder: Path) -> None:
    """A share is from 0 to 1 in a plugin as it is in a study."""
    (folder / "own.py").write_text(WORKLOAD.format(target=90, direction="max"))
    with pytest.raises(UserError) as error:
        grid.cells(parse({"plugins": ["own.py"], "workloads": ["own"]}, "params.yaml"))
    assert str(error.value) == "workload 'own', target: 90 is no right; did you mean 0.9?"
