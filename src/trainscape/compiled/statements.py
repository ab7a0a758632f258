"""From nodes to statements: what nobody needs goes, loops are joined, copies are saved."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from trainscape.compiled.nodes import Kernel, Map, Ref, joined_axes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainscape.compiled.nodes import Node

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
            and same(out, source)
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
        if any(made.buffer == ref.buffer and not same(made, ref) for made in written):
            return False
    touched = [*written, *read]
    return all(other.buffer != out.buffer or same(other, out) for other in touched)


def same(a: Ref, b: Ref) -> bool:
    """Whether two places have the same elements at the same turns of a loop, but for the buffer."""
    return (a.offset, a.strides, a.dtype) == (b.offset, b.strides, b.dtype)


def _conflict(statement: Statement, refs: list[Ref]) -> bool:
    written = {ref.buffer for ref in statement.writes()}
    read = {ref.buffer for ref in statement.reads()}
    return refs[0].buffer in written | read or any(ref.buffer in written for ref in refs[1:])
