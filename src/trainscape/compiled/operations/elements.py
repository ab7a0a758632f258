"""Operations on elements that are more than a row: copies, bounds, powers, logarithms."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from trainscape.compiled.nodes import Map, Ref, UnsupportedError, literal
from trainscape.compiled.operations._maps import copied, filled_with, mapped, target
from trainscape.compiled.operations._table import aten, lowers, stands_for

if TYPE_CHECKING:
    from trainscape.compiled.call import Call
    from trainscape.compiled.nodes import Node


@lowers("clone", "_to_copy")
def _copy(call: Call) -> list[Node]:
    return [copied(target(call), Ref.of(call.given[0]))]


@lowers("copy")
def _copy_in(call: Call) -> list[Node]:
    return [copied(target(call), Ref.of(call["src"]))]


@lowers("zero")
def _zero(call: Call) -> list[Node]:
    return filled_with(target(call), 0)


@lowers("fill")
def _fill(call: Call) -> list[Node]:
    value = call["value"]
    out = target(call)
    return [copied(out, Ref.of(value))] if isinstance(value, Tensor) else filled_with(out, value)


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


@stands_for(aten.log2.default)
def _log2(x: Tensor) -> Tensor:
    return x.log() * (1 / math.log(2))


@stands_for(aten.log10.default)
def _log10(x: Tensor) -> Tensor:
    return x.log() * (1 / math.log(10))


@stands_for(aten.tan.default)
def _tan(x: Tensor) -> Tensor:
    return x.sin() / x.cos()


@stands_for(aten.exp2.default)
def _exp2(x: Tensor) -> Tensor:
    return (x * math.log(2)).exp()


@stands_for(aten.xlogy.Tensor)
def _xlogy(x: Tensor, y: Tensor) -> Tensor:
    return torch.where((x == 0) & ~y.isnan(), torch.zeros_like(x * y), x * y.log())
