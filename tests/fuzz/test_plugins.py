"""What plugins declare: taken, or refused in one line that names the file."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kit.hostile import NUMBERS, TEXTS, answered, fuzzed
from kit.own_folder import REGISTRIES
from kit.own_folder import folder as folder  # autouse, once it is here
from kit.registries import kept
from trainscape import study
from trainscape.cells import grid, plugins

if TYPE_CHECKING:
    from pathlib import Path

NO_WORD = "is no word for tables and axes; choose at most 40 letters"
OPTIMIZER = """
from dataclasses import dataclass
from trainscape.optimizers import Optimizer, register

@register({name})
@dataclass({frozen})
class Mine(Optimizer):
    {attribute}: {kind} = {default}

    def update(self, param, grad, state, lr, now):
        param.add_(grad, alpha=-0.1)
"""
SCHEDULE = """
from dataclasses import dataclass
from trainscape.schedules import Schedule, register

@register({name})
@dataclass({frozen})
class Mine(Schedule):
    {attribute}: {kind} = {default}

    def factor(self, step, clock):
        return 1.0
"""
WORKLOAD = """
from trainscape.workloads import ACCURACY, Metric, workload

@workload({name}, dataset={dataset}, target={default},
          metric=Metric({title}, {way}, {unit}, ACCURACY.compute))
def build():
    from torch import nn

    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
"""
DATASET = """
import numpy as np
from trainscape.datasets import Arrays, dataset

@dataset({name}, train={default}, test={default}, sha256={title})
def make():
    x, y = np.zeros((4, 2)), np.zeros(4, "int64")
    return Arrays(x, y, x, {array})
"""
FILE = """
from trainscape.datasets import npz_dataset, url_dataset

npz_dataset({name}, {title})
"""
ADDRESS = """
from trainscape.datasets import url_dataset

@url_dataset({name}, url={title}, sha256={unit}, train={default}, test=1)
def read(path):
    raise ValueError
"""
WORDS = [
    *("None", "True", "[]", "{}", "()", "object()", "float('nan')", "float('inf')", "print"),
    *("b'x'", "[1, [2]]", "(1, 'a')", "lambda: 1", "type", "__import__('pathlib').Path('a')"),
    *("'max'", "'fraction'", "'mine'", "'digits'", "'0' * 64", "'file:///etc/passwd'", "0.9"),
    *("'https://example.org/../../x'", "'http://example.org/%2e%2e%2fx'", "'https://h/\\x00'"),
]
FINITE = [number for number in NUMBERS if number == number and abs(number) < 1e300]
LITERALS = st.sampled_from([*map(repr, TEXTS), *map(repr, FINITE), *WORDS])
FIELDS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["'mine'"]) | LITERALS,
        "frozen": st.sampled_from(["frozen=True", "", "frozen=True, eq=False", "order=1"]),
        "attribute": st.sampled_from(
            ["speed", "name", "clip_norm", "reacts", "elementwise", "lr", "label"]
        ),
        "kind": st.sampled_from(
            ["float", "int", "'Nope'", "list[int]", "float | None", "object", "str"]
        ),
        "default": LITERALS,
        "dataset": st.sampled_from(["'digits'"]) | LITERALS,
        "title": LITERALS,
        "way": st.sampled_from(["'max'"]) | LITERALS,
        "unit": st.sampled_from(["'fraction'"]) | LITERALS,
        "array": st.sampled_from(
            ["y", "x", "y[:0]", "y - 1", "y.astype(object)", "y * np.nan", "None"]
        ),
    }
)
FORMS = [OPTIMIZER, SCHEDULE, WORKLOAD, DATASET, FILE, ADDRESS]
NUMBER = itertools.count()


def load(folder: Path, text: str) -> str | None:
    """How a plugin is refused when a study imports it."""
    file = folder / f"mine_{next(NUMBER)}.py"
    file.write_text(text, encoding="utf-8", errors="surrogatepass")
    said = answered(lambda: plugins.load([file.name]))
    assert said is None or said.startswith(f"plugins: {file.name}")
    return said


def listed(**keys: Any) -> None:
    """Makes the cells of a study of one."""
    axes = {"optimizer": ["sgd"], "lr": [0.1], "batch_size": [64], **keys.pop("grid", {})}
    raw = {"workloads": ["digits-mlp"], "budget": {"steps": 3}, "grid": axes, **keys}
    grid.cells(study.parse(raw, "params.yaml"))


def loaded(folder: Path, text: str) -> str | None:
    """How a plugin is refused; the part that it registers may be refused as well."""
    with kept(*REGISTRIES):
        said = load(folder, text)
        answered(lambda: listed(grid={"optimizer": ["mine"]}))
        answered(lambda: listed(grid={"schedule": ["mine"]}))
        answered(lambda: listed(workloads=["mine"]))
    return said


@fuzzed(60)
@given(form=st.sampled_from(FORMS), fields=FIELDS)
@example(form=FILE, fields={"name": "'mine'", "title": "'a\\nb'"})
def test_a_spoiled_declaration_is_taken_or_refused(
    folder: Path, form: str, fields: dict[str, str]
) -> None:
    """Names, types and values that no part can have."""
    loaded(folder, form.format(**fields))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"dataset": "[]"}, "dataset: [] is no name of one"),
        ({"default": "''"}, "target: '' is no finite number"),
        ({"default": "float('nan')"}, "target: nan is no finite number"),
        ({"title": "'a' * 5000"}, f"metric name: '{'a' * 78}… {NO_WORD}"),
        ({"title": "3"}, f"metric name: 3 {NO_WORD}"),
        ({"unit": "'a' + chr(10)"}, f"metric unit: 'a\\n' {NO_WORD}"),
    ],
)
def test_a_workloads_declaration_is_checked(folder: Path, given: dict[str, str], why: str) -> None:
    """A dataset that is no name, a target that is no number, and words that fit on no axis."""
    fields = {"name": "'mine'", "dataset": "'digits'", "default": "0.9", "title": "'a'"}
    text = WORKLOAD.format(**{**fields, "way": "'max'", "unit": "'fraction'", **given})
    with kept(*REGISTRIES):
        assert load(folder, text) is None
        said = answered(lambda: listed(workloads=["mine"]))
    assert said == f"workload 'mine', {why}"


@pytest.mark.parametrize("letters", [64, 65, 300])
@pytest.mark.parametrize("form", [OPTIMIZER, SCHEDULE, WORKLOAD])
def test_a_name_is_as_long_as_a_file_name_may_be(folder: Path, form: str, letters: int) -> None:
    """Names become parts of files' names, of which a disk takes 255 bytes."""
    fields = {"frozen": "frozen=True", "attribute": "speed", "kind": "float", "default": "0.9"}
    words = {"dataset": "'digits'", "title": "'a'", "way": "'max'", "unit": "'fraction'"}
    said = loaded(folder, form.format(name=repr("a" * letters), **fields, **words))
    assert (said is None) == (letters <= 64)


@fuzzed(60)
@given(text=st.sampled_from(TEXTS))
@example(text="a" * 300 + ".py")
def test_a_path_that_no_file_can_have_is_refused(folder: Path, text: str) -> None:
    """However long, and whatever it holds."""
    assert (answered(lambda: plugins.load([text])) or "").startswith("plugins: ")
