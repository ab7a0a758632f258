"""The axes of a study's grid, in the forms that a parameter file may give them."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from trainscape.errors import near
from trainscape.study.values import MANY, Distinct, Number, Positive, Strict, Whole, Word, axis


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
    clip_norm: Positive | None = Field(
        default=None,
        description="longest gradient of all parameters together: a longer one is scaled to it, as "
        "by torch's clip_grad_norm_; default: none is",
    )

    @model_validator(mode="after")
    def _name_or_torch(self) -> OptimizerEntry:
        if self.name is not None and self.torch is not None:
            raise ValueError("gives both 'name' and 'torch'; remove one")
        if self.name is None and self.torch is None:
            raise ValueError(f"needs either 'name' or 'torch'{self._misspelt_key()}")
        return self

    def _misspelt_key(self) -> str:
        """Advice, where a further key is nearly one of the two that are missing."""
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
    def _are_three_numbers(cls, value: object) -> object:
        if not isinstance(value, list | tuple) or len(value) != 3:
            raise ValueError("needs three numbers: [low, high, n]")
        return value

    @model_validator(mode="after")
    def _rises(self) -> Log:
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


def _form_of_rates(value: object) -> str | None:
    if isinstance(value, Mapping):
        return "<log>" if "log" in value else "<per optimizer>"
    if isinstance(value, Log):
        return "<log>"
    return "<list>" if isinstance(value, list | tuple) else None


def _form_of_entry(value: object) -> str | None:
    if isinstance(value, Mapping | Entry | OptimizerEntry):
        return "<entry>"
    return "<name>" if isinstance(value, str) else None


def _choice(form: Any, otherwise: str) -> Discriminator:
    """Choose among the forms of a value.

    Args:
        form: gives the tag of a value's form, None for a value of no form.
        otherwise: what is said, after the value, of a value of no form.
    """
    return Discriminator(form, custom_error_type="form", custom_error_message=otherwise)


RateList = Annotated[list[Positive], axis(), Distinct]
Rates = Annotated[
    Annotated[RateList, Tag("<list>")] | Annotated[Log, Tag("<log>")],
    _choice(
        lambda value: None if _form_of_rates(value) == "<per optimizer>" else _form_of_rates(value),
        "is neither a list of rates nor {log: [low, high, n]}",
    ),
]
PartEntry = Annotated[
    Annotated[str, Tag("<name>")] | Annotated[Entry, Tag("<entry>")],
    _choice(_form_of_entry, "is neither a name nor {name: ..., label: ...}"),
]
Parts = Annotated[list[PartEntry], axis()]
Size = Annotated[
    Annotated[Whole, Tag("<number>")] | Annotated[Literal["full"], Tag("<full>")],
    Discriminator(
        lambda value: "<full>" if isinstance(value, str) and near(value, ["full"]) else "<number>"
    ),
]
OptimizerPart = Annotated[
    Annotated[str, Tag("<name>")] | Annotated[OptimizerEntry, Tag("<entry>")],
    _choice(
        _form_of_entry, "is none of: a name, {name: ..., label: ...}, {torch: ..., label: ...}"
    ),
]


class Grid(Strict):
    """The axes whose product is the grid."""

    optimizer: Annotated[list[OptimizerPart], axis()] = Field(
        default=["sgd", "momentum", "adam"],
        description="names, or names with hyperparameters and a label; torch: package.module.Class "
        "in place of a name takes any torch.optim.Optimizer",
        examples=[
            ["sgd", {"name": "momentum", "momentum": 0.95, "label": "heavy"}],
            [{"torch": "torch.optim.NAdam", "momentum_decay": 0.01, "label": "nadam"}],
        ],
    )
    batch_size: Annotated[list[Size], axis(), Distinct] = Field(
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
            _form_of_rates,
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
