"""Sums and such over axes: in an order that is written down; norms and variances by them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from trainscape.compiled.nodes import (
    Kernel,
    Map,
    Ref,
    UnsupportedError,
    axes,
    joined_axes,
    literal,
    nested,
)
from trainscape.compiled.operations._maps import target
from trainscape.compiled.operations._table import aten, lowers, stands_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainscape.compiled.call import Call
    from trainscape.compiled.nodes import Node


JOIN = {"sum": "$0 + $1", "max": "MAX($0, $1)", "min": "MIN($0, $1)", "prod": "$0 * $1"}


LANES = 16  # sums that run side by side along dense memory, joined as a tree at the end


def reduced(out: Ref, x: Ref, dims: Sequence[int], how: str, over: int | None = None) -> Kernel:
    """``out`` from ``x`` over some of its axes, in an order that is written down.

    Args:
        out: with an axis of size 1 for each that goes, or without them.
        x: what is reduced.
        dims: its axes that go.
        how: as in ``JOIN``.
        over: what the result is divided by.
    """
    gone = sorted({dim % len(x.sizes) for dim in dims}, key=lambda k: -x.strides[k])
    kept = [k for k in range(len(x.sizes)) if k not in gone]
    if len(out.sizes) == len(x.sizes):
        out = out.seen(kept)
    order = sorted(range(len(kept)), key=lambda k: -x.strides[kept[k]])
    out, kept = out.seen(order), [kept[k] for k in order]
    names = {
        **dict(zip(kept, axes(len(kept)), strict=True)),
        **dict(zip(gone, axes(len(gone), "k"), strict=True)),
    }
    source = f"$r0[{x.at([names[k] for k in range(len(x.sizes))])}]"
    place = f"$w0[{out.at([names[k] for k in kept])}]"
    kind, join = out.c_type, JOIN[how]
    end = f" / {literal(over, kind)}" if over is not None else ""
    first = {"sum": "0", "prod": "1", "max": "-INFINITY", "min": "INFINITY"}[how]
    if not out.dtype.is_floating_point and how in ("max", "min"):
        ends = torch.iinfo(torch.uint8 if out.dtype == torch.bool else out.dtype)
        first = literal(ends.min if how == "max" else ends.max, kind)

    def sizes(of: list[int]) -> tuple[int, ...]:
        return tuple(x.sizes[k] for k in of)

    def joined(a: str, b: str) -> str:
        return join.replace("$0", a).replace("$1", b)

    dense = len(gone) == 1 and x.strides[gone[0]] == 1 and x.sizes[gone[0]] >= 2 * LANES
    inner = (
        kept[-1:]
        if kept
        and x.strides[kept[-1]] < min((x.strides[k] for k in gone if x.sizes[k] > 1), default=0)
        else []
    )
    if inner:
        outer, own = kept[:-1], [names[inner[0]]]
        start = nested(sizes(inner), own, f"{place} = {first};")
        add = nested(sizes(inner), own, f"{place} = {joined(place, f'({kind}){source}')};")
        steps = nested(sizes(gone), [names[k] for k in gone], add)
        close = nested(sizes(inner), own, f"{place} = {place}{end};") if end else ""
        body = f"{start} {steps} {close}"
    elif dense:
        outer, size = kept, x.sizes[gone[0]]
        lane = x.at([f"({names[k]} + l)" if k in gone else names[k] for k in range(len(x.sizes))])
        whole, each = size - size % LANES, f"s[l] = {joined('s[l]', f'({kind})$r0[{lane}]')};"
        body = (
            f"{kind} s[{LANES}]; for (int l = 0; l < {LANES}; l++) s[l] = {first}; long k0 = 0; "
            f"for (; k0 < {whole}; k0 += {LANES}) for (int l = 0; l < {LANES}; l++) {each} "
            f"for (int l = 0; l < {size - whole}; l++) {each} "
            f"for (int w = {LANES // 2}; w; w /= 2) for (int l = 0; l < w; l++) "
            f"s[l] = {joined('s[l]', 's[l + w]')}; {place} = s[0]{end};"
        )
    else:
        outer = kept
        add = nested(
            sizes(gone), [names[k] for k in gone], f"s = {joined('s', f'({kind}){source}')};"
        )
        body = f"{kind} s = {first}; {add} {place} = s{end};"
    return Kernel([x], [out], nested(sizes(outer), [names[k] for k in outer], body))


def _dims(call: Call, key: str = "dim") -> list[int]:
    dims = call.of.get(key)
    if dims is None or dims == []:
        return list(range(call["self"].dim()))
    return [dims] if isinstance(dims, int) else list(dims)


@lowers("sum", "amax", "amin", "prod")
def _sum(call: Call) -> list[Node]:
    how = {"amax": "max", "amin": "min"}.get(call.name, call.name)
    return [_whole(target(call), Ref.of(call["self"]), _dims(call), how)]


@lowers("mean")
def _mean(call: Call) -> list[Node]:
    x, dims = Ref.of(call["self"]), _dims(call)
    count = 1
    for dim in dims:
        count *= x.sizes[dim]
    return [_whole(target(call), x, dims, "sum", count)]


def _whole(out: Ref, x: Ref, dims: Sequence[int], how: str, over: int | None = None) -> Node:
    """As :func:`reduced`, with axes put together where memory is dense."""
    if len({dim % max(len(x.sizes), 1) for dim in dims}) == len(x.sizes):
        order = sorted(range(len(x.sizes)), key=lambda k: -x.strides[k])
        seen = joined_axes([x.seen(order)])[0]
        if not seen.sizes:
            return Map(out, [seen.broadcast(out.sizes)], "$0", [out.c_type], out.c_type)
        single = Ref(out.buffer, out.dtype, out.offset, (), ())
        return reduced(single, seen, range(len(seen.sizes)), how, over)
    return reduced(out, x, dims, how, over)


@lowers("argmax", "argmin", "max", "min")
def _argmax(call: Call) -> list[Node]:
    x, best = Ref.of(call["self"]), call.name.removeprefix("arg")
    if call.of.get("dim") is None:
        if call.name == best:
            return [_whole(target(call), x, range(len(x.sizes)), best)]
        raise UnsupportedError("over all axes")
    dim = call["dim"] % len(x.sizes)
    kept = [k for k in range(len(x.sizes)) if k != dim]
    outs = [Ref.of(tensor) for tensor in call.made]
    outs = [out.seen(kept) if len(out.sizes) == len(x.sizes) else out for out in outs]
    names = axes(len(kept))
    own = [names[kept.index(k)] if k != dim else "k" for k in range(len(x.sizes))]
    sign = ">" if best == "max" else "<"
    zero = x.at(["0" if name == "k" else name for name in own])
    stores = [f"$w{i}[{out.at(names)}] = " for i, out in enumerate(outs)]
    ends = ["at;"] if len(outs) == 1 else ["best;", "at;"]
    body = (
        f"{x.c_type} best = $r0[{zero}]; int64_t at = 0; "
        f"for (long k = 1; k < {x.sizes[dim]}; k++) {{ const {x.c_type} v = $r0[{x.at(own)}]; "
        f"if (v {sign} best || (v != v && best == best)) {{ best = v; at = k; }} }} "
        + " ".join(map("".join, zip(stores, ends, strict=True)))
    )
    return [Kernel([x], outs, nested(tuple(x.sizes[k] for k in kept), names, body))]


@lowers("any", "all")
def _any(call: Call) -> list[Node]:
    x, out = Ref.of(call["self"]), target(call)
    if (x.dtype, out.dtype) != (torch.bool, torch.bool):
        raise UnsupportedError("of numbers")
    return [_whole(out, x, _dims(call), "max" if call.name == "any" else "min")]


@lowers("cumsum")
def _cumsum(call: Call) -> list[Node]:
    x, out = Ref.of(call["self"]), target(call)
    dim = call["dim"] % len(x.sizes)
    names = [name if k != dim else "k" for k, name in enumerate(axes(len(x.sizes)))]
    kept = [k for k in range(len(x.sizes)) if k != dim]
    body = (
        f"{out.c_type} s = 0; for (long k = 0; k < {x.sizes[dim]}; k++) "
        f"{{ s += $r0[{x.at(names)}]; $w0[{out.at(names)}] = s; }}"
    )
    sizes = tuple(x.sizes[k] for k in kept)
    return [Kernel([x], [out], nested(sizes, [names[k] for k in kept], body))]


@stands_for(aten.linalg_vector_norm.default)
def _vector_norm(
    x: Tensor,
    ord: float = 2,  # noqa: A002
    dim: Sequence[int] | None = None,
    keepdim: bool = False,
    dtype: torch.dtype | None = None,
) -> Any:
    dims = list(range(x.dim())) if dim is None else list(dim)
    if dtype not in (None, x.dtype):
        return NotImplemented
    if ord == 2:
        return (x * x).sum(dims, keepdim).sqrt()
    if ord == 1:
        return x.abs().sum(dims, keepdim)
    return x.abs().amax(dims, keepdim) if ord == math.inf else NotImplemented


@stands_for(aten.norm.ScalarOpt_dim)
def _norm(x: Tensor, p: float | None, dim: Sequence[int], keepdim: bool = False) -> Any:
    return _vector_norm(x, 2 if p is None else p, dim, keepdim)


@stands_for(aten.norm.Scalar)
def _whole_norm(x: Tensor, p: float = 2) -> Any:
    return _vector_norm(x, p)


@stands_for(aten.var_mean.correction)
def _var_mean(
    x: Tensor,
    dim: Sequence[int] | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
) -> tuple[Tensor, Tensor]:
    dims = list(dim or range(x.dim()))
    count = math.prod(x.shape[k] for k in dims)
    mean = x.mean(dims, keepdim=True)
    far = x - mean
    rest = max(count - (1 if correction is None else correction), 0)
    var = (far * far).sum(dims, keepdim) / rest
    return var, mean if keepdim else mean.squeeze(dims)


@stands_for(aten.var.correction)
def _var(x: Tensor, *args: Any, **kwargs: Any) -> Any:
    return _var_mean(x, *args, **kwargs)[0]


@stands_for(aten.std_mean.correction)
def _std_mean(x: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    var, mean = _var_mean(x, *args, **kwargs)
    return var.sqrt(), mean


@stands_for(aten.std.correction)
def _std(x: Tensor, *args: Any, **kwargs: Any) -> Any:
    return _var(x, *args, **kwargs).sqrt()


@stands_for(aten.any.default, aten.any.dim, aten.any.dims)
def _any_number(x: Tensor, *args: Any, **kwargs: Any) -> Any:
    return NotImplemented if x.dtype == torch.bool else (x != 0).any(*args, **kwargs)


@stands_for(aten.all.default, aten.all.dim, aten.all.dims)
def _all_numbers(x: Tensor, *args: Any, **kwargs: Any) -> Any:
    return NotImplemented if x.dtype == torch.bool else (x != 0).all(*args, **kwargs)


@stands_for(aten.argmax.default)
def _flat_argmax(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    return NotImplemented if dim is not None or keepdim else x.reshape(-1).argmax(0)


@stands_for(aten.argmin.default)
def _flat_argmin(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    return NotImplemented if dim is not None or keepdim else x.reshape(-1).argmin(0)
