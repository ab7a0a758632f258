"""Turns what pydantic finds wrong with a parameter file into one line for a person."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, get_args

from pydantic import BaseModel

from trainscape.errors import ALIASES, UserError, near, shown, unknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    Source = Callable[[list[int | str]], str]

TAG = re.compile("<[a-z ]+>")  # of a form, such as <list>

# What pydantic finds wrong, by its name for it, in words that follow the value.
COMPLAINTS = {
    "bool_parsing": "is neither true nor false; choose one",
    "bool_type": "is neither true nor false; choose one",
    "dict_type": "is no mapping; write {{key: value}}",
    "float_type": "is no number",
    "greater_than": "is out of range; choose a number above {gt:g}",
    "greater_than_equal": "is out of range; choose {ge:g} or more",
    "int_from_float": "is no whole number",
    "int_type": "is no whole number",
    "less_than": "is out of range; choose a number below {lt:g}",
    "less_than_equal": "is out of range; choose {le:g} or less",
    "list_type": "is no list; write [{value}]",
    "model_type": "is no mapping; write {{key: value}}",
    "string_type": "is no text; put it in quotes",
    "value_error": "{error}",
}


def _complaint(error: ValidationError) -> str:
    """The first complaint in words that follow the key: the value, and what it may be."""
    first = error.errors()[0]
    kind, value = first["type"], first["input"]
    if kind == "missing":
        return f"{shown(value)} needs the key {first['loc'][-1]!r}"
    if kind in ("too_short", "string_too_short"):
        return "is empty; give at least one value"
    if value is None:
        return "is empty; give it a value or remove the key"
    if kind == "form":
        return f"{shown(value)} {first['msg']}"
    words = COMPLAINTS.get(kind, "is not valid here")
    if isinstance(value, Mapping | list):
        words = words.partition("; write" if kind == "list_type" else "; put")[0]  # for one value
    context = {**first.get("ctx", {}), "value": shown(value)}
    return f"{shown(value)} {words.format(**context)}"


def explain(error: ValidationError, source: Source, model: type[BaseModel]) -> UserError:
    """The first complaint as one line: file, key, value, and what it may be.

    Args:
        error: what pydantic found wrong.
        source: what gave the value at a place, such as the file's name.
        model: what the file is to hold.
    """
    first = _misspelt_key(error) or error.errors()[0]
    kind, value = first["type"], first["input"]
    location = _location(first["loc"])
    where = source(location)
    if kind in ("extra_forbidden", "invalid_key"):
        section = _location(first["loc"][:-1])
        name = value if kind == "invalid_key" else first["loc"][-1]
        known = _fields(model, section)
        inner = {f"{key}.{n}": n for key in known if not section for n in _fields(model, [key])}
        alias = str(name).casefold() in ALIASES  # says more than the likeness of a word
        meant = None if near(name, known) and not alias else near(name, [*known, *inner.values()])
        if meant and meant not in known:
            key = next(key for key, n in inner.items() if n == meant)
            return UserError(f"{where}: unknown {name!r}; did you mean {key}?")
        return unknown(_place(where, section), name, known)
    if kind == "literal_error":
        choices = re.findall("'([^']*)'", first["ctx"]["expected"])
        return unknown(_place(where, location), value, choices)
    if kind == "missing":
        location.pop()
    units = [unit for unit in ("epochs", "steps") if unit in _fields(model, location)]
    if kind == "model_type" and value is not None and len(units) == 2:  # a budget without its unit
        given = re.match(r"(\d+) ?(step)?", str(value))
        amount, unit = given.groups() if given else (10, None)
        said = f"{shown(value)} is no mapping; write {{{'steps' if unit else 'epochs'}: {amount}}}"
        return UserError(f"{_place(where, location)}: {said}")
    if isinstance(value, bool) and "enabled" in _fields(model, location):
        said = f"{value} is no mapping; write {{enabled: {str(value).lower()}}}"
        return UserError(f"{_place(where, location)}: {said}")
    part = kind == "int_from_float" and location == ["budget", "epochs"]
    advice = "; to train a part of one, write {steps: n}" if part else ""
    return UserError(f"{_place(where, location)}: {_complaint(error)}{advice}")


def _location(place: tuple[int | str, ...]) -> list[int | str]:
    """The keys that lead to a place, without pydantic's own words for forms of a value."""
    return [part for part in place if not TAG.fullmatch(str(part)) and part != "[key]"]


def _misspelt_key(error: ValidationError) -> ErrorDetails | None:
    """The key that is not known, where the first complaint is that one like it is missing."""
    first, *others = error.errors()
    if first["type"] != "missing":
        return None
    *place, wanted = first["loc"]
    for other in others:
        *there, name = other["loc"]
        if other["type"] == "extra_forbidden" and there == place and near(name, [str(wanted)]):
            return other
    return None


def _place(where: str, location: list[int | str]) -> str:
    """File and dotted key: ``params.yaml: grid.lr[0]``, or the file alone."""
    dotted = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in location)
    return f"{where}: {dotted[1:]}" if dotted else where


def _fields(model: type[BaseModel], location: list[int | str]) -> list[str]:
    """The keys that the section of ``model`` at ``location`` may have."""
    for part in location:
        field = model.model_fields.get(str(part))
        inner = _models(field.annotation) if field else []
        model = inner[0] if inner else model
    return list(model.model_fields)


def _models(annotation: object) -> list[type[BaseModel]]:
    """The models that a type is, or that its forms are."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for form in get_args(annotation) for model in _models(form)]
