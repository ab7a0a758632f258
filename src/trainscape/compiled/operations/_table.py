"""The two tables of operations, and what is looked up in them.

A kernel of torch is either written as others (:func:`stands_for`), which are looked up in turn, or
turned into loops and kernels here (:func:`lowers`); operations on elements need no more than their
row in :mod:`._pointwise`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from trainscape.compiled.nodes import Map, Ref, UnsupportedError
from trainscape.compiled.operations._maps import mapped, target
from trainscape.compiled.operations._pointwise import OPERANDS, POINTWISE

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from trainscape.compiled.call import Call
    from trainscape.compiled.nodes import Node

    Lowering = Callable[[Call], list[Node]]


aten = torch.ops.aten
DECOMPOSITIONS: dict[Any, Callable[..., Any]] = {}
LOWERINGS: dict[str, Lowering] = {}


def stands_for(*kernels: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Take a function in the place of these kernels."""

    def enter(of: Callable[..., Any]) -> Callable[..., Any]:
        DECOMPOSITIONS.update(dict.fromkeys(kernels, of))
        return of

    return enter


def lowers(*names: str) -> Callable[[Lowering], Lowering]:
    """Enter a function into the table, under the names of operations."""

    def enter(of: Lowering) -> Lowering:
        LOWERINGS.update(dict.fromkeys(names, of))
        return of

    return enter


@cache
def decomposition(kernel: Any) -> Callable[..., Any] | None:
    """What stands for a kernel, or for the one that does the same elsewhere than in place."""
    name = kernel._schema.name.removeprefix("aten::")
    found = DECOMPOSITIONS.get(kernel)
    if found is not None or not kernel._schema.is_mutable or not name.endswith("_"):
        return found
    apart = getattr(getattr(aten, name[:-1], None), kernel._overloadname, None)
    of = DECOMPOSITIONS.get(apart)
    if of is None:
        return None

    def in_place(x: Tensor, *args: Any, **kwargs: Any) -> Any:
        made = of(x, *args, **kwargs)
        return NotImplemented if made is NotImplemented else x.copy_(made)

    return in_place


def lowered(call: Call) -> list[Node]:
    """The nodes of a call.

    Raises:
        UnsupportedError: the table has no entry for it, or not for what it is given.
    """
    if any(tensor.numel() == 0 for tensor in (*call.given, *call.made)):
        raise UnsupportedError("of a tensor without elements")
    own, dim = call.of.get("self"), call.of.get("dim")
    if isinstance(own, Tensor) and own.dim() == 0 and dim not in (None, []):
        raise UnsupportedError("along an axis of a single number")
    nodes = _entry(call)
    for node in nodes:
        node.doing = call.name
        same = isinstance(node, Map)  # an element may be read where it goes
        ins = node.ins
        if any(clash(out, ref, same) for out in node.writes() for ref in ins):
            raise UnsupportedError("into memory that it reads")
    return nodes


def _entry(call: Call) -> list[Node]:
    if call.name in LOWERINGS:
        return LOWERINGS[call.name](call)
    if call.name in POINTWISE:
        if call.of.get("decimals") or call.of.get("rounding_mode"):
            raise UnsupportedError("rounded in such a way")
        values = [v for name, v in call.of.items() if name in OPERANDS and v is not None]
        return [mapped(target(call), call.name, values, call.of)]
    raise UnsupportedError("has no entry in the table of operations")


def clash(out: Ref, ref: Ref, same: bool) -> bool:
    """Whether what is read is overwritten, other than element by element where ``same``."""
    if out.buffer != ref.buffer:
        return False
    if (out.offset, out.steps) == (ref.offset, ref.steps):
        return not same
    return len(np.intersect1d(_elements(out), _elements(ref))) > 0


def _elements(ref: Ref) -> NDArray[np.int64]:
    """Where the elements of a place lie, from the start of its buffer."""
    found = np.array([ref.offset])
    for size, stride in zip(ref.sizes, ref.strides, strict=True):
        found = (found[:, None] + np.arange(size if stride else 1) * stride).ravel()
    return found
