"""Places that data names: indices, gathering, scattering, embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from trainscape.compiled.nodes import Kernel, Ref, UnsupportedError, axes, literal, nested
from trainscape.compiled.operations._maps import copied, filled_with, target
from trainscape.compiled.operations._table import aten, lowers, stands_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainscape.compiled.call import Call
    from trainscape.compiled.nodes import Node


def inside(index: str, size: int) -> str:
    """Whether an index that data holds lies within an axis."""
    return f"INSIDE({index}, {size})"


@lowers("index_select", "embedding")
def _rows(call: Call) -> list[Node]:
    table = call["weight"] if call.name == "embedding" else call["self"]
    index = call["indices"] if call.name == "embedding" else call["index"]
    dim = 0 if call.name == "embedding" else call["dim"] % max(table.dim(), 1)
    return [_taken(target(call), Ref.of(table), Ref.of(index), dim)]


def _taken(out: Ref, table: Ref, index: Ref, dim: int) -> Kernel:
    """``out[a…, i…, b…] = table[a…, index[i…], b…]``; NaN, or 0, where no such row is."""
    names = axes(len(out.sizes))
    inner = names[dim : dim + len(index.sizes)]
    own = [*names[:dim], "row", *names[dim + len(index.sizes) :]]
    none = "NAN" if out.dtype.is_floating_point else "0"
    head = f"const int64_t row = $r1[{index.at(inner)}];"
    value = f"{inside('row', table.sizes[dim])} ? $r0[{table.at(own)}] : {none}"
    outer = dim + len(index.sizes)
    tail = nested(out.sizes[outer:], names[outer:], f"$w0[{out.at(names)}] = {value};")
    return Kernel([table, index], [out], nested(out.sizes[:outer], names[:outer], f"{head} {tail}"))


@lowers("gather")
def _gather(call: Call) -> list[Node]:
    out, table, index = target(call), Ref.of(call["self"]), Ref.of(call["index"])
    names, dim = axes(len(out.sizes)), call["dim"] % len(out.sizes)
    own = [*names[:dim], "row", *names[dim + 1 :]]
    none = "NAN" if out.dtype.is_floating_point else "0"
    body = (
        f"const int64_t row = $r1[{index.at(names)}]; "
        f"$w0[{out.at(names)}] = {inside('row', table.sizes[dim])} "
        f"? $r0[{table.at(own)}] : {none};"
    )
    return [Kernel([table, index], [out], nested(out.sizes, names, body))]


@lowers("index", "_unsafe_index")
def _index(call: Call) -> list[Node]:
    out, table = target(call), Ref.of(call["self"])
    known, shape, refs = _indices(call)
    names, first, count = axes(len(out.sizes)), known[0], len(shape)
    own = [*names[:first], *(f"row{k}" for k in known), *names[first + count :]]
    head, there = _rows_read(known, refs, names[first : first + count], table, 1)
    none = "NAN" if out.dtype.is_floating_point else "0"
    body = f"{head}$w0[{out.at(names)}] = {there} ? $r0[{table.at(own)}] : {none};"
    return [Kernel([table, *refs], [out], nested(out.sizes, names, body))]


def _indices(call: Call) -> tuple[list[int], tuple[int, ...], list[Ref]]:
    """The axes that are indexed, side by side, the shape of the indices, and where they lie."""
    given = {k: index for k, index in enumerate(call["indices"]) if index is not None}
    known = list(given)
    if known != list(range(known[0], known[-1] + 1)) or any(
        index.dtype != torch.int64 for index in given.values()
    ):
        raise UnsupportedError("with such indices")
    shape = np.broadcast_shapes(*(tuple(index.shape) for index in given.values()))
    return known, shape, [Ref.of(index).broadcast(shape) for index in given.values()]


def _rows_read(
    known: list[int], refs: list[Ref], names: list[str], of: Ref, first: int
) -> tuple[str, str]:
    """Reads ``row0`` and so on from the indices, ``$r`` from ``first`` on; whether they exist."""
    head, there = "", []
    for i, (k, ref) in enumerate(zip(known, refs, strict=True), first):
        size = of.sizes[k]
        head += f"int64_t row{k} = $r{i}[{ref.at(names)}]; row{k} += row{k} < 0 ? {size} : 0; "
        there.append(inside(f"row{k}", size))
    return head, " && ".join(there)


@lowers("scatter", "scatter_add")
def _scatter(call: Call) -> list[Node]:
    if call.of.get("reduce") is not None:
        raise UnsupportedError("with a reduction")
    out, index, dim = target(call), Ref.of(call["index"]), call["dim"] % call["self"].dim()
    source = call.of.get("src")
    names = axes(len(out.sizes))
    own = [*names[:dim], "row", *names[dim + 1 :]]
    value, ins = literal(call.of.get("value", 0), out.c_type), [index]
    if isinstance(source, Tensor):
        ref = Ref.of(source)
        value, ins = f"$r1[{ref.at(names)}]", [index, ref]
    how = "+=" if call.name == "scatter_add" else "="
    body = (
        f"const int64_t row = $r0[{index.at(names)}]; "
        f"if ({inside('row', out.sizes[dim])}) $w0[{out.at(own)}] {how} {value};"
    )
    before: list[Node] = [] if call.written else [copied(out, Ref.of(call["self"]))]
    return [*before, Kernel(ins, [out], nested(index.sizes, names, body), partial=True)]


@lowers("index_copy", "index_add")
def _index_copy(call: Call) -> list[Node]:
    out, index, source = target(call), Ref.of(call["index"]), Ref.of(call["source"])
    if call.name == "index_add" and call["alpha"] != 1:
        raise UnsupportedError("with a factor")
    names, dim = axes(len(source.sizes)), call["dim"] % max(call["self"].dim(), 1)
    own = [*names[:dim], "row", *names[dim + 1 :]]
    how = "+=" if call.name == "index_add" else "="
    place = names[dim] if index.sizes else "0"
    body = (
        f"const int64_t row = $r0[{index.at([place] * len(index.sizes))}]; "
        f"if ({inside('row', out.sizes[dim])}) $w0[{out.at(own)}] {how} $r1[{source.at(names)}];"
    )
    before: list[Node] = [] if call.written else [copied(out, Ref.of(call["self"]))]
    return [
        *before,
        Kernel([index, source], [out], nested(source.sizes, names, body), partial=True),
    ]


@lowers("embedding_dense_backward")
def _embedding_backward(call: Call) -> list[Node]:
    if call["scale_grad_by_freq"]:
        raise UnsupportedError("scaled by how often an index comes")
    out, grad, index = target(call), Ref.of(call["grad_output"]), Ref.of(call["indices"])
    names = axes(len(grad.sizes))
    there = f"{inside('row', out.sizes[0])} && row != {call['padding_idx']}"
    add = f"$w0[{out.at(['row', names[-1]])}] += $r1[{grad.at(names)}];"
    body = (
        f"const int64_t row = $r0[{index.at(names[:-1])}]; "
        f"if ({there}) {nested(grad.sizes[-1:], names[-1:], add)}"
    )
    loops = nested(grad.sizes[:-1], names[:-1], body)
    return [*filled_with(out, 0), Kernel([index, grad], [out], loops, partial=True)]


@lowers("index_put", "_unsafe_index_put")
def _index_put(call: Call) -> list[Node]:
    out = target(call)
    known, shape, refs = _indices(call)
    first, count = known[0], len(shape)
    sizes = (*out.sizes[:first], *shape, *out.sizes[known[-1] + 1 :])
    source = Ref.of(call["values"]).broadcast(sizes)
    names = axes(len(sizes))
    head, there = _rows_read(known, refs, names[first : first + count], out, 0)
    own = [*names[:first], *(f"row{k}" for k in known), *names[first + count :]]
    how = "+=" if call["accumulate"] else "="
    value = f"$r{len(known)}[{source.at(names)}]"
    body = f"{head}if ({there}) $w0[{out.at(own)}] {how} {value};"
    before: list[Node] = [] if call.written else [copied(out, Ref.of(call["self"]))]
    loops = nested(sizes, names, body)
    return [*before, Kernel([*refs, source], [out], loops, partial=True)]


@stands_for(aten.index_put_.default)
def _put_by_mask(
    x: Tensor, indices: Sequence[Tensor | None], values: Tensor, add: bool = False
) -> Any:
    mask = indices[0]
    if len(indices) != 1 or mask is None or mask.dtype != torch.bool or values.numel() != 1:
        return NotImplemented
    if add:
        return NotImplemented
    shape = [*mask.shape, *[1] * (x.dim() - mask.dim())]
    return x.copy_(torch.where(mask.view(shape), values.view([]), x))
