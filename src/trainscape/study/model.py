"""A study: one parameter file, read and checked in one place.

The model below is the schema (``trainscape schema`` prints it). Names are resolved against the
registries and the grid is made in :mod:`trainscape.cells.grid`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

from trainscape.errors import UserError, shown
from trainscape.study.article import ArticleOrNot  # noqa: TC001  # pydantic reads it at run time
from trainscape.study.axes import Grid
from trainscape.study.complaints import explain
from trainscape.study.design import CheckpointOrNot, ConfirmOrNot, GridOrDesign, Replay
from trainscape.study.values import (
    LARGEST,
    Count,
    Distinct,
    Number,
    Positive,
    Real,
    Seed,
    Share,
    Strict,
    Whole,
    Word,
    axis,
)
from trainscape.study.yaml_file import read_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trainscape.study.complaints import Source

ArticleFigure = Literal["loss-by-batch", "lr-scaling", "trace", "path", "decay", "batch-table"]
SECTIONS = (
    "confirm",
    "grid",
    "range_test",
    "replay",
    "throughput",
)  # whose keys --config replaces singly
LEAST_RISE = 1.001  # from the lowest rate to the highest: less is lost in the rounding of a step
FEWEST, MOST = 30, 1_000_000  # steps of a range test: fewer make no curve, more are a slip


class Budget(Strict):
    """How long each trial trains: epochs or steps, not both."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["epochs"]}, {"required": ["steps"]}]}
    )

    epochs: Whole | None = Field(default=None, description="passes over the training split")
    steps: Whole | None = Field(default=None, description="optimizer steps")

    @model_validator(mode="after")
    def _epochs_or_steps(self) -> Budget:
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
    within: Annotated[float, Field(gt=0, lt=1), Number] = Field(
        default=0.15,
        description="how wide the 95% interval of a step time may be, as a share of it: blocks are "
        "timed until it is as narrow",
    )
    patience: Positive = Field(
        default=1.0,
        description="most seconds of timed blocks per measurement, if these are eight or more; one "
        "that is not known then is noisy",
    )
    block: Positive = Field(
        default=0.01, description="seconds of training in one timed block, at least one step"
    )


class RangeTest(Strict):
    """How learning-rate range tests run: the rate rises geometrically from low to high."""

    model_config = ConfigDict(title="Learning-rate range test")

    enabled: bool = Field(
        default=False,
        description="whether every workload, optimizer and batch size gets one",
    )
    steps: Annotated[int, Field(ge=FEWEST, le=MOST), Number] = Field(
        default=300, description="optimizer steps, each at a higher rate than the one before"
    )
    low: Positive = Field(default=1e-5, description="the first step's learning rate")
    high: Positive = Field(default=10.0, description="the last step's learning rate")

    @model_validator(mode="after")
    def _rises(self) -> RangeTest:
        if self.low >= self.high:
            raise ValueError(f"needs low < high, and {self.low!r} is not below {self.high!r}")
        if not LEAST_RISE <= self.high / self.low < math.inf:
            raise ValueError(f"cannot rise from {self.low!r} to {self.high!r}; choose other ends")
        return self


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
    workloads: Annotated[list[str], axis(), Distinct] = Field(
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
        Annotated[Count, Tag("<count>")] | Annotated[list[Seed], axis(), Distinct, Tag("<list>")],
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
    split: Literal["fixed", "per-seed"] = Field(
        default="fixed",
        description="which examples are held out: fixed, the same for every seed; per-seed, drawn "
        "for each",
    )
    evaluate_every: Positive = Field(
        default=1.0,
        description="passes over the training split between evaluations; may be a fraction",
    )
    trace_every: Annotated[int, Field(ge=0, le=LARGEST), Number] = Field(
        default=0, description="steps between recorded training losses, from the first; 0 for none"
    )
    last_batch: Literal["keep", "drop"] = Field(
        default="keep",
        description="the last batch of an epoch where it is not full: keep trains on it, drop "
        "leaves its examples out of that epoch",
    )
    order: Literal["shuffle", "fixed"] = Field(
        default="shuffle",
        description="of the training examples: shuffle draws one for every seed and epoch, fixed "
        "always takes that of the dataset",
    )
    target: dict[str, Real] = Field(
        default={},
        description="validation metric to reach, by workload; else the workload's own",
        examples=[{"digits-mlp": 0.97}],
    )
    figures: Annotated[list[ArticleFigure], Distinct] = Field(
        default=[],
        description="further figures and tables, beside those that every study has",
        examples=[["loss-by-batch", "lr-scaling"]],
        json_schema_extra={"uniqueItems": True},
    )
    article: ArticleOrNot = Field(
        default=False,
        description="the article that the study repeats, and what it says; false for none",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="auto takes CUDA where there is one"
    )
    checkpoint: CheckpointOrNot = Field(
        default=60.0,
        description="seconds of training that a crash may cost: what trains longer is kept that "
        "often, and goes on from there; false for never",
        examples=[60, 600, False],
    )
    precision: Literal["fp32", "tf32", "bf16"] = Field(
        default="fp32",
        description="of the arithmetic; tf32 needs CUDA, bf16 keeps weights and updates in fp32",
    )
    grid: Grid = Field(default=Grid(), description="the axes")
    design: GridOrDesign = Field(
        default="grid",
        description="which cells of the grid are trained: all, or those that a search proposes",
        examples=["grid", {"method": "tpe", "trials": 60, "rounds": 10, "seed": 0}],
    )
    confirm: ConfirmOrNot = Field(
        default=False,
        description="the best cells train again on fresh seeds, which alone say how good they are; "
        "false for none",
        examples=[False, {"cells": 20, "seeds": 20}],
    )
    margin: Positive = Field(
        default=0.005,
        description="a difference that is as good as none, in the metric's unit: 0.005 are 0.5 "
        "points of accuracy",
    )
    replay: Replay = Field(
        default=Replay(), description="how many cells a search of this grid would have needed"
    )
    throughput: Throughput = Field(default=Throughput(), description="how step times are measured")
    range_test: RangeTest = Field(
        default=RangeTest(),
        description="the loss while the learning rate rises, of every optimizer and batch size",
    )

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
    return _checked(raw, lambda _: where)


def _checked(raw: object, source: Source) -> Study:
    """:func:`parse`, of values that come from more than one place."""
    if raw is None:
        raw = {}
    if not isinstance(raw, Mapping):
        raise UserError(f"{source([])}: holds {shown(raw)}, not parameters; write key: value")
    try:
        return Study.model_validate(raw)
    except ValidationError as error:
        raise explain(error, source, Study) from None


def read(path: Path, overrides: Mapping[str, Any] | None = None) -> Study:
    """Read a parameter file.

    Args:
        path: the file.
        overrides: what ``--config`` gives: replaces values, axis by axis and never mixed in.

    Raises:
        UserError: the file is missing, is not YAML, or is no valid study.
    """
    raw, given = read_yaml(path), overrides or {}
    if raw is None and not given:
        raise UserError(f"{path}: says nothing; write a key at least, such as name: default")
    if isinstance(raw, Mapping | None):
        raw = raw or {}
        raw = {**raw, **{key: _overridden(raw, key, value) for key, value in given.items()}}
    return _checked(raw, lambda place: "--config" if _gives(given, place) else str(path))


def _gives(overrides: Mapping[Any, Any], place: Sequence[int | str]) -> bool:
    """Whether the value at a place, by its keys, came in place of the file's."""
    if not place or place[0] not in overrides:
        return False
    given = overrides[place[0]]
    singly = place[0] in SECTIONS and isinstance(given, Mapping) and len(place) > 1
    return not singly or place[1] in given


def _overridden(raw: Mapping[str, Any], key: str, value: object) -> object:
    """A section's keys are replaced one by one (``grid={lr: [0.1]}`` keeps the other axes)."""
    old = raw.get(key)
    if key in SECTIONS and isinstance(old, Mapping) and isinstance(value, Mapping):
        return {**old, **value}
    return value
