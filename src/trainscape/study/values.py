"""The kinds of values a study holds: numbers however spelled, words that name files, lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
)

from trainscape.errors import shown
from trainscape.numeric import number
from trainscape.registry import NAME, NAME_HOLDS

if TYPE_CHECKING:
    from collections.abc import Callable

LARGEST = 10**12  # of a whole number: steps that no one lives to see
MANY = 10_000  # seeds, or rates in a range: more is a slip, and would only fill the memory


def _number(value: object) -> object:
    """What is one value as a number; of lists and mappings the model says that they are none."""
    return number(value) if isinstance(value, bool | int | float | str) else value


def _file_name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise ValueError(f"is no file name; choose {NAME_HOLDS}")
    return value


def _distinct(values: list[Any]) -> list[Any]:
    seen = set()
    for value in values:
        if value in seen:
            raise ValueError(f"names {shown(value)} twice; remove one")
        seen.add(value)
    return values


Number = BeforeValidator(_number)
Distinct = AfterValidator(_distinct)
Whole = Annotated[int, Field(gt=0, le=LARGEST), Number]
Count = Annotated[int, Field(gt=0, le=MANY), Number]
Seed = Annotated[int, Field(ge=0, lt=1 << 63), Number]
Real = Annotated[float, Number]
Positive = Annotated[float, Field(gt=0), Number]
Share = Annotated[float, Field(ge=0, lt=1), Number]
Word = Annotated[
    str, AfterValidator(_file_name), Field(json_schema_extra={"pattern": f"^{NAME.pattern}$"})
]


# The alternative to false in the key's own type bears the tag "<given>".
No = Annotated[Literal[False], BeforeValidator(lambda _: False), Tag("<none>")]


def or_no(is_given: Callable[[Any], bool], advice: str) -> Discriminator:
    """Tells false, which ``--config confirm=false`` gives as a word, from what is there instead.

    Args:
        is_given: whether a value has the alternative's form.
        advice: what is said of a value that is neither.
    """

    def tag(value: object) -> str | None:
        if value is False or (isinstance(value, str) and value.casefold() == "false"):
            return "<none>"
        return "<given>" if is_given(value) else None

    return Discriminator(tag, custom_error_type="form", custom_error_message=advice)


def axis(**words: Any) -> Any:
    """A list that has to hold something; distinct values, as the schema says it."""
    return Field(min_length=1, json_schema_extra={"uniqueItems": True}, **words)


class Strict(BaseModel):
    """A mapping that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)
