"""What a field's declaration makes of a value: the same for our parts and a plugin's."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import pytest

from kit import examples
from kit.own_folder import folder as folder  # autouse, once it is here
from trainscape.cells import grid
from trainscape.checks import checked, hold
from trainscape.engine import device, run
from trainscape.errors import UserError
from trainscape.study import parse

if TYPE_CHECKING:
    from pathlib import Path


def even(value: object) -> None:
    """A check of one's own."""
    if value not in (2, 4):
        raise ValueError("is not even; choose 2 or 4")


@dataclass(frozen=True)
class Every:
    """A part with a field of every kind."""

    name: ClassVar[str] = "every"

    share: Annotated[float, "[0, 1)"] = 0.5
    count: Annotated[int, "[1, 9]"] = 1
    from_two: Annotated[int, "[2, inf)"] = 2
    rate: float = 0.1
    steps: int = 3
    flag: bool = False
    word: str = "10"
    form: Literal["a", "b"] = "a"
    level: Literal[1, 2] = 1
    own: Annotated[int, even] = 2
    noted: Annotated[float, "see (Smith, 2017)"] = 1.0
    maybe: float | None = None
    either: int | str = "x"
    pair: tuple[float, float] = (0.9, 0.99)
    many: tuple[int, ...] = ()
    nested: list[list[float]] = field(default_factory=list)
    anything: Any = 0.5
    sloppy: float = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        hold(self)


@pytest.mark.parametrize(
    ("key", "given", "held"),
    [
        ("share", "5e-1", 0.5),
        ("share", 0, 0.0),
        ("count", "3", 3),
        ("count", 3.0, 3),
        ("rate", "1e-3", 0.001),
        ("rate", 2, 2.0),
        ("steps", "1e1", 10),
        ("steps", 2**60, 2**60),
        ("word", "12", "12"),
        ("level", "2", 2),
        ("level", 2.0, 2),
        ("own", 4, 4),
        ("noted", "2", 2.0),
        ("maybe", None, None),
        ("maybe", "1e-1", 0.1),
        ("either", "5", "5"),
        ("either", 5, 5),
        ("pair", [0, "1e-1"], (0.0, 0.1)),
        ("many", ["1", 2.0], (1, 2)),
        ("nested", [[1], ["2", 3]], ((1.0,), (2.0, 3.0))),
        ("anything", 1, 1.0),
        ("anything", "1e-2", 0.01),
        ("anything", [1, ["2", "word"]], (1, (2, "word"))),
        ("anything", True, True),
        ("sloppy", 1, 1.0),
    ],
)
def test_a_value_has_the_type_of_its_field(key: str, given: Any, held: Any) -> None:
    """However it is spelled, one value is one; a list is a tuple."""
    assert repr(getattr(Every(**{key: given}), key)) == repr(held)


def test_defaults_stay_as_they_are() -> None:
    """A default need not be what its type says; a list is a tuple here, too."""
    made = Every()
    assert (made.sloppy, made.word, made.nested) == (None, "10", ())  # type: ignore[comparison-overlap]
    assert hash(made) == hash(Every())


EMPTY = "is empty; give it a value or remove the key"


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("share", "much", "'much' is no number; choose one in [0, 1)"),
        ("share", True, "True is no number; choose one in [0, 1)"),
        ("share", None, "None is no number; choose one in [0, 1)"),
        ("share", 1, "1 is out of range; choose a number in [0, 1)"),
        ("share", float("nan"), "nan is out of range; choose a number in [0, 1)"),
        ("count", 10, "10 is no whole number in [1, 9]; choose one"),
        ("count", 1.5, "1.5 is no whole number in [1, 9]; choose one"),
        ("from_two", 1, "1 is no whole number from 2; choose one"),
        ("from_two", float("inf"), "inf is no whole number from 2; choose one"),
        ("rate", True, "True is true or false; give a number"),
        ("rate", "fast", "'fast' is no number"),
        ("rate", float("inf"), "inf is no finite number"),
        ("rate", 10**400, f"1{'0' * 78}… is no finite number"),
        ("rate", None, EMPTY),
        ("steps", 1.5, "1.5 is no whole number"),
        ("flag", "yes", "'yes' is neither true nor false; choose one"),
        ("flag", 1, "1 is neither true nor false; choose one"),
        ("word", 5, "5 is no text; put it in quotes"),
        ("form", "c", "unknown 'c'; choose from: a, b"),
        ("level", True, "unknown True; choose from: 1, 2"),
        ("own", 3, "3 is not even; choose 2 or 4"),
        ("maybe", "low", "'low' is no number"),
        ("either", [1], "[1] is no number"),
        ("pair", 0.9, "0.9 is no list of 2 values"),
        ("pair", [1, 2, 3], "[1, 2, 3] is no list of 2 values"),
        ("many", 5, "5 is no list; write [5]"),
        ("many", {"a": 1}, "{'a': 1} is no list"),
        ("many", None, EMPTY),
        ("anything", float("nan"), "nan is no finite number"),
        ("anything", "inf", "'inf' is no finite number"),
        (
            "anything",
            {"a": 1},
            "{'a': 1} is no hyperparameter; give a number, text, true, false or a list",
        ),
    ],
)
def test_what_a_field_does_not_take_is_refused(key: str, value: Any, why: str) -> None:
    """Part, field, value and what to choose, in one line."""
    with pytest.raises(UserError) as refused:
        Every(**{key: value})
    assert str(refused.value) == f"every.{key}: {why}"


@pytest.mark.parametrize(
    ("key", "value", "place"),
    [("many", [1, "x"], "many[1]"), ("nested", [[1], [2, "x"]], "nested[1][1]")],
)
def test_the_place_in_a_list_is_named(key: str, value: Any, place: str) -> None:
    """Of a list, the value that is wrong is told by its place, however deep."""
    with pytest.raises(UserError) as refused:
        Every(**{key: value})
    assert str(refused.value) == f"every.{place}: 'x' is no number"


def test_a_field_that_there_is_not_is_refused() -> None:
    """A cell of another version may state one: the nearest is named."""
    with pytest.raises(UserError, match=r"^every: unknown 'ratte'; did you mean 'rate'\?$"):
        checked(Every, {"ratte": 1})


LISTS = """
from __future__ import annotations
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from trainscape import optimizers, schedules
if TYPE_CHECKING:
    from elsewhere import Numbers

@schedules.register("staged")
@dataclass(frozen=True)
class Staged(schedules.Schedule):
    at: {hint} = {default}
    def shape(self, step, clock):
        return 0.5 if step >= self.at[0] else 1.0

@optimizers.register("staged_rule")
@dataclass(frozen=True)
class StagedRule(optimizers.Optimizer):
    at: {hint} = {default}
    def update(self, param, grad, state, lr, now):
        param.sub_(lr * grad)
"""


def cells(*schedule: Any, optimizer: Any = "sgd") -> list[dict[str, Any]]:
    """The cells of a small study with the plugin's parts, as their files state them."""
    study = {
        "plugins": ["lists.py"],
        "budget": {"steps": 4},
        "seeds": 1,
        "validation": 0,
        "grid": {
            "optimizer": [optimizer],
            "batch_size": [8],
            "lr": [0.1],
            "schedule": list(schedule),
        },
    }
    made = grid.cells(parse(study, "test"))
    return [json.loads(json.dumps(cell.spec())) for cell in made]


@pytest.mark.parametrize(
    "hint", ["list", "list[int]", "tuple[int, ...]", "Sequence[int]", "Any", "Numbers"]
)
@pytest.mark.parametrize("default", ["(9,)", "field(default_factory=lambda: [9])"])
def test_a_part_with_a_list_trains(folder: Path, hint: str, default: str) -> None:
    """Given or by default, in a schedule or an optimizer, and two of them are two parts."""
    (folder / "lists.py").write_text(LISTS.format(hint=hint, default=default))
    early = {"name": "staged", "at": [1], "label": "early"}
    specs = cells("staged", early, optimizer={"name": "staged_rule", "at": [2, 3]})
    _, ((late,), (soon,)) = run.train_cells(specs, examples.images(24), device.choose("cpu"))
    assert (late.status, soon.status) == ("ok", "ok")
    assert late.train_loss != soon.train_loss


def test_a_part_with_a_list_of_lists_trains(folder: Path) -> None:
    """Lists in lists are tuples in tuples."""
    (folder / "lists.py").write_text(
        LISTS.format(hint="list[list[float]]", default="((9, 1),)").replace("at[0]", "at[0][0]")
    )
    specs = cells("staged", {"name": "staged", "at": [[1, 2], []], "label": "early"})
    _, records = run.train_cells(specs, examples.images(24), device.choose("cpu"))
    assert [record.status for (record,) in records] == ["ok", "ok"]


PLAIN = "is no hyperparameter; give a number, text, true, false or a list"


@pytest.mark.parametrize(
    ("hint", "default", "given", "message"),
    [
        ("dict", "None", {"at": {"a": 1}}, f".at: {{'a': 1}} {PLAIN}"),
        ("dict[str, int]", "None", {"at": {"a": 1}}, f".at: {{'a': 1}} {PLAIN}"),
        ("list", "()", {"at": [1, {"a": 1}]}, f".at[1]: {{'a': 1}} {PLAIN}"),
        ("dict", "field(default_factory=lambda: {'a': 1})", {}, f".at: {{'a': 1}} {PLAIN}"),
        ("Any", "field(default_factory=set)", {}, f".at: set() {PLAIN}"),
        ("float", "float('inf')", {}, ".at: inf is no finite number"),
        (
            "list",
            "field(default_factory=list, init=False)",
            {},
            ": holds what cannot be compared (unhashable type: 'list'); use tuples",
        ),
    ],
)
def test_what_is_no_plain_value_is_refused_before_any_job(
    folder: Path, hint: str, default: str, given: dict[str, Any], message: str
) -> None:
    """Mappings, sets and the like, as values or as defaults, are refused in one line."""
    (folder / "lists.py").write_text(LISTS.format(hint=hint, default=default))
    with pytest.raises(UserError) as refused:
        cells("constant", {"name": "staged", **given})
    assert str(refused.value) == f"grid.schedule[1]{message}"
    with pytest.raises(UserError) as refused:
        cells("constant", optimizer={"name": "staged_rule", **given})
    assert str(refused.value) == f"grid.optimizer[0]{message}"
