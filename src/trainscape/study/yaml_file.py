"""Read a YAML file strictly: every way it can be broken is one line that names the place.

YAML 1.1, which PyYAML and so Snakemake read, and YAML 1.2, which DVC reads, take some plain words
for different values: ``064`` is 52 to one and 64 to the other. A file that they read differently is
refused, so that what trains is what DVC records.

A file of a stranger's costs no more than seconds to refuse: its size, its depth and what its
aliases come to are limited.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import yaml

from trainscape.errors import UserError, shown
from trainscape.numeric import finite, parsed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONGEST = 256 * 1024  # characters of a file: lists of 10,000 values, the longest, take 100 K
DEEPEST = 32  # lists and mappings within each other; a study has 5
MOST_VALUES = 100_000  # of a file, those that an alias stands for counted each time


def read_yaml(path: Path) -> Any:
    """The content of a YAML file.

    Raises:
        UserError: the file is missing, broken, or read differently by YAML 1.1 and 1.2; names the
            line.
    """
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(LONGEST + 1)
    except FileNotFoundError:
        raise UserError(f"{path}: no such parameter file") from None
    except IsADirectoryError:
        raise UserError(f"{path}: is a folder; give a parameter file") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError:  # a NUL in its name
        raise UserError(f"{path}: no such parameter file") from None
    content = parsed_yaml(text, str(path))
    _refuse_ambiguous(path, text, content)
    return content


def parsed_yaml(text: str, source: str) -> Any:
    """The content of a text as PyYAML reads it.

    Args:
        text: the text.
        source: names it in messages.

    Raises:
        UserError: it is broken, or larger than any study.
    """
    if len(text) > LONGEST:
        raise UserError(
            f"{source}: has more than {LONGEST} characters, which no parameter file has; "
            "give rates by {log: [low, high, n]} and seeds by their number"
        )
    try:
        return yaml.load(text, Loader=_Strict)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        why = f"the character {text[error.position]!r} is not allowed"
        raise UserError(f"{source}: broken YAML in line {line}: {why}") from None
    except yaml.MarkedYAMLError as error:
        at = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UserError(f"{source}: broken YAML{at}: {error.problem}") from None


class _Strict(yaml.SafeLoader):
    """YAML that refuses what plain YAML lets pass, or trips over.

    That is: a key given twice, of which plain YAML silently keeps the last; structures too deep
    or, by their aliases, too large to be read; tags that are no part of a study; and values that
    are not what their tag says.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.depth = 0
        self.values: dict[yaml.Node, int] = {}  # that each node stands for, itself among them

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """The next node.

        Raises:
            ComposerError: the structure is too deep or too large, or holds itself.
        """
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        self.depth += 1
        if self.depth > DEEPEST:
            raise _refused(f"more than {DEEPEST} lists and mappings within each other", mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        if node is None or node in self.values:
            return node
        if node.end_mark is None:  # its end is not yet read: an alias within what it stands for
            raise _refused("an alias stands within what it is an alias of", mark)
        children = node.value if isinstance(node, yaml.CollectionNode) else []
        if isinstance(node, yaml.MappingNode):
            children = [child for pair in children for child in pair]
        self.values[node] = 1 + sum(self.values[child] for child in children)
        if self.values[node] > MOST_VALUES:
            raise _refused(f"more than {MOST_VALUES} values, counted as aliases repeat them", mark)
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value of a node.

        Raises:
            ConstructorError: it has none, such as a date in a thirteenth month.
        """
        try:
            value = super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError, TypeError) as error:
            said = error if isinstance(error, ValueError) else "the value is not what its tag says"
            raise _refused(str(said), node.start_mark) from None
        if isinstance(value, int) and not finite(value):
            raise _refused("a whole number with more than 308 digits", node.start_mark)
        return value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                continue  # plain YAML refuses it
            if key in seen:
                raise _refused(f"key {shown(key)} is given twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)

    def construct_undefined(self, node: yaml.Node) -> Any:
        """Refuse a tag that is no part of a study."""
        tag = node.tag.replace("tag:yaml.org,2002:", "!!", 1)
        raise _refused(f"the tag {shown(tag)} is no part of a study; remove it", node.start_mark)


for _tag in (None, *(f"tag:yaml.org,2002:{kind}" for kind in ("binary", "omap", "pairs", "set"))):
    _Strict.add_constructor(_tag, _Strict.construct_undefined)


def _refused(why: str, mark: yaml.Mark) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=why, problem_mark=mark)


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
    except (YAMLError, ValueError, LookupError, AttributeError, TypeError) as error:
        mark = getattr(error, "problem_mark", None)
        at = f" in line {mark.line + 1}" if mark else ""
        why = next(iter(str(getattr(error, "problem", None) or error).splitlines()), "")
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
    return "nan" if number != number else number


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
