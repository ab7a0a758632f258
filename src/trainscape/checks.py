"""Hyperparameters are held to what their fields declare, and refused in the same words everywhere.

The type of a field says what it takes: ``float``, ``int``, ``bool``, ``str``, one of some words
(``Literal["a", "b"]``), a list (``tuple[float, ...]``), one of several types (``float | None``).
A note beside the type narrows it: ``Annotated[float, "[0, 1)"]`` names the interval of a number,
with a round bracket where the end itself is out; ``Annotated[str, check]`` calls the function
``check`` on the value, which raises a ValueError that says what is wrong. A field of any other type
takes numbers, text, true, false, nothing, and lists of these.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from functools import cache
from types import FunctionType, NoneType, UnionType
from typing import Annotated, Any, ClassVar, Literal, Protocol, Union, get_args, get_origin
from typing import get_type_hints as type_hints

from trainscape.errors import UserError, shown, unknown
from trainscape.numeric import finite, number, parsed

END = r"-?(?:inf|\d[\d.e+-]*)"
INTERVAL = re.compile(rf"[\[(]{END}, ?{END}[\])]")
LISTS = (list, tuple, Sequence, Iterable)
BUILTIN = {kind.__name__: kind for kind in (int, float, bool, str)}


class Named(Protocol):
    """An optimizer or a schedule: a frozen dataclass that is registered under ``name``."""

    name: ClassVar[str]


def refusal(part: Named, key: str, why: str) -> UserError:
    """The error for the field ``key``: part, key and value, then ``why`` with what to choose."""
    return refused(f"{part.name}.{key}", getattr(part, key), why)


def refused(key: str, value: object, why: object) -> UserError:
    """The error for a value: where it stands, the value, and why it is not taken."""
    return UserError(f"{key}: {shown(value)} {why}")


def hold(part: Any) -> None:
    """Hold a part that is being made, from its ``__post_init__``, to its fields' declarations.

    Raises:
        UserError: as :func:`checked`.
    """
    for key, value in checked(type(part), vars(part)).items():
        object.__setattr__(part, key, value)  # a frozen dataclass


def checked(kind: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Every hyperparameter of a part as its field declares it.

    A number may be spelled as text, and has the type of its field, so that 0 and 0.0 are one cell.
    Lists become tuples, however deep: parts are compared and hashed.

    Args:
        kind: the part's class, a dataclass that is registered under a name.
        given: values by field; a field that is not given has its default.

    Raises:
        UserError: a value is not what its field takes, a field without a default has none, or
            there is no such field.
    """
    part = getattr(kind, "name", kind.__name__)
    known = [field.name for field in fields(kind)]
    for name in given:
        if name not in known:
            raise unknown(part, name, known)
    found = {}
    for field in fields(kind):
        if not field.init:
            continue
        factory = field.default_factory
        default = field.default if factory is MISSING else factory()
        value = given.get(field.name, default)
        if value is MISSING:
            raise UserError(f"{part}: {shown(dict(given))} needs the key {field.name!r}")
        key = f"{part}.{field.name}"
        # a default may be what its type does not say, such as None for a number
        found[field.name] = (
            plain(key, value)
            if value is default
            else _read(key, value, declared(kind)[field.name], default)
        )
    return found


@cache
def declared(kind: type) -> dict[str, Any]:
    """The types of a part's fields, by name."""
    try:
        return type_hints(kind, include_extras=True)
    except Exception:  # a plugin's types may be known to type checkers only
        return {f.name: BUILTIN.get(str(f.type), Any) for f in fields(kind)}


def within(value: float, interval: str) -> bool:
    """Whether a number lies in an interval such as ``"[0, 1)"``; NaN and infinities never do."""
    low, high = (float(end) for end in interval[1:-1].split(","))
    above = value > low if interval[0] == "(" else value >= low
    below = value < high if interval[-1] == ")" else value <= high
    return finite(value) and above and below


def plain(key: str, value: Any) -> Any:
    """A value that is compared, hashed and written as JSON without loss: lists as tuples.

    Args:
        key: where it stands, for the message.
        value: what is given.

    Raises:
        UserError: it is, or holds, something else.
    """
    if isinstance(value, list | tuple):
        return tuple(plain(f"{key}[{i}]", item) for i, item in enumerate(value))
    if isinstance(value, float) and not finite(value):
        raise refused(key, value, "is no finite number")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    why = "is no hyperparameter; give a number, text, true, false or a list"
    raise refused(key, value, why)


def undeclared(key: str, value: Any, default: Any) -> Any:
    """A plain value of no declared type: what spells a number is one.

    A whole number takes the type of the default, so that one number is one value however it is
    spelled.

    Raises:
        UserError: as :func:`plain`.
    """
    value = plain(key, value)
    if isinstance(value, tuple):
        alike = isinstance(default, list | tuple) and len(default) == len(value)
        defaults = default if alike else [None] * len(value)
        return tuple(undeclared(f"{key}[{i}]", item, defaults[i]) for i, item in enumerate(value))
    found = parsed(value)
    if found is None:
        return value  # such as the name of a line search
    if not finite(found):
        raise refused(key, value, "is no finite number")
    numeric = isinstance(default, int | float) and not isinstance(default, bool)
    return type(default)(found) if numeric and float(found).is_integer() else found


def _read(key: str, value: Any, hint: Any, default: Any = None) -> Any:
    """The value as a field of the type ``hint`` takes it."""
    notes: list[Any] = []
    if get_origin(hint) is Annotated:
        hint, *notes = get_args(hint)
    kind, inner = get_origin(hint) or hint, get_args(hint)
    for check in notes:
        if isinstance(check, FunctionType):
            return _passed(key, value, check)
    if kind is Literal:
        return _one_of(key, value, inner)
    if kind in (Union, UnionType):
        return _first_that_fits(key, value, inner, default)
    for note in notes:
        if kind in (int, float) and isinstance(note, str) and INTERVAL.fullmatch(note):
            return _in_interval(key, value, kind, note)
    if value is None and kind in (*BUILTIN.values(), *LISTS):
        raise UserError(f"{key}: is empty; give it a value or remove the key")
    if kind in BUILTIN.values():
        return _number(key, value, kind) if kind in (int, float) else _exactly(key, value, kind)
    return _list(key, value, kind, inner) if kind in LISTS else undeclared(key, value, default)


def _passed(key: str, value: Any, check: FunctionType) -> Any:
    try:
        check(value)
    except ValueError as error:
        raise refused(key, value, error) from None
    return value


def _one_of(key: str, value: object, choices: Sequence[Any]) -> Any:
    for choice in choices:
        if choice in (value, parsed(value)) and isinstance(choice, bool) == isinstance(value, bool):
            return choice
    raise unknown(key, value, map(str, choices))


def _first_that_fits(key: str, value: Any, hints: Sequence[Any], default: Any) -> Any:
    if value is None and NoneType in hints:
        return None
    errors = []
    some = [hint for hint in hints if hint is not NoneType]
    for hint in sorted(some, key=lambda hint: hint is not type(value)):  # a text stays a text
        try:
            return _read(key, value, hint, default)
        except UserError as error:
            errors.append(error)
    raise errors[0]


def _in_interval(key: str, value: object, kind: type, interval: str) -> Any:
    found = parsed(value)
    fits = found is not None and within(found, interval)
    if found is not None and fits and (kind is float or float(found).is_integer()):
        return kind(found)
    if kind is int:
        low, high = interval[1:-1].split(",")
        which = f"from {low}" if high.strip() == "inf" else f"in {interval}"
        raise refused(key, value, f"is no whole number {which}; choose one")
    if found is None:
        raise refused(key, value, f"is no number; choose one in {interval}")
    raise refused(key, value, f"is out of range; choose a number in {interval}")


def _number(key: str, value: object, kind: type) -> Any:
    try:
        found = number(value)
    except ValueError as error:
        raise refused(key, value, error) from None
    if kind is int and not float(found).is_integer():
        raise refused(key, value, "is no whole number")
    return kind(found)


def _exactly(key: str, value: object, kind: type) -> Any:
    if isinstance(value, kind):
        return value
    if kind is bool:
        raise refused(key, value, "is neither true nor false; choose one")
    raise refused(key, value, "is no text; put it in quotes")


def _list(key: str, value: Any, kind: type, inner: Sequence[Any]) -> tuple[Any, ...]:
    given = isinstance(value, list | tuple)
    fixed = kind is tuple and bool(inner) and inner[-1] is not Ellipsis
    if fixed and not (given and len(value) == len(inner)):
        raise refused(key, value, f"is no list of {len(inner)} values")
    if not given:
        advice = "" if isinstance(value, Mapping) else f"; write [{shown(value)}]"
        raise refused(key, value, f"is no list{advice}")
    hints = inner if fixed else (list(inner[:1]) or [Any]) * len(value)
    return tuple(
        _read(f"{key}[{i}]", item, hint)
        for i, (item, hint) in enumerate(zip(value, hints, strict=True))
    )
