"""From nodes to the C text of a function: loops joined, memory given, statements written."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch

from trainscape.compiled.lowering import joined_axes, literal
from trainscape.compiled.nodes import Kernel, Map, Ref, UnsupportedError, axes, filled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from trainscape.compiled.nodes import Node

ALIGNED = 64
LOOK_BACK = 12  # statements that a map may be moved up past, to join a loop


@dataclass
class Loop:
    """Maps over equally many elements, one after the other for each element.

    Args:
        sizes: of the axes that are left when neighbours are joined.
        maps: each with its places as seen along these axes: what it makes, then what it reads.
    """

    sizes: tuple[int, ...]
    maps: list[tuple[Map, list[Ref]]] = field(default_factory=list)

    def reads(self) -> list[Ref]:
        """What is read, in the axes of the loop."""
        return [ref for _, refs in self.maps for ref in refs[1:]]

    def writes(self) -> list[Ref]:
        """What is written, in the axes of the loop."""
        return [refs[0] for _, refs in self.maps]


Statement = Loop | Kernel


def needed(nodes: Sequence[Node], own: set[int]) -> list[Node]:
    """The nodes without those whose result nobody reads.

    Args:
        nodes: in their order.
        own: buffers that exist within the program alone.
    """
    wanted: set[int] = set()
    kept = []
    for node in reversed(nodes):
        if any(ref.buffer in wanted or ref.buffer not in own for ref in node.writes()):
            kept.append(node)
            wanted.update(ref.buffer for ref in node.reads())
    return kept[::-1]


def uncopied(nodes: Sequence[Node], own: set[int]) -> list[Node]:
    """The nodes without copies of whole tensors that can be made where they are wanted.

    Args:
        nodes: in their order.
        own: buffers that exist within the program alone.
    """
    found = list(nodes)
    for node in nodes:
        if not isinstance(node, Map) or node.text != "$0" or node.types != [node.out.c_type]:
            continue
        at = next(i for i, other in enumerate(found) if other is node)
        out, source = _aligned(node)
        users = [i for i, other in enumerate(found) if _touches(other, source.buffer)]
        between = found[users[0] : at]
        if (
            source.buffer in own
            and _same(out, source)
            and node.ins[0].numel == node.out.numel
            and users[-1] == at
            and users[0] < at
            and not any(_touches(other, out.buffer) for other in between)
            and all(_holds(source, ref) for other in between for ref in _places(other))
        ):
            moved = [_moved(other, source.buffer, out.buffer) for other in between]
            found = [*found[: users[0]], *moved, *found[at + 1 :]]
    return found


def _places(node: Node) -> list[Ref]:
    return [*node.reads(), *node.writes()]


def _touches(node: Node, buffer: int) -> bool:
    return any(ref.buffer == buffer for ref in _places(node))


def _holds(whole: Ref, ref: Ref) -> bool:
    """Whether what is seen of a buffer lies within one dense stretch of it."""
    return ref.buffer != whole.buffer or (
        whole.offset <= ref.offset
        and ref.end <= whole.end
        and whole.numel == whole.end - whole.offset
    )


def _moved(node: Node, source: int, to: int) -> Node:
    """The node with one buffer in the place of another."""

    def at(ref: Ref) -> Ref:
        return replace(ref, buffer=to) if ref.buffer == source else ref

    ins = [at(ref) for ref in node.ins]
    if isinstance(node, Map):
        return replace(node, out=at(node.out), ins=ins)
    return replace(node, outs=[at(ref) for ref in node.outs], ins=ins)


def statements(nodes: Sequence[Node]) -> list[Statement]:
    """Loops and kernels, with maps joined as far as no element is read before it is made."""
    found: list[Statement] = []
    for node in nodes:
        if isinstance(node, Kernel):
            found.append(node)
            continue
        refs = _aligned(node)
        place = _loop_for(refs, found)
        if place is not None:
            place.maps.append((node, refs))
            continue
        at = len(found)
        # numbers, such as a rate times a correction, are made early: loops around them stay whole
        while refs[0].sizes == () and at and not _conflict(found[at - 1], refs):
            at -= 1
        found.insert(at, Loop(refs[0].sizes, [(node, refs)]))
    return found


def _aligned(node: Map) -> list[Ref]:
    """A map's places with axes in the order of the memory that is written, joined."""
    out = node.out
    order = sorted(range(len(out.sizes)), key=lambda k: -out.strides[k])
    return joined_axes([ref.seen(order) for ref in (out, *node.ins)])


def _loop_for(refs: list[Ref], found: Sequence[Statement]) -> Loop | None:
    """The loop that a map may join: none after it touches what the map does."""
    for statement in reversed(found[-LOOK_BACK:]):
        if (
            isinstance(statement, Loop)
            and statement.sizes == refs[0].sizes
            and _compatible(statement, refs)
        ):
            return statement
        if _conflict(statement, refs):
            return None
    return None


def _compatible(loop: Loop, refs: list[Ref]) -> bool:
    """Whether each element is read where it was made, at the same turn of the loop."""
    out, ins = refs[0], refs[1:]
    written, read = loop.writes(), loop.reads()
    for ref in ins:
        if any(made.buffer == ref.buffer and not _same(made, ref) for made in written):
            return False
    touched = [*written, *read]
    return all(other.buffer != out.buffer or _same(other, out) for other in touched)


def _same(a: Ref, b: Ref) -> bool:
    return (a.offset, a.strides, a.dtype) == (b.offset, b.strides, b.dtype)


def _conflict(statement: Statement, refs: list[Ref]) -> bool:
    written = {ref.buffer for ref in statement.writes()}
    read = {ref.buffer for ref in statement.reads()}
    return refs[0].buffer in written | read or any(ref.buffer in written for ref in refs[1:])


@dataclass
class Text:
    """A function in C.

    Args:
        body: its definitions and statements.
        slots: the buffers from outside whose addresses it is given, in their order.
        scratch: bytes of working memory.
    """

    functions: list[str]
    calls: list[str]
    slots: list[int]
    scratch: int


def written(
    nodes: Sequence[Node],
    own: set[int],
    constants: Mapping[int, Tensor],
    span: int | None = None,
) -> Text:
    """The text of a program.

    Args:
        nodes: what it does.
        own: buffers that exist within it alone.
        constants: tensors that are the same at every run, by address.
        span: the count of elements that stands for any: such loops run from ``from`` to ``to``.

    Raises:
        UnsupportedError: so many elements would have to be kept from one loop to another.
    """
    inner = own - constants.keys()
    lines = statements(uncopied(needed(nodes, inner), inner))
    kept = _stored(lines, inner)
    places, size, sizes = _placed(lines, kept)
    if span and any(held >= span for held in sizes.values()):
        raise UnsupportedError("a rule in several loops")
    functions, calls, slots = [], [], []
    for i, line in enumerate(lines):
        seen: dict[int, str] = {}
        for ref in [*line.writes(), *line.reads()]:
            fits = ref.buffer not in inner or ref.buffer in kept
            if ref.buffer not in seen and fits and not _single(ref, constants):
                seen[ref.buffer] = f"b{len(seen)}"
        types = {ref.buffer: ref.c_type for ref in [*line.reads(), *line.writes()]}
        changed = {ref.buffer for ref in line.writes()}
        given, handed = [], []
        for buffer, name in seen.items():
            const = "" if buffer in changed else "const "
            given.append(f"{const}{types[buffer]} *restrict {name}")
            if buffer in inner:
                handed.append(f"(void *)(scratch + {places[buffer]})")
            else:
                if buffer not in slots:
                    slots.append(buffer)
                handed.append(f"(void *)slots[{slots.index(buffer)}]")
        body = (
            _loop_text(line, seen, constants, kept, inner)
            if isinstance(line, Loop)
            else _kernel_text(line, seen, constants)
        )
        if span and isinstance(line, Loop) and line.sizes == (span,):
            body = body.replace(f"i0 = 0; i0 < {span};", "i0 = from; i0 < to;")
            given, handed = [*given, "long from", "long to"], [*handed, "from", "to"]
        doing = [line.doing] if isinstance(line, Kernel) else [node.doing for node, _ in line.maps]
        head = f"/* {', '.join(doing)} */\nstatic void s{i}({', '.join(given)})"
        functions.append(f"{head} {{\n{body}}}\n")
        calls.append(f"s{i}({', '.join(handed)});")
    return Text(functions, calls, slots, size)


def _single(ref: Ref, constants: Mapping[int, Tensor]) -> bool:
    return ref.buffer in constants and constants[ref.buffer].untyped_storage().nbytes() == (
        ref.dtype.itemsize
    )


def _number(ref: Ref, constants: Mapping[int, Tensor]) -> str:
    value = constants[ref.buffer]
    whole = torch.empty(0, dtype=value.dtype).set_(value.untyped_storage())
    return literal(whole[0].item(), ref.c_type)


def _stored(lines: Sequence[Statement], inner: set[int]) -> set[int]:
    """Buffers of the program's own that need memory: read by another statement than makes them."""
    kept: set[int] = set()
    for line in lines:
        if isinstance(line, Kernel):
            kept.update(ref.buffer for ref in [*line.reads(), *line.writes()])
            continue
        made: list[Ref] = []
        for _, refs in line.maps:
            for ref in refs[1:]:
                if not any(_same(ref, other) and ref.buffer == other.buffer for other in made):
                    kept.add(ref.buffer)
            made.append(refs[0])
    return kept & inner


def _placed(
    lines: Sequence[Statement], kept: set[int]
) -> tuple[dict[int, int], int, dict[int, int]]:
    """Where in the scratch memory each buffer lies, from its first to its last use.

    Returns:
        By buffer its place, the bytes of all, and by buffer its own bytes.
    """
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    sizes: dict[int, int] = {}
    for i, line in enumerate(lines):
        for ref in [*line.writes(), *line.reads()]:
            if ref.buffer in kept:
                first.setdefault(ref.buffer, i)
                last[ref.buffer] = i
                span = (
                    1
                    + ref.offset
                    + sum((n - 1) * s for n, s in zip(ref.sizes, ref.strides, strict=True))
                )
                sizes[ref.buffer] = max(sizes.get(ref.buffer, 0), span * ref.dtype.itemsize)
    places: dict[int, int] = {}
    live: list[int] = []
    top = 0
    for buffer in sorted(first, key=lambda key: first[key]):
        live = [other for other in live if last[other] >= first[buffer]]
        taken = sorted((places[other], places[other] + sizes[other]) for other in live)
        start = 0
        for low, high in taken:
            if start + sizes[buffer] <= low:
                break
            start = max(start, -(-high // ALIGNED) * ALIGNED)
        places[buffer] = start
        live.append(buffer)
        top = max(top, start + sizes[buffer])
    return places, top, sizes


def _kernel_text(line: Kernel, seen: Mapping[int, str], constants: Mapping[int, Tensor]) -> str:
    words = {"scratch": "scratch"}
    head = ""
    for i, ref in enumerate(line.ins):
        if _single(ref, constants):
            head += f"    const {ref.c_type} n{i}[1] = {{{_number(ref, constants)}}};\n"
            words[f"r{i}"] = f"n{i}"
        else:
            words[f"r{i}"] = seen[ref.buffer]
    words.update((f"w{i}", seen[ref.buffer]) for i, ref in enumerate(line.outs))
    if line.scratch:
        head += f"    static char scratch[{line.scratch}] __attribute__((aligned({ALIGNED})));\n"
    return f"{head}    {filled(line.body, words)}\n"


def _loop_text(
    line: Loop,
    seen: Mapping[int, str],
    constants: Mapping[int, Tensor],
    kept: set[int],
    inner: set[int],
) -> str:
    names = axes(len(line.sizes))
    steps: list[str] = []
    values: list[tuple[Ref, str]] = []  # what was made or read in this turn, the latest last
    for k, (node, refs) in enumerate(line.maps):
        words = {}
        for i, (ref, kind) in enumerate(zip(refs[1:], node.types, strict=True)):
            name = next(
                (v for of, v in reversed(values) if of.buffer == ref.buffer and _same(of, ref)),
                None,
            )
            if name is None and _single(ref, constants):
                name = _number(ref, constants)
            elif name is None:
                name = f"v{len(values)}"
                steps.append(f"const {ref.c_type} {name} = {seen[ref.buffer]}[{ref.at(names)}];")
                values.append((ref, name))
            words[str(i)] = _taken_as(name, ref.c_type, kind)
        out = refs[0]
        name = f"v{len(values)}"
        value = filled(node.text, words)
        if node.text.strip() != "$0" and node.c_type != "truth":
            value = f"({node.c_type})({value})" if node.c_type != "uint8_t" else f"({value})"
        steps.append(f"const {out.c_type} {name} = {_stored_as(value, node.c_type, out.c_type)};")
        values.append((out, name))
        again = any(
            later[0].buffer == out.buffer and _same(later[0], out)
            for _, later in line.maps[k + 1 :]
        )
        if (out.buffer not in inner or out.buffer in kept) and not again:
            steps.append(f"{seen[out.buffer]}[{out.at(names)}] = {name};")
    loops = "".join(
        f"    for (long {name} = 0; {name} < {size}; {name}++)\n"
        for name, size in zip(names, line.sizes, strict=True)
    )
    body = "\n        ".join(steps)
    return f"{loops}    {{\n        {body}\n    }}\n"


def _taken_as(name: str, have: str, want: str) -> str:
    if want == "truth":
        return f"({name} != 0)"
    return name if have == want else f"({want}){name}"


def _stored_as(value: str, have: str, want: str) -> str:
    return value if have == want else f"({want})({value})"
