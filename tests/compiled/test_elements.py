"""Operations on elements, compiled: of every type of numbers, special ones too, and in place."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from kit.programs import agree, case, numbers
from kit.programs import one_thread as one_thread  # autouse, once it is here

UNARY = {
    **{name: getattr(torch, name) for name in ("abs", "ceil", "cos", "erf", "exp", "expm1")},
    **{name: getattr(torch, name) for name in ("floor", "isfinite", "isinf", "isnan", "neg")},
    **{name: getattr(torch, name) for name in ("logical_not", "relu", "round", "sgn", "sigmoid")},
    **{name: getattr(torch, name) for name in ("sign", "sin", "tanh", "trunc", "tan", "exp2")},
    **{name: getattr(torch, name) for name in ("square", "reciprocal")},
}
POSITIVE = {name: getattr(torch, name) for name in ("log", "log1p", "log2", "log10")}
POSITIVE |= {name: getattr(torch, name) for name in ("sqrt", "rsqrt")}
BINARY = {
    **{name: getattr(torch, name) for name in ("add", "eq", "fmod", "ge", "gt", "le", "lt")},
    **{name: getattr(torch, name) for name in ("logical_and", "logical_or", "maximum", "minimum")},
    **{name: getattr(torch, name) for name in ("mul", "ne", "remainder", "sub", "div")},
    "floor_divide": torch.floor_divide,
    "rsub": lambda x, y: 3 - x - y,
}


def test_functions_of_one_operand() -> None:
    """Of floats in odd layouts, with the special numbers."""
    special = torch.tensor([0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 0.5, -0.5])
    tiny = torch.tensor([1e-30])  # apart: all others would be small beside its reciprocal
    agree(
        *(case(name, of, numbers(3, 1, 7)) for name, of in UNARY.items()),
        *(case(f"{name} special", of, special.clone()) for name, of in UNARY.items()),
        *(case(name, of, numbers(5, 3).abs() + 0.01) for name, of in POSITIVE.items()),
        *(case(f"{name} special", of, special.clone()) for name, of in POSITIVE.items()),
        *(case(f"{name} tiny", of, tiny.clone()) for name, of in {**UNARY, **POSITIVE}.items()),
        *(case(f"{name} turned", lambda x, of=of: of(x.t()), numbers(5, 3)) for name, of in
          UNARY.items()),
    )  # fmt: skip


@pytest.mark.parametrize("kind", [torch.float64, torch.int64, torch.int32, torch.uint8, torch.bool])
def test_functions_of_one_operand_of_other_types(kind: torch.dtype) -> None:
    """Whole numbers stay exact, doubles precise."""
    kept = dict(UNARY)
    if kind == torch.float64:
        del kept["erf"]
        kept |= {f"{name} of |x|": lambda x, of=of: of(x.abs()) for name, of in POSITIVE.items()}
    if kind == torch.bool:
        kept = {name: kept[name] for name in ("abs", "logical_not", "exp", "isnan", "sin")}
        kept["abs"] = torch.bitwise_not
    if kind == torch.uint8:
        del kept["relu"]
    cases = [case(name, of, numbers(3, 5, kind=kind)) for name, of in kept.items()]
    if kind == torch.int64:
        cases.append(case("large", lambda x: (x.abs(), x.neg(), ~x), torch.tensor([2**53 + 1, 3])))
    agree(*cases)


def test_functions_of_two_operands() -> None:
    """Broadcast either way, from a transposed, an expanded and a sliced operand."""
    agree(
        *(case(name, of, numbers(3, 1, 5), numbers(4, 1)) for name, of in BINARY.items()),
        *(
            case(f"{name} views", lambda x, y, of=of: of(x.t()[:, ::2], y[1:].expand(3, 3)),
                 numbers(5, 3), numbers(4)) for name, of in BINARY.items()
        ),
        *(case(f"{name} numbers", lambda x, of=of: of(x, 1.5), numbers()) for name, of in
          BINARY.items() if name not in ("logical_and", "logical_or", "maximum", "minimum")),
    )  # fmt: skip


@pytest.mark.parametrize("kind", [torch.float64, torch.int64, torch.uint8])
def test_functions_of_two_operands_of_other_types(kind: torch.dtype) -> None:
    """Alone, and together with floats."""

    def nonzero(y: Tensor) -> Tensor:
        return torch.where(y == 0, 2, y).to(kind)

    bits = {} if kind.is_floating_point else {
        name: getattr(torch, f"bitwise_{name}") for name in ("and", "or", "xor")
    }  # fmt: skip
    agree(
        *(
            case(name, lambda x, y, of=of: of(x, nonzero(y)), numbers(3, 1, 5, kind=kind),
                 numbers(4, 1, kind=kind)) for name, of in {**BINARY, **bits}.items()
        ),
        *(
            case(f"{name} mixed", lambda x, y, of=of: of(x, y + 0.25), numbers(3, 5, kind=kind),
                 numbers(5)) for name, of in BINARY.items() if kind != torch.float64
        ),
    )  # fmt: skip


def test_numbers_beside_tensors_of_whole_numbers() -> None:
    """Factors count, sums wrap around, shifts may be long, truths stay truths."""
    x, y = numbers(3, 5, kind=torch.int64), numbers(5, kind=torch.int64)
    big = torch.tensor([2**62, -(2**62), 2**53 + 1, 7])
    truths = numbers(6) > 0
    agree(
        case("add", lambda x, y: (x.add(y, alpha=3), x.sub(y, alpha=-2), 3 - x), x, y),
        case("rsub", lambda x, y: torch.rsub(x, y, alpha=5), x.clone(), y.clone()),
        case("addcmul", lambda x, y: x.addcmul(x, y, value=2), x.clone(), y.clone()),
        case("wrap", lambda x: (x + x, x * 3, x - 2 * x, x**2), big),
        case("shift", lambda x: (x << 3, x >> 2, x >> 70, x << 64, torch.bitwise_left_shift(x, 3),
             torch.bitwise_right_shift(x, 70)), big.clone()),
        case("bool fill", lambda x: (x.clone().fill_(2), torch.full_like(x, 7)), truths),
        case("bool", lambda x: (x + x, x * x, x & ~x, x | x, x ^ x, x.sum(), x.float().mean()),
             truths.clone()),
        case("bool where", lambda x: (x.masked_fill(~x, 5), torch.where(x, x, ~x)), truths.clone()),
        case("to", lambda x: (x.double(), x.bool(), x.int(), x.float()), x.clone()),
        case("from", lambda x: (x.long(), x.bool(), x.double(), x.int()), numbers(7) * 5),
        case("int32", lambda x: (x.amax(0), x.amin(), x.cumsum(0), x * 2.5, x.max(1)),
             numbers(3, 5, kind=torch.int32)),
        case("uint8", lambda x: (x.amax(0), x.amin(), x.sum(), x.float() / 255, x / 3),
             numbers(3, 5, kind=torch.uint8)),
        case("zero divisor", lambda x, y: x.float().remainder(y.float()), x.clone(), y.clone() * 0),
    )  # fmt: skip


def test_functions_of_three_operands_and_with_bounds() -> None:
    """With numbers and tensors in every place."""
    x, y, z = numbers(3, 5), numbers(5), numbers(3, 1)
    agree(
        case("addcmul", lambda x, y, z: (x.addcmul(y, z), x.addcmul(y, z, value=-0.5)), x, y, z),
        case("addcdiv", lambda x, y, z: (x.addcdiv(y, z), x.addcdiv(y, z, value=-0.5)),
             *(of.clone() for of in (x, y, z))),
        case("lerp", lambda x, y, z: (x.lerp(y, 0.3), x.lerp(y, 0.7), x.lerp(y, z)),
             *(of.clone() for of in (x, y, z))),
        case("where", lambda x, y, z: (torch.where(x > y, y, z), torch.where(z > 0, x, 2.0)),
             *(of.clone() for of in (x, y, z))),
        case("masked_fill", lambda x, y: (x.masked_fill(y > 0, 3), x.masked_fill(x > 0, y[0])),
             x.clone(), y.clone()),
        case("clamp", lambda x, y, z: (x.clamp(-0.5, 0.5), x.clamp(max=0), x.clamp(min=y),
             x.clamp(y, y + 1), x.clamp(z, 0.3 + z.abs())), *(of.clone() for of in (x, y, z))),
        case("pow", lambda x: (x**2, x**3, x**0.5, x**-1, x**1, x**1.7, x**0, x.pow(x), 2**x,
             x**-0.5), x.abs() + 0.1),
        case("pow of doubles", lambda x: (x**2, x.abs() ** 1.7, x**4, 0.9**x, x.abs() ** x),
             x.double()),
        case("div", lambda x, y: (x.div(y, rounding_mode="floor"),
             x.div(y, rounding_mode="trunc")), x.clone(), y.clone()),
        case("alpha", lambda x, y: (x.add(y, alpha=0.3), x.sub(y, alpha=0.3), y.sub(x),
             torch.rsub(x, y, alpha=0.7)), x.clone(), y.clone()),
        case("threshold", lambda x: functional.threshold(x, 0.1, 2.0), x.clone()),
        case("xlogy", lambda x, y: torch.xlogy(x, y.abs()), x.clone().relu(), y.clone()),
        case("literals", lambda x: x[0] * torch.tensor([1.0, 2.0, 0.5, 4.0, -1.0]), x.clone()),
    )  # fmt: skip


def test_what_is_written_in_place() -> None:
    """Aliases, views of one memory at other places, constants that are written to later."""

    def parts(x: Tensor) -> None:
        x[:2].add_(x[2:])
        x[:, 0].mul_(x[:, 1])
        x[1:, ::2] = x[:-1, 1::2].clone()
        x[3].copy_(x[0])

    def from_constant(x: Tensor) -> Tensor:
        z = torch.zeros(5)
        first = x + z
        z.add_(x[0])
        z[1:] += 1
        return first * z

    def long(x: Tensor) -> Tensor:
        whole = x.new_zeros(40)
        whole[20:].copy_(x[0, 0].expand(20))
        return whole[:5].clone()

    agree(
        case("twice", lambda x: x.add_(x).mul_(x).sub_(x), numbers(3, 5)),
        case("turned", lambda x: x.copy_(x.t().clone()), numbers(5, 5)),
        case("parts", parts, numbers(4, 6)),
        case("from constant", from_constant, numbers(5, 5)),
        case("long", long, numbers(5, 5)),
        case("other type", lambda x, y: x.mul_(y).add_(y), numbers(3, 5), numbers(5).double()),
        case("comparison", lambda x: x.gt_(0), numbers(7)),
        case("out", lambda x, y: torch.add(x, 1, out=y), numbers(7), numbers(7)),
        case("relu_", lambda x: (x.clone().relu_(), x.zero_().fill_(3)), numbers(3, 1)),
        case("number", lambda x: x.fill_(x[0, 0].clone()), numbers(3, 2)),
        case("turn", lambda x: x.clone().t_().squeeze_().add_(x[:, 0]), numbers(3, 1)),
        case("count", lambda n: n.add_(1), torch.tensor(4)),
        case("swap", lambda x, y: (x.copy_(y), y.copy_(x * 2)), numbers(4), numbers(4)),
    )
