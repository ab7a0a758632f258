"""Maps, the nodes of operations on elements: a value for each element of a result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from trainscape.compiled.nodes import C_TYPES, Map, Ref, UnsupportedError, filled, literal
from trainscape.compiled.operations._pointwise import (
    COMPARED,
    DOUBLE,
    PLAIN,
    POINTWISE,
    SINGLE,
    TRUTHS,
    WRAPPING,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trainscape.compiled.call import Call
    from trainscape.compiled.nodes import Node


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


def copied(out: Ref, source: Ref) -> Map:
    """The elements of ``source`` in the place of those of ``out``."""
    kind = "truth" if out.dtype == torch.bool else out.c_type
    return Map(out, [source.broadcast(out.sizes)], "$0", [kind], out.c_type)


def filled_with(out: Ref, value: float) -> list[Node]:
    """One number in the place of every element of ``out``."""
    value = bool(value) if out.dtype == torch.bool else value
    return [Map(out, [], literal(value, out.c_type), [], out.c_type)]
