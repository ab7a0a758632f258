"""A study: one parameter file, read and checked in one place.

The model below is the schema (``trainscape schema`` prints it). Names are resolved against the
registries and the grid is made in :mod:`trainscape.grid`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from trainscape.complaints import explain, shown
from trainscape.errors import UserError
from trainscape.yaml_file import read_yaml

if TYPE_CHECKING:
    from pathlib import Path

WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
MANY = 10_000  # seeds, or rates in a range: more is a slip, and would only fill the memory


def number(value: object) -> object:
    """Numbers as numbers: YAML reads ``1e-3`` as text, and Python takes ``true`` for 1.

    Raises:
        ValueError: it is a truth value, text that is no number, or not finite; says so.
    """
    if isinstance(value, bool):
        raise ValueError("is true or false; give a number")
    if isinstance(value, str):
        try:
            value = float(value) if re.search(r"[.einf]", value.lower()) else int(value)
        except ValueError:
            raise ValueError("is no number") from None
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("is no finite number")
    return value


def _word(value: str) -> str:
    if not WORD.fullmatch(value):
        raise ValueError(
            "is no file name; choose letters, digits, '.', '_' and '-', a letter or digit first"
        )
    return value


def _distinct(values: list[Any]) -> list[Any]:
    for i, value in enumerate(values):
        if value in values[:i]:
            raise ValueError(f"names {value!r} twice; remove one")
    return values


Number = BeforeValidator(number)
Distinct = AfterValidator(_distinct)
Whole = Annotated[int, Field(gt=0), Number]
Count = Annotated[int, Field(gt=0, le=MANY), Number]
Seed = Annotated[int, Field(ge=0, lt=1 << 63), Number]
Real = Annotated[float, Number]
Positive = Annotated[float, Field(gt=0), Number]
Share = Annotated[float, Field(ge=0, lt=1), Number]
Word = Annotated[
    str, AfterValidator(_word), Field(json_schema_extra={"pattern": f"^{WORD.pattern}$"})
]


def _axis(**words: Any) -> Any:
    """A list that has to hold something; distinct values, as the schema says it."""
    return Field(min_length=1, json_schema_extra={"uniqueItems": True}, **words)


class Strict(BaseModel):
    """A mapping that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Entry(BaseModel):
    """An optimizer or schedule with hyperparameters: any further key is one of them."""

    model_config = ConfigDict(extra="allow", frozen=True, title="Name with hyperparameters")

    name: str = Field(description="the optimizer or schedule")
    label: Word | None = Field(
        default=None, description="what figures, tables and paths call it; default: its name"
    )


class OptimizerEntry(BaseModel):
    """An optimizer, of this project or any of torch's, with hyperparameters: any further key."""

    model_config = ConfigDict(
        extra="allow",
        frozen=True,
        title="Optimizer with hyperparameters",
        json_schema_extra={"oneOf": [{"required": ["name"]}, {"required": ["torch"]}]},
    )

    name: str | None = Field(default=None, description="an optimizer of this project or a plugin")
    torch: str | None = Field(
        default=None,
        description="or the import path of any torch.optim.Optimizer: package.module.Class",
        examples=["torch.optim.NAdam", "schedulefree.AdamWScheduleFree"],
    )
    label: Word | None = Field(
        default=None,
        description="what figures, tables and paths call it; default: its name, or the class's in "
        "lower case",
    )

    @model_validator(mode="after")
    def _one(self) -> OptimizerEntry:
        if self.name is not None and self.torch is not None:
            raise ValueError("gives both 'name' and 'torch'; remove one")
        if self.name is None and self.torch is None:
            raise ValueError(f"needs either 'name' or 'torch'{self._misspelt()}")
        return self

    def _misspelt(self) -> str:
        for key in self.model_extra or {}:
            near = get_close_matches(key, ("name", "torch"), n=1)
            if near:
                return f"; did you mean {near[0]!r} by {key!r}?"
        return ""


class Log(Strict):
    """Rates from low to high at equal ratios, to four digits: {log: [low, high, n]}."""

    model_config = ConfigDict(title="Logarithmic range")

    log: tuple[Positive, Positive, Annotated[int, Field(ge=2, le=MANY), Number]] = Field(
        title="low, high, n", description="first rate, last rate, how many"
    )

    @field_validator("log", mode="before")
    @classmethod
    def _three(cls, value: object) -> object:
        if not isinstance(value, list | tuple) or len(value) != 3:
            raise ValueError("needs three numbers: [low, high, n]")
        return value

    @model_validator(mode="after")
    def _rising(self) -> Log:
        low, high, n = self.log
        if low >= high:
            raise ValueError("needs low < high in [low, high, n]")
        if len(set(self.values())) < n:
            raise ValueError(f"holds no {n} rates that differ in four digits; choose a smaller n")
        return self

    def values(self) -> list[float]:
        """The rates, rising; the ends are as given."""
        low, high, n = self.log
        inner = (low ** (1 - i / (n - 1)) * high ** (i / (n - 1)) for i in range(1, n - 1))
        return [low, *(min(max(float(f"{rate:.4g}"), low), high) for rate in inner), high]


def _form(value: object) -> str | None:
    if isinstance(value, Mapping):
        return "<log>" if "log" in value else "<per optimizer>"
    if isinstance(value, Log):
        return "<log>"
    return "<list>" if isinstance(value, list | tuple) else None


def _entry_form(value: object) -> str | None:
    if isinstance(value, Mapping | Entry | OptimizerEntry):
        return "<entry>"
    return "<name>" if isinstance(value, str) else None


def _choice(form: Any, otherwise: str) -> Discriminator:
    """Tells the forms of a value apart by ``form``; ``otherwise`` follows a value of none."""
    return Discriminator(form, custom_error_type="form", custom_error_message=otherwise)


RateList = Annotated[list[Positive], _axis(), Distinct]
Rates = Annotated[
    Annotated[RateList, Tag("<list>")] | Annotated[Log, Tag("<log>")],
    _choice(
        lambda value: None if _form(value) == "<per optimizer>" else _form(value),
        "is neither a list of rates nor {log: [low, high, n]}",
    ),
]
PartEntry = Annotated[
    Annotated[str, Tag("<name>")] | Annotated[Entry, Tag("<entry>")],
    _choice(_entry_form, "is neither a name nor {name: ..., label: ...}"),
]
Parts = Annotated[list[PartEntry], _axis()]
Size = Annotated[
    Annotated[Whole, Tag("<number>")] | Annotated[Literal["full"], Tag("<full>")],
    Discriminator(lambda value: "<full>" if value == "full" else "<number>"),
]
OptimizerPart = Annotated[
    Annotated[str, Tag("<name>")] | Annotated[OptimizerEntry, Tag("<entry>")],
    _choice(_entry_form, "is none of: a name, {name: ..., label: ...}, {torch: ..., label: ...}"),
]


class Grid(Strict):
    """The axes whose product is the grid."""

    optimizer: Annotated[list[OptimizerPart], _axis()] = Field(
        default=["sgd", "momentum", "adam"],
        description="names, or names with hyperparameters and a label; torch: package.module.Class "
        "in place of a name takes any torch.optim.Optimizer",
        examples=[
            ["sgd", {"name": "momentum", "momentum": 0.95, "label": "heavy"}],
            [{"torch": "torch.optim.NAdam", "momentum_decay": 0.01, "label": "nadam"}],
        ],
    )
    batch_size: Annotated[list[Size], _axis(), Distinct] = Field(
        default=[16, 64, 256],
        description="examples a step; full for the whole training split",
        examples=[[32, 128], [1, 64, "full"]],
    )
    lr: Annotated[
        Annotated[RateList, Tag("<list>")]
        | Annotated[Log, Tag("<log>")]
        | Annotated[
            dict[str, Rates],
            Tag("<per optimizer>"),
            Field(json_schema_extra={"propertyNames": {"not": {"const": "log"}}}),
        ],
        _choice(
            _form,
            "is no list of rates, {log: [low, high, n]} or one of these for each optimizer",
        ),
    ] = Field(
        default=[0.001, 0.01, 0.1],
        title="Learning rate",
        description="peak learning rates: a list, {log: [low, high, n]}, "
        "or one of these for each optimizer, by label",
        examples=[
            [0.01, 0.1],
            {"log": [0.001, 0.1, 3]},
            {"sgd": [0.1], "adam": {"log": [0.001, 0.1, 3]}},
        ],
    )
    schedule: Parts = Field(
        default=["constant"],
        description="factors on the peak rate: names, or names with hyperparameters and a label",
        examples=[["constant", {"name": "cosine", "warmup": "10%", "label": "warm-cosine"}]],
    )


class Budget(Strict):
    """How long each trial trains: epochs or steps, not both."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["epochs"]}, {"required": ["steps"]}]}
    )

    epochs: Whole | None = Field(default=None, description="passes over the training split")
    steps: Whole | None = Field(default=None, description="optimizer steps")

    @model_validator(mode="after")
    def _one(self) -> Budget:
        if self.epochs is None and self.steps is None:
            raise ValueError("needs either 'epochs' or 'steps'")
        if self.epochs is not None and self.steps is not None:
            raise ValueError("gives both 'epochs' and 'steps'; remove one")
        return self

    def spec(self) -> dict[str, int]:
        """The budget as plain data, with the one key that is given."""
        return self.model_dump(exclude_none=True)


class Throughput(Strict):
    """How step times are measured."""

    enabled: bool = Field(
        default=True, description="whether to measure; without it, time columns stay empty"
    )
    rounds: Whole = Field(
        default=20, description="timed blocks per measurement, whose median and IQR are kept"
    )
    block: Positive = Field(
        default=0.02, description="seconds of training in one timed block, at least one step"
    )


class Study(Strict):
    """A study, as its parameter file states it."""

    name: Word = Field(default="default", description="owns the output folder")
    output: str = Field(
        default="results",
        min_length=1,
        description="folder of the results, relative to the project",
    )
    plugins: Annotated[list[str], Distinct] = Field(
        default=[],
        description="Python files with own datasets, workloads, optimizers or schedules",
        examples=[["my_optimizer.py"]],
        json_schema_extra={"uniqueItems": True},
    )
    workloads: Annotated[list[str], _axis(), Distinct] = Field(
        default=["digits-mlp"],
        description="dataset + model + loss + metric + target",
        examples=[["digits-mlp", "digits-cnn"]],
    )
    budget: Budget = Field(
        default=Budget(epochs=10),
        description="how long each trial trains",
        examples=[{"epochs": 15}, {"steps": 2000}],
    )
    seeds: Annotated[
        Annotated[Count, Tag("<count>")] | Annotated[list[Seed], _axis(), Distinct, Tag("<list>")],
        Discriminator(lambda value: "<list>" if isinstance(value, list | tuple) else "<count>"),
    ] = Field(
        default=3,
        description="how many seeds (0, 1, …), or a list of them",
        examples=[3, [0, 7]],
    )
    validation: Share = Field(
        default=0.2,
        description="share of the training split that is held out to select by; 0 for none",
    )
    evaluate_every: Positive = Field(
        default=1.0,
        description="passes over the training split between evaluations; may be a fraction",
    )
    trace_every: Annotated[int, Field(ge=0), Number] = Field(
        default=0, description="steps between recorded training losses, from the first; 0 for none"
    )
    target: dict[str, Real] = Field(
        default={},
        description="validation metric to reach, by workload; else the workload's own",
        examples=[{"digits-mlp": 0.97}],
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="auto takes CUDA where there is one"
    )
    precision: Literal["fp32", "tf32", "bf16"] = Field(
        default="fp32",
        description="of the arithmetic; tf32 needs CUDA, bf16 keeps weights and updates in fp32",
    )
    grid: Grid = Field(default=Grid(), description="the axes")
    throughput: Throughput = Field(default=Throughput(), description="how step times are measured")

    def seed_list(self) -> tuple[int, ...]:
        """The seeds, one trial of every cell each."""
        return tuple(self.seeds) if isinstance(self.seeds, list) else tuple(range(self.seeds))


def schema() -> dict[str, Any]:
    """The JSON schema of a parameter file, for editors: keys, defaults, what they mean."""
    made: dict[str, Any] = _without_null(Study.model_json_schema())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def _without_null(value: Any) -> Any:
    """A schema in which a key is left out rather than null, as people write parameter files."""
    if isinstance(value, list):
        return [_without_null(item) for item in value if item != {"type": "null"}]
    if not isinstance(value, dict):
        return value
    kept = {key: _without_null(item) for key, item in value.items() if item is not None}
    only = kept.pop("anyOf", [])
    return {**only[0], **kept} if len(only) == 1 else {**kept, **({"anyOf": only} if only else {})}


def parse(raw: object, where: str) -> Study:
    """Check plain data and make the study of it.

    Args:
        raw: what a parameter file holds.
        where: the file's name, for messages.

    Raises:
        UserError: names the first key that is wrong, its value, and what it may be.
    """
    if raw is None:
        raw = {}
    if not isinstance(raw, Mapping):
        raise UserError(f"{where}: holds {shown(raw)}, not parameters; write key: value")
    try:
        return Study.model_validate(raw)
    except ValidationError as error:
        raise explain(error, where, Study) from None


def read(path: Path, overrides: Mapping[str, Any] | None = None) -> Study:
    """Read a parameter file; ``overrides`` replace its values, axis by axis and never mixed in.

    Raises:
        UserError: the file is missing, is not YAML, or is no valid study.
    """
    raw = read_yaml(path)
    if overrides and isinstance(raw, Mapping | None):
        raw = raw or {}
        raw = {**raw, **{key: _override(raw, key, value) for key, value in overrides.items()}}
    return parse(raw, str(path))


def _override(raw: Mapping[str, Any], key: str, value: object) -> object:
    """A section's keys are replaced one by one (``grid={lr: [0.1]}`` keeps the other axes)."""
    old = raw.get(key)
    if key in ("grid", "throughput") and isinstance(old, Mapping) and isinstance(value, Mapping):
        return {**old, **value}
    return value
