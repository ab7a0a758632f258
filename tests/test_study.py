"""The parameter file: what it may say, its defaults, and its schema."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from kit.refused_studies import ABOVE
from trainscape import study
from trainscape.cells import grid
from trainscape.errors import UserError
from trainscape.study import Study, parse, read
from trainscape.study.axes import Grid, Log

if TYPE_CHECKING:
    from pydantic import BaseModel

ROOT = Path(__file__).resolve().parents[1]
PARAMS = ROOT / "params.yaml"


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n", "null"])
def test_an_empty_file_is_refused(tmp_path: Path, text: str) -> None:
    """A file that was cut off, or never written, is no wish for the defaults."""
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(
        UserError, match=r"study\.yaml: says nothing; write a key at least, such as"
    ):
        read(path)


def test_a_study_without_keys_is_all_defaults(tmp_path: Path) -> None:
    """Braces say that nothing is meant to be said: all is as the schema has it."""
    path = tmp_path / "study.yaml"
    path.write_text("{}")
    assert read(path) == Study()


def test_the_default_study_is_valid() -> None:
    """The schema's defaults pass its own checks, names and grid included."""
    plain = json.loads(Study().model_dump_json(exclude_none=True))
    assert parse(plain, "defaults") == Study()
    assert len(grid.cells(Study())) == 27


def test_a_key_left_out_has_the_schemas_default(tmp_path: Path) -> None:
    """Another study inherits nothing from params.yaml: it is a whole study by itself."""
    path = tmp_path / "study.yaml"
    path.write_text("grid: {lr: [0.5]}\n")
    found = read(path)
    assert found.grid.lr == [0.5]
    assert (found.budget, found.seeds) == (Study().budget, Study().seeds)
    assert found.grid.optimizer == ["sgd", "momentum", "adam"]
    assert found.budget.spec() == {"epochs": 10}
    assert read(PARAMS).budget.spec() != found.budget.spec(), "or this test shows nothing"


STUDIES = [path for path in sorted(ROOT.glob("studies/*.yaml")) if path.name != "dvc.yaml"]


@pytest.mark.parametrize("path", [PARAMS, *STUDIES], ids=lambda p: p.stem)
def test_the_studies_here_are_valid(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """params.yaml and every further study load, pass the schema and give cells."""
    monkeypatch.chdir(ROOT)
    assert grid.cells(read(path))
    Draft202012Validator(study.schema()).validate(yaml_1_2(path))


def yaml_1_2(path: Path) -> Any:
    """A parameter file as editors read it: ``1e-3`` is a number to them."""
    text = re.sub(r"\b(\d+)(e[-+]?\d+)\b", r"\1.0\2", path.read_text())
    return yaml.safe_load(text)


def test_every_key_is_in_params_yaml_with_a_comment() -> None:
    """The file that users edit shows every key there is, each below its explanation."""
    lines = PARAMS.read_text().splitlines()
    shown = [re.match(r"( *)(\w+):", line) for line in lines]
    keys = {m[2]: i for i, m in enumerate(shown) if m and len(m[1]) <= 2}
    sections: list[type[BaseModel]] = [Study, Grid, study.Throughput]
    wanted = {key for section in sections for key in section.model_fields}
    assert wanted - keys.keys() == set()
    bare = [key for key in wanted if not lines[keys[key] - 1].lstrip().startswith("# ")]
    assert bare == []


@pytest.mark.parametrize(
    ("raw", "key", "value"),
    [
        ({"seeds": "3"}, "seeds", 3),
        ({"seeds": "1e1"}, "seeds", 10),
        ({"seeds": ["0", "7"]}, "seeds", [0, 7]),
        ({"validation": "1e-1"}, "validation", 0.1),
        ({"evaluate_every": " 0.5 "}, "evaluate_every", 0.5),
        ({"target": {"digits-mlp": "9e-1"}}, "target", {"digits-mlp": 0.9}),
        ({"budget": {"epochs": "3"}}, "budget", study.Budget(epochs=3)),
        ({"budget": {"steps": "1e3"}}, "budget", study.Budget(steps=1000)),
        ({"throughput": {"block": "1e-3"}}, "throughput", study.Throughput(block=0.001)),
        ({"throughput": {"within": "5e-2"}}, "throughput", study.Throughput(within=0.05)),
        ({"grid": {"lr": ["1e-3", "3"]}}, "grid", Grid(lr=[0.001, 3.0])),
        ({"grid": {"batch_size": ["16", 32.0]}}, "grid", Grid(batch_size=[16, 32])),
        (
            {"grid": {"lr": {"log": ["1e-3", "1", "4"]}}},
            "grid",
            Grid(lr=Log(log=(0.001, 1.0, 4))),
        ),
        (
            {"grid": {"lr": {"sgd": ["1e-3"], "adam": {"log": ["1e-3", 1, "4"]}}}},
            "grid",
            Grid(lr={"sgd": [0.001], "adam": Log(log=(0.001, 1.0, 4))}),
        ),
    ],
)
def test_numbers_may_come_as_text(raw: dict[str, Any], key: str, value: object) -> None:
    """What YAML or a command line hands over as text counts as the number it spells, everywhere."""
    assert getattr(parse(raw, "test"), key) == value


def test_merge_keys_are_yaml(tmp_path: Path) -> None:
    """Anchors and merges work, and a key beside a merge overrides it without being a duplicate."""
    path = tmp_path / "study.yaml"
    path.write_text(
        "grid:\n  optimizer:\n    - &heavy {name: momentum, momentum: 0.95, label: heavy}\n"
        "    - {<<: *heavy, momentum: 0.99, label: heavier}\n  lr: [0.1]\n"
    )
    labels = [(c.optimizer.label, c.optimizer.params["momentum"]) for c in grid.cells(read(path))]
    assert set(labels) == {("heavy", 0.95), ("heavier", 0.99)}


def test_an_override_replaces(tmp_path: Path) -> None:
    """A value from the command line takes a key's place; nothing of the old value is left in it."""
    path = tmp_path / "study.yaml"
    path.write_text(
        "seeds: 5\nbudget: {epochs: 3}\ntarget: {digits-mlp: 0.9}\nthroughput: {patience: 7}\n"
        "range_test: {steps: 50}\n"
        "grid:\n  optimizer: [sgd]\n  batch_size: [32]\n  lr: {sgd: [0.1], adam: [0.01]}\n"
    )
    changed = read(
        path,
        {
            "seeds": "2",
            "budget": {"steps": "100"},
            "target": {},
            "grid": {"lr": {"sgd": ["1e-1"]}},
            "throughput": {"enabled": False},
            "range_test": {"enabled": True},
        },
    )
    assert (changed.seeds, changed.budget.spec(), changed.target) == (2, {"steps": 100}, {})
    assert changed.grid.lr == {"sgd": [0.1]}
    assert changed.grid.batch_size == [32], "the other axes are other keys"
    assert changed.throughput == study.Throughput(enabled=False, patience=7)
    assert changed.range_test == study.RangeTest(enabled=True, steps=50)


def test_an_override_is_checked_like_the_file(tmp_path: Path) -> None:
    """Bad values and unknown keys get the same answer, which names who gave them."""
    path = tmp_path / "study.yaml"
    cases: list[tuple[str, dict[Any, Any], str]] = [
        ("", {"sedes": 3}, "--config: unknown 'sedes'; did you mean 'seeds'?"),
        ("", {3: 3}, f"--config: unknown 3; choose from: {', '.join(sorted(Study.model_fields))}"),
        ("", {"grid": {"lr": ["0"]}}, "--config: grid.lr[0]: 0 {above}"),
        ("", {"grid": 3}, "--config: grid: 3 is no mapping; write {key: value}"),
        ("seeds: 0", {"margin": 1}, "{path}: seeds: 0 {above}"),
        ("margin: 1", {"margin": "0"}, "--config: margin: 0 {above}"),
        ("grid: {lr: [0]}", {"grid": {"optimizer": ["sgd"]}}, "{path}: grid.lr[0]: 0 {above}"),
        ("budget: {epochs: 1}", {"budget": {"steps": 0}}, "--config: budget.steps: 0 {above}"),
        ("- a", {"margin": 1}, "{path}: holds ['a'], not parameters; write key: value"),
    ]
    for held, overrides, message in cases:
        path.write_text(held)
        with pytest.raises(UserError) as error:
            read(path, overrides)
        wanted = message.replace("{path}", str(path)).replace("{above}", ABOVE)
        assert str(error.value) == wanted


def test_seeds_are_a_count_or_a_list() -> None:
    """A count means 0, 1, …; a list is taken in its order."""
    assert parse({"seeds": 3}, "test").seed_list() == (0, 1, 2)
    assert parse({"seeds": [7, 0]}, "test").seed_list() == (7, 0)


@pytest.mark.parametrize(
    ("log", "rates"),
    [
        ((0.001, 1, 4), [0.001, 0.01, 0.1, 1.0]),
        ((0.03, 3, 5), [0.03, 0.09487, 0.3, 0.9487, 3.0]),
        ((0.1, 0.2, 2), [0.1, 0.2]),
        ((0.0123456, 0.123456, 3), [0.0123456, 0.03904, 0.123456]),
        ((1e-300, 1e300, 3), [1e-300, 1.0, 1e300]),
    ],
)
def test_a_logarithmic_range_is_written_out(
    log: tuple[float, float, int], rates: list[float]
) -> None:
    """Equal ratios, four digits within, the ends as given."""
    assert Log(log=log).values() == rates


@given(
    low=st.floats(1e-30, 1e20),
    ratio=st.floats(1.2, 1e30),
    n=st.integers(2, 60),
)
def test_logarithmic_ranges_rise_from_low_to_high(low: float, ratio: float, n: int) -> None:
    """There are n rates, strictly rising, the first low and the last high, or one clear refusal."""
    try:
        made = parse({"grid": {"lr": {"log": [low, low * ratio, n]}}}, "test").grid.lr
    except UserError as error:
        assert "choose a smaller n" in str(error)
        assert ratio ** (1 / (n - 1)) < 1.01
        return
    assert isinstance(made, Log)
    rates = made.values()
    assert len(rates) == n
    assert (rates[0], rates[-1]) == (low, low * ratio)
    assert rates == sorted(set(rates))
    steps = [b / a for a, b in pairwise(rates)]
    assert all(abs(step / ratio ** (1 / (n - 1)) - 1) < 2e-3 for step in steps)


def test_the_committed_schema_is_the_schema() -> None:
    """docs/schema.json is what ``trainscape schema`` prints; after a change, write it anew."""
    committed = json.loads((ROOT / "docs" / "schema.json").read_text(encoding="utf-8"))
    assert committed == study.schema(), "run: trainscape schema > docs/schema.json"


def test_the_schema_is_a_schema() -> None:
    """It is valid JSON schema with words for every key, closed everywhere but in entries."""
    schema = study.schema()
    Draft202012Validator.check_schema(schema)
    parts = [schema, *schema["$defs"].values()]
    assert all(part["title"] and part["description"] for part in parts)
    for part in parts:
        entry = part["title"].endswith("with hyperparameters")
        assert part["additionalProperties"] is entry
        assert all(value["description"] for value in part["properties"].values())
    text = json.dumps(schema)
    assert not re.search(r'"<|null|"(gt|ge|lt|le)":|discriminator', text)


def test_the_schemas_examples_and_defaults_are_valid() -> None:
    """What the schema shows passes the schema and the model."""
    schema = study.schema()
    validator = Draft202012Validator(schema)
    grid_keys = schema["$defs"]["Grid"]["properties"]
    shown = [({key: x}, key) for key, value in schema["properties"].items() for x in both(value)]
    shown += [({"grid": {key: x}}, key) for key, value in grid_keys.items() for x in both(value)]
    assert len(shown) > 25
    for raw, key in shown:
        validator.validate(raw)
        assert parse(raw, key)


def both(value: dict[str, Any]) -> list[Any]:
    """A key's examples and default."""
    return [*value.get("examples", []), *([value["default"]] if "default" in value else [])]
