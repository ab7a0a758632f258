"""The table of operations: from a call of one of torch's kernels to loops and kernels here."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from trainscape.compiled.nodes import (
    C_TYPES,
    Kernel,
    Map,
    Ref,
    UnsupportedError,
    axes,
    filled,
    nested,
)
from trainscape.compiled.pointwise import (
    COMPARED,
    DOUBLE,
    OPERANDS,
    PLAIN,
    POINTWISE,
    SINGLE,
    TRUTHS,
    WRAPPING,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from trainscape.compiled.call import Call
    from trainscape.compiled.nodes import Node

    Lowering = Callable[[Call], list[Node]]

LOWERINGS: dict[str, Lowering] = {}


def lowers(*names: str) -> Callable[[Lowering], Lowering]:
    """Enter a function into the table, under the names of operations."""

    def enter(of: Lowering) -> Lowering:
        LOWERINGS.update(dict.fromkeys(names, of))
        return of

    return enter


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


def target(call: Call) -> Ref:
    """Where the only result of a call goes."""
    if call.written:
        return Ref.of(call.written[0])
    return Ref.of(call.made[0])


def mapped(out: Ref, name: str, values: Sequence[Any], numbers: Mapping[str, Any]) -> Map:
    """A table's entry on these operands, tensors and numbers."""
    kind = out.dtype
    if name in COMPARED:
        kind = torch.result_type(*values) if len(values) == 2 else values[0].dtype
    if kind not in C_TYPES:
        raise UnsupportedError(f"of {kind}")
    c_type, text = C_TYPES[kind], POINTWISE[name]
    named = {key: numbers[key] for key in ("alpha", "value") if key in numbers}
    if all(value == 1 for value in named.values()):
        text = PLAIN.get(name, text)
    if kind == torch.bool:
        text = TRUTHS.get(name, text)
    elif not kind.is_floating_point:
        text = WRAPPING.get(name, text)
    elif kind == torch.float64:
        if name in SINGLE:
            raise UnsupportedError("of doubles")
        text = DOUBLE.get(name, text)
    ins: list[Ref] = []
    types: list[str] = []
    words = {key: literal(value, c_type) for key, value in named.items()}
    for i, value in enumerate(values):
        own = "truth" if kind == torch.bool or (name == "where" and i == 0) else c_type
        if isinstance(value, Tensor):
            words[str(i)] = f"${len(ins)}"
            ins.append(Ref.of(value).broadcast(out.sizes))
            types.append(own)
        else:
            words[str(i)] = literal(bool(value) if kind == torch.bool else value, c_type)
    return Map(out, ins, filled(text, words), types, c_type)


def literal(value: float, c_type: str) -> str:
    """A number in C, exact to the last bit."""
    if c_type.startswith(("int", "uint", "truth")):
        if value != int(value):
            raise UnsupportedError(f"with {value} as a whole number")
        return f"((int64_t){int(value) & (1 << 64) - 1:#x}ull)"
    number = ctypes.c_float(value).value if c_type == "float" else float(value)
    if number != number:
        return "NAN"
    if abs(number) == float("inf"):
        return "INFINITY" if number > 0 else "-INFINITY"
    return f"({number.hex()}{'f' if c_type == 'float' else ''})"


def copied(out: Ref, source: Ref) -> Map:
    """The elements of ``source`` in the place of those of ``out``."""
    kind = "truth" if out.dtype == torch.bool else out.c_type
    return Map(out, [source.broadcast(out.sizes)], "$0", [kind], out.c_type)


# Elements -----------------------------------------------------------------------------------------


@lowers("clone", "_to_copy")
def _copy(call: Call) -> list[Node]:
    return [copied(target(call), Ref.of(call.given[0]))]


@lowers("copy")
def _copy_in(call: Call) -> list[Node]:
    return [copied(target(call), Ref.of(call["src"]))]


@lowers("zero")
def _zero(call: Call) -> list[Node]:
    return _fill_with(target(call), 0)


@lowers("fill")
def _fill(call: Call) -> list[Node]:
    value = call["value"]
    out = target(call)
    return [copied(out, Ref.of(value))] if isinstance(value, Tensor) else _fill_with(out, value)


def _fill_with(out: Ref, value: float) -> list[Node]:
    value = bool(value) if out.dtype == torch.bool else value
    return [Map(out, [], literal(value, out.c_type), [], out.c_type)]


@lowers("masked_fill")
def _masked_fill(call: Call) -> list[Node]:
    return [mapped(target(call), "where", [call["mask"], call["value"], call["self"]], {})]


@lowers("clamp")
def _clamp(call: Call) -> list[Node]:
    out, x = target(call), call["self"]
    low, high = call["min"], call["max"]
    if high is None:
        return [mapped(out, "clamp_min", [x, low], {})]
    if low is None:
        return [mapped(out, "clamp_max", [x, high], {})]
    made = mapped(out, "clamp_min", [x, low], {})
    if isinstance(high, Tensor):
        own = call.written[0] if call.written else call.made[0]
        return [made, mapped(out, "clamp_max", [own, high], {})]
    made.text = f"MIN({made.text}, {literal(high, out.c_type)})"
    return [made]


@lowers("pow")
def _pow(call: Call) -> list[Node]:
    out, base, exponent = target(call), call["self"], call["exponent"]
    whole = {2: "$0 * $0", 3: "$0 * $0 * $0", 1: "$0", 0.5: "SQRT($0)", -1: "1 / $0"}
    if isinstance(exponent, Tensor) or exponent not in whole:
        if not out.dtype.is_floating_point:
            raise UnsupportedError("of whole numbers")
        return [mapped(out, "pow", [base, exponent], {})]
    return [
        Map(out, [Ref.of(base).broadcast(out.sizes)], whole[exponent], [out.c_type], out.c_type)
    ]


@lowers("div")
def _div(call: Call) -> list[Node]:
    out, rounding, values = (
        target(call),
        call.of.get("rounding_mode"),
        [call["self"], call["other"]],
    )
    if rounding == "floor":
        return [mapped(out, "floor_divide", values, {})]
    made = mapped(out, "div", values, {})
    if rounding == "trunc":
        if not out.dtype.is_floating_point:
            raise UnsupportedError("of whole numbers, rounded to 0")
        made.text = f"TRUNC({made.text})"
    return [made]


@lowers("cat")
def _cat(call: Call) -> list[Node]:
    out, dim = call.made[0], call["dim"]
    sizes = [tensor.shape[dim] for tensor in call["tensors"]]
    parts = torch.split(out, sizes, dim)
    pairs = zip(parts, call["tensors"], strict=True)
    return [copied(Ref.of(part), Ref.of(tensor)) for part, tensor in pairs]


@lowers("stack")
def _stack(call: Call) -> list[Node]:
    pairs = zip(call.made[0].unbind(call["dim"]), call["tensors"], strict=True)
    return [copied(Ref.of(part), Ref.of(tensor)) for part, tensor in pairs]


@lowers("repeat")
def _repeat(call: Call) -> list[Node]:
    x, out = call["self"], call.made[0]
    lead = out.dim() - x.dim()
    x = x.reshape([1] * lead + list(x.shape))
    counts = call["repeats"]
    split = out.view([n for pair in zip(counts, x.shape, strict=True) for n in pair])
    wide = x.view([n for size in x.shape for n in (1, size)])
    return [copied(Ref.of(split), Ref.of(wide))]


# Places that numbers name -------------------------------------------------------------------------


def _inside(index: str, size: int) -> str:
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
    value = f"{_inside('row', table.sizes[dim])} ? $r0[{table.at(own)}] : {none}"
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
        f"$w0[{out.at(names)}] = {_inside('row', table.sizes[dim])} "
        f"? $r0[{table.at(own)}] : {none};"
    )
    return [Kernel([table, index], [out], nested(out.sizes, names, body))]


@lowers("index", "_unsafe_index")
def _index(call: Call) -> list[Node]:
    out, table = target(call), Ref.of(call["self"])
    known, shape, refs = _indices(call)
    names, first, count = axes(len(out.sizes)), known[0], len(shape)
    own = [*names[:first], *(f"row{k}" for k in known), *names[first + count :]]
    head, inside = _rows_read(known, refs, names[first : first + count], table, 1)
    none = "NAN" if out.dtype.is_floating_point else "0"
    body = f"{head}$w0[{out.at(names)}] = {inside} ? $r0[{table.at(own)}] : {none};"
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
    head, inside = "", []
    for i, (k, ref) in enumerate(zip(known, refs, strict=True), first):
        size = of.sizes[k]
        head += f"int64_t row{k} = $r{i}[{ref.at(names)}]; row{k} += row{k} < 0 ? {size} : 0; "
        inside.append(_inside(f"row{k}", size))
    return head, " && ".join(inside)


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
        f"if ({_inside('row', out.sizes[dim])}) $w0[{out.at(own)}] {how} {value};"
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
        f"if ({_inside('row', out.sizes[dim])}) $w0[{out.at(own)}] {how} $r1[{source.at(names)}];"
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
    inside = f"{_inside('row', out.sizes[0])} && row != {call['padding_idx']}"
    add = f"$w0[{out.at(['row', names[-1]])}] += $r1[{grad.at(names)}];"
    body = (
        f"const int64_t row = $r0[{index.at(names[:-1])}]; "
        f"if ({inside}) {nested(grad.sizes[-1:], names[-1:], add)}"
    )
    loops = nested(grad.sizes[:-1], names[:-1], body)
    return [*_fill_with(out, 0), Kernel([index, grad], [out], loops, partial=True)]


@lowers("index_put", "_unsafe_index_put")
def _index_put(call: Call) -> list[Node]:
    out = target(call)
    known, shape, refs = _indices(call)
    first, count = known[0], len(shape)
    sizes = (*out.sizes[:first], *shape, *out.sizes[known[-1] + 1 :])
    source = Ref.of(call["values"]).broadcast(sizes)
    names = axes(len(sizes))
    head, inside = _rows_read(known, refs, names[first : first + count], out, 0)
    own = [*names[:first], *(f"row{k}" for k in known), *names[first + count :]]
    how = "+=" if call["accumulate"] else "="
    value = f"$r{len(known)}[{source.at(names)}]"
    body = f"{head}if ({inside}) $w0[{out.at(own)}] {how} {value};"
    before: list[Node] = [] if call.written else [copied(out, Ref.of(call["self"]))]
    loops = nested(sizes, names, body)
    return [*before, Kernel([*refs, source], [out], loops, partial=True)]


@lowers("nll_loss_forward")
def _nll(call: Call) -> list[Node]:
    x, y, weight = _nll_places(call)
    out, total = map(Ref.of, call.out)
    how, size = call["reduction"], x.sizes[0]
    ins, share = [x, y], "1"
    if weight is not None:
        ins, share = [x, y, weight], f"$r2[{weight.at(['row'])}]"
    each = f"$w0[{out.at(['i'])}] = part;" if how == 0 else "sum += part; count += share;"
    none = f"$w0[{out.at(['i'])}] = 0; " if how == 0 else ""
    body = (
        f"{x.c_type} sum = 0, count = 0; for (long i = 0; i < {size}; i++) "
        f"{{ const int64_t row = $r1[{y.at(['i'])}]; "
        f"if (row == {call['ignore_index']}) {{ {none}continue; }} "
        f"const int inside = {_inside('row', x.sizes[1])}; "
        f"const {x.c_type} share = inside ? {share} : NAN; "
        f"const {x.c_type} part = inside ? -share * $r0[{x.at(['i', 'row'])}] : NAN; {each} }} "
    )
    if how:
        body += f"$w0[{out.at([])}] = {'sum / count' if how == 1 else 'sum'}; "
    return [Kernel(ins, [out, total], f"{body}$w1[{total.at([])}] = count;")]


@lowers("nll_loss_backward")
def _nll_backward(call: Call) -> list[Node]:
    x, y, weight = _nll_places(call)
    out, grad, total = target(call), Ref.of(call["grad_output"]), Ref.of(call["total_weight"])
    how = call["reduction"]
    ins, share = [grad, y, total], f"-$r0[{grad.at(['i'] if how == 0 else [])}]"
    if how == 1:
        share += f" / $r2[{total.at([])}]"
    if weight is not None:
        ins, share = [*ins, weight], f"{share} * $r3[{weight.at(['row'])}]"
    body = (
        f"for (long i = 0; i < {x.sizes[0]}; i++) {{ const int64_t row = $r1[{y.at(['i'])}]; "
        f"if (row != {call['ignore_index']} && {_inside('row', x.sizes[1])}) "
        f"$w0[{out.at(['i', 'row'])}] = {share}; }}"
    )
    return [*_fill_with(out, 0), Kernel(ins, [out], body, partial=True)]


def _nll_places(call: Call) -> tuple[Ref, Ref, Ref | None]:
    """Log-probabilities (N, C), classes (N,), and the weights of classes."""
    x, y, weight = Ref.of(call["self"]), Ref.of(call["target"]), call["weight"]
    if len(x.sizes) != 2:
        raise UnsupportedError("of a single example")
    return x, y, None if weight is None else Ref.of(weight)


# Sums and such over axes --------------------------------------------------------------------------

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


def joined_axes(refs: list[Ref]) -> list[Ref]:
    """Tensors of one shape with as few axes as can be: neighbours that all hold densely are one."""
    sizes = refs[0].sizes
    keep = [k for k in range(len(sizes)) if sizes[k] != 1]
    shape: list[int] = []
    strides: list[list[int]] = [[] for _ in refs]
    for k in keep:
        fits = bool(shape) and all(
            own[-1] == ref.strides[k] * sizes[k] for own, ref in zip(strides, refs, strict=True)
        )
        if fits:
            shape[-1] *= sizes[k]
        else:
            shape.append(sizes[k])
        for own, ref in zip(strides, refs, strict=True):
            if fits:
                own[-1] = ref.strides[k]
            else:
                own.append(ref.strides[k])
    return [
        Ref(ref.buffer, ref.dtype, ref.offset, tuple(shape), tuple(own))
        for ref, own in zip(refs, strides, strict=True)
    ]


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
