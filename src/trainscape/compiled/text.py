"""From nodes to the C text of a function: memory given, statements written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from trainscape.compiled.nodes import Kernel, Ref, UnsupportedError, axes, filled, literal
from trainscape.compiled.statements import Loop, needed, same, statements, uncopied

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from trainscape.compiled.nodes import Node
    from trainscape.compiled.statements import Statement

ALIGNED = 64
# Bytes of a result from which on it is made in parts: with more, a model leaves the cache.
LARGE = 1 << 17
PART = 1 << 15  # bytes of a part, about
ROWS = 24  # of which a part has a multiple: PRODUCT_ROWS of kernels.h


@dataclass(frozen=True)
class Parts:
    """A product that comes last, and of which a few rows can be made at a time.

    Args:
        function: its name in C: takes where rows go, ``given``, and the first and the last row.
        to: the buffer from outside that it is to fill, and its address in C.
        given: the addresses of what it is made of, in C.
        rows: how many it has.
        columns: the numbers of a row.
    """

    function: str
    to: tuple[int, str]
    given: tuple[str, ...]
    rows: int
    columns: int

    def call(self, to: str) -> str:
        """The statement that makes the rows ``from`` to ``to``, in C; they go to an address."""
        return f"{self.function}({', '.join((to, *self.given, 'from', 'to'))});"

    @property
    def each(self) -> int:
        """The rows of a part."""
        return ROWS * max(1, round(PART / (ROWS * self.columns * 4)))


@dataclass
class Text:
    """A function in C.

    Args:
        functions: the definitions of its statements.
        calls: the statements, in their order.
        slots: the buffers from outside whose addresses it is given, in their order.
        scratch: bytes of working memory.
        parts: the statements after these.
    """

    functions: list[str]
    calls: list[str]
    slots: list[int]
    scratch: int
    parts: list[Parts]


@dataclass
class Buffers:
    """What the buffers of a program are.

    Args:
        inner: those that exist within it alone.
        places: where in the scratch memory those lie that more than one statement touches.
        constants: tensors that are the same at every run.
        slots: those from outside that were met so far.
    """

    inner: set[int]
    places: Mapping[int, int]
    constants: Mapping[int, Tensor]
    slots: list[int] = field(default_factory=list)

    def lie(self, ref: Ref) -> bool:
        """Whether it is memory; else a number that is written out, or a variable of a loop."""
        return (ref.buffer not in self.inner or ref.buffer in self.places) and not self.single(ref)

    def single(self, ref: Ref) -> bool:
        """Whether it is a constant of one number."""
        constant = self.constants.get(ref.buffer)
        return constant is not None and (constant.untyped_storage().nbytes() == ref.dtype.itemsize)

    def number(self, ref: Ref) -> str:
        """The number of such a constant, in C."""
        value = self.constants[ref.buffer]
        whole = torch.empty(0, dtype=value.dtype).set_(value.untyped_storage())
        return literal(whole[0].item(), ref.c_type)

    def address(self, buffer: int) -> str:
        """Where memory begins, in C."""
        if buffer in self.inner:
            return f"(void *)(scratch + {self.places[buffer]})"
        if buffer not in self.slots:
            self.slots.append(buffer)
        return f"(void *)slots[{self.slots.index(buffer)}]"


def written(
    nodes: Sequence[Node],
    own: set[int],
    constants: Mapping[int, Tensor],
    span: int | None = None,
    whole: Mapping[int, int] | None = None,
) -> Text:
    """The text of a program.

    Args:
        nodes: what it does.
        own: buffers that exist within it alone.
        constants: tensors that are the same at every run, by address.
        span: the count of elements that stands for any: such loops run from ``from`` to ``to``.
        whole: buffers that may be made in parts, last of all, with the numbers of each.

    Raises:
        UnsupportedError: so many elements would have to be kept from one loop to another.
    """
    inner = own - constants.keys()
    lines = statements(uncopied(needed(nodes, inner), inner))
    late = [_comes_last(i, lines, inner, whole or {}) for i in range(len(lines))]
    order = sorted(range(len(lines)), key=late.__getitem__)
    lines = [lines[i] for i in order]
    places, size = _placed(lines, _stored(lines, inner), span)
    buffers = Buffers(inner, places, constants)
    functions, calls, parts = [], [], []
    for i, (line, comes_last) in enumerate(zip(lines, sorted(late), strict=True)):
        function, handed = _statement(f"s{i}", line, buffers, span, comes_last)
        functions.append(function)
        if comes_last:
            out = line.writes()[0]
            to = (out.buffer, handed[0])
            parts.append(Parts(f"s{i}", to, tuple(handed[1:]), *out.sizes))
        else:
            calls.append(f"s{i}({', '.join(handed)});")
    return Text(functions, calls, buffers.slots, size, parts)


def _comes_last(
    i: int, lines: Sequence[Statement], inner: set[int], whole: Mapping[int, int]
) -> bool:
    """Whether a statement makes all of a large buffer by rows, and may do so last of all."""
    line = lines[i]
    if not isinstance(line, Kernel) or not line.rows:
        return False
    out, sources = line.outs[0], {ref.buffer for ref in line.ins}
    if out.bytes < LARGE or whole.get(out.buffer) != out.numel or not sources <= inner:
        return False
    others = (
        ref for k, other in enumerate(lines) if k != i for ref in (*other.reads(), *other.writes())
    )
    later = (ref for other in lines[i + 1 :] for ref in other.writes())
    return (
        (out.offset, *out.strides) == (0, out.sizes[1], 1)
        and all(ref.buffer != out.buffer for ref in others)
        and all(ref.buffer not in sources for ref in later)
    )


def _statement(
    name: str, line: Statement, buffers: Buffers, span: int | None, late: bool
) -> tuple[str, list[str]]:
    """A statement as a function of the memory that it touches, and what it is to be given."""
    touched = [ref for ref in (*line.writes(), *line.reads()) if buffers.lie(ref)]
    changed = {ref.buffer for ref in line.writes()}
    seen = {ref.buffer: ref.c_type for ref in touched}
    names = {buffer: f"b{k}" for k, buffer in enumerate(seen)}
    given = [
        f"{'' if buffer in changed else 'const '}{c_type} *restrict {names[buffer]}"
        for buffer, c_type in seen.items()
    ]
    handed = [buffers.address(buffer) for buffer in seen]
    if isinstance(line, Kernel):
        body, doing = _kernel_text(line, names, buffers, late), [line.doing]
        given += ["long from", "long to"] if late else []
    else:
        body, doing = _loop_text(line, names, buffers), [node.doing for node, _ in line.maps]
        if span and line.sizes == (span,):
            body = body.replace(f"i0 = 0; i0 < {span};", "i0 = from; i0 < to;")
            given, handed = [*given, "long from", "long to"], [*handed, "from", "to"]
    head = f"/* {', '.join(doing)} */\nstatic void {name}({', '.join(given)})"
    return f"{head} {{\n{body}}}\n", handed


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
                if not any(same(ref, other) and ref.buffer == other.buffer for other in made):
                    kept.add(ref.buffer)
            made.append(refs[0])
    return kept & inner


def _placed(
    lines: Sequence[Statement], kept: set[int], span: int | None
) -> tuple[dict[int, int], int]:
    """Where in the scratch memory each buffer lies, from its first to its last use.

    Returns:
        By buffer its place, and the bytes of all.
    """
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    sizes: dict[int, int] = {}
    for i, line in enumerate(lines):
        for ref in [*line.writes(), *line.reads()]:
            if ref.buffer in kept:
                first.setdefault(ref.buffer, i)
                last[ref.buffer] = i
                held = ref.end * ref.dtype.itemsize
                if span and ref.end >= span:
                    raise UnsupportedError("a rule in several loops")
                sizes[ref.buffer] = max(sizes.get(ref.buffer, 0), held)
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
    return places, top


def _kernel_text(line: Kernel, seen: Mapping[int, str], buffers: Buffers, late: bool) -> str:
    words = {"scratch": "scratch", "from": "from", "to": "to"}
    head = ""
    for i, ref in enumerate(line.ins):
        if buffers.single(ref):
            head += f"    const {ref.c_type} n{i}[1] = {{{buffers.number(ref)}}};\n"
            words[f"r{i}"] = f"n{i}"
        else:
            words[f"r{i}"] = seen[ref.buffer]
    words.update((f"w{i}", seen[ref.buffer]) for i, ref in enumerate(line.outs))
    if line.scratch:
        head += f"    static char scratch[{line.scratch}] __attribute__((aligned({ALIGNED})));\n"
    return f"{head}    {filled(line.rows if late else line.body, words)}\n"


def _loop_text(line: Loop, seen: Mapping[int, str], buffers: Buffers) -> str:
    names = axes(len(line.sizes))
    steps: list[str] = []
    values: list[tuple[Ref, str]] = []  # what was made or read in this turn, the latest last
    for k, (node, refs) in enumerate(line.maps):
        words = {}
        for i, (ref, kind) in enumerate(zip(refs[1:], node.types, strict=True)):
            name = next(
                (v for of, v in reversed(values) if of.buffer == ref.buffer and same(of, ref)),
                None,
            )
            if name is None and buffers.single(ref):
                name = buffers.number(ref)
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
        value = _stored_as(value, node.c_type, out.c_type)
        if out.c_type == "float" and out.buffer not in buffers.inner:
            value = f"settled({value})"
        steps.append(f"const {out.c_type} {name} = {value};")
        values.append((out, name))
        again = any(
            later[0].buffer == out.buffer and same(later[0], out) for _, later in line.maps[k + 1 :]
        )
        if buffers.lie(out) and not again:
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
