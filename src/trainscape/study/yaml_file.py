"""Read a YAML file strictly: every way it can be broken is one line that names the place.

YAML 1.1, which PyYAML and so Snakemake read, and YAML 1.2, which DVC reads, take some plain words
for different values: ``064`` is 52 to one and 64 to the other. A file that they read differently is
refused, so that what trains is what DVC records.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import yaml

from trainscape.errors import UserError, shown
from trainscape.numeric import parsed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def read_yaml(path: Path) -> Any:
    """The content of a YAML file.

    Raises:
        UserError: the file is missing, broken, or read differently by YAML 1.1 and 1.2; names the
            line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: no such parameter file") from None
    except IsADirectoryError:
        raise UserError(f"{path}: is a folder; give a parameter file") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        content = yaml.load(text, Loader=_UniqueKeys)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        why = f"the character {text[error.position]!r} is not allowed"
        raise UserError(f"{path}: broken YAML in line {line}: {why}") from None
    except yaml.MarkedYAMLError as error:
        at = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UserError(f"{path}: broken YAML{at}: {error.problem}") from None
    except ValueError as error:  # what looks like a date, and is none
        raise UserError(f"{path}: broken YAML: {error}") from None
    _refuse_ambiguous(path, text, content)
    return content


class _UniqueKeys(yaml.SafeLoader):
    """YAML that refuses a key given twice, where plain YAML silently keeps the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: list[Any] = []
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"key {key!r} is given twice", problem_mark=key_node.start_mark
                )
            seen.append(key)
        return super().construct_mapping(node, deep)


def _refuse_ambiguous(path: Path, text: str, content: object) -> None:
    """Refuse a file whose ``content`` is another by YAML 1.2.

    Raises:
        UserError: names the key, the line, what each reads and what to write.
    """
    from ruamel.yaml import YAML  # here: a job reads no YAML
    from ruamel.yaml.error import YAMLError

    def by_newer(part: str) -> Any:
        return YAML(typ="safe").load(part)

    try:
        also = by_newer(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f" in line {mark.line + 1}" if mark else ""
        why = str(getattr(error, "problem", None) or error).splitlines()[0]
        raise UserError(f"{path}: broken YAML 1.2{at}: {why}") from None
    if _same(content, also):
        return
    for key, node in _scalars(yaml.compose(text, Loader=yaml.SafeLoader)):
        spelled = text[node.start_mark.index : node.end_mark.index]
        older, newer = yaml.safe_load(spelled), by_newer(spelled)
        if not _same(older, newer):
            one, other = _spelled(older), _spelled(newer)
            place = f"{path}: {key}: " if key else f"{path}: "
            raise UserError(
                f"{place}{spelled} in line {node.start_mark.line + 1} is {one} in YAML 1.1 and "
                f"{other} in YAML 1.2, which DVC reads; write {one} or {other}"
            )
    key, ours, theirs = _difference(content, also)
    place = f"{path}: {key}: " if key else f"{path}: "
    raise UserError(
        f"{place}is {shown(ours)} in YAML 1.1 and {shown(theirs)} in YAML 1.2, which DVC reads; "
        "put a space after each ':', and text in quotes"
    )


def _same(one: object, other: object) -> bool:
    """Whether two values are the same, text that spells a number being that number."""
    if isinstance(one, dict) and isinstance(other, dict):
        ours, theirs = ({_plain(key): value for key, value in m.items()} for m in (one, other))
        return ours.keys() == theirs.keys() and all(_same(ours[key], theirs[key]) for key in ours)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return _plain(one) == _plain(other)


def _difference(one: object, other: object, key: str = "") -> tuple[str, object, object]:
    """The innermost place where two values of other structure differ: its key, and both."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        pairs = [(f"{key}.{name}".lstrip("."), one[name], other[name]) for name in one]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = [(f"{key}[{i}]", ours, other[i]) for i, ours in enumerate(one)]
    else:
        pairs = []
    for inner, ours, theirs in pairs:
        if not _same(ours, theirs):
            return _difference(ours, theirs, inner)
    return key, one, other


def _plain(value: object) -> object:
    """A value that is equal to another only if both mean the same."""
    number = parsed(value)
    if number is None:
        return type(value), value
    return "nan" if math.isnan(number) else number


def _scalars(node: yaml.Node | None, key: str = "") -> Iterator[tuple[str, yaml.ScalarNode]]:
    """Every single value of a file, keys among them, with the dotted key where it stands."""
    if isinstance(node, yaml.ScalarNode):
        yield key, node
    elif isinstance(node, yaml.SequenceNode):
        for i, item in enumerate(node.value):
            yield from _scalars(item, f"{key}[{i}]")
    elif isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            yield from _scalars(name, key)
            yield from _scalars(value, f"{key}.{name.value}".lstrip("."))


def _spelled(value: object) -> str:
    """A value as every reader of YAML takes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, int | float | str) else str(value)
