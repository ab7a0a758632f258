"""What is compiled against torch: every entry of the tables, forwards and backwards."""

from __future__ import annotations

import itertools
import math
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from trainscape.compiled.decompositions import DECOMPOSITIONS
from trainscape.compiled.lowering import LOWERINGS
from trainscape.compiled.pointwise import POINTWISE

from trainscape import optimizers
from trainscape.compiled.call import address, tensors
from trainscape.compiled.compiler import NoCompiler, compiler
from trainscape.compiled.nodes import UnsupportedError
from trainscape.compiled.programs import compiled
from trainscape.compiled.recording import Recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Function = Callable[..., Any]
    Case = tuple[str, Function, list[Tensor]]

try:
    compiler()
except NoCompiler as missing:
    pytest.skip(str(missing), allow_module_level=True)

LAST = torch.channels_last


@pytest.fixture(autouse=True)
def _seed() -> Iterator[None]:
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def numbers(*sizes: int, kind: torch.dtype = torch.float32) -> Tensor:
    """Random numbers: normal ones, or from -9 to 9, or truths."""
    if kind.is_floating_point:
        return torch.randn(sizes, dtype=kind)
    return torch.randint(0 if kind == torch.uint8 else -9, 10, sizes).to(kind)


def places(high: int, *sizes: int) -> Tensor:
    """Random places on an axis of length ``high``."""
    return torch.randint(0, high, sizes)


def agree(*cases: Case, rtol: float = 2e-5) -> None:
    """Compile all cases as one program, and compare it with torch on other numbers.

    Args:
        cases: each a name, a function and what it is given. Functions return tensors, and may write
            into what they are given.
        rtol: how far numbers may lie apart, relative to the largest of a tensor.
    """
    roles: dict[str, Tensor] = {}
    outs: list[list[Tensor]] = []
    for name, function, given in cases:
        roles.update((f"{name} in {i}", tensor) for i, tensor in enumerate(given))
        copies = [tensor.detach().clone() for tensor in given]
        outs.append([torch.zeros_like(out.contiguous()) for out in tensors(function(*given))])
        for tensor, copy in zip(given, copies, strict=True):
            tensor.detach().copy_(copy)
        roles.update((f"{name} out {i}", out) for i, out in enumerate(outs[-1]))

    def work() -> None:
        for (_, function, given), kept in zip(cases, outs, strict=True):
            for out, made in zip(kept, tensors(function(*given)), strict=True):
                out.copy_(made.detach())

    with torch.no_grad():
        program = compiled(work, roles)
        for _, _, given in cases:
            for tensor in given:
                tensor.detach().copy_(_shuffled(tensor.detach()))
        begun = {name: tensor.detach().clone() for name, tensor in roles.items()}
        work()
        expected = {name: tensor.detach().clone() for name, tensor in roles.items()}
        for name, tensor in roles.items():
            tensor.detach().copy_(begun[name])
    where = {name: np.array([address(tensor)], np.uint64) for name, tensor in roles.items()}
    program.run(program.addresses(where, 1))
    for name, tensor in roles.items():
        _same(name, tensor.detach(), expected[name], rtol)


def _shuffled(tensor: Tensor) -> Tensor:
    """The numbers of a tensor, elsewhere; floats are larger by a little, too."""
    flat = tensor.reshape(-1)[torch.randperm(tensor.numel())].view(tensor.shape)
    return flat * 1.03125 if flat.is_floating_point() else flat


def _same(name: str, found: Tensor, expected: Tensor, rtol: float) -> None:
    if not found.is_floating_point():
        assert torch.equal(found, expected), name
        return
    scale = expected[expected.isfinite()].abs().max().item() if expected.isfinite().any() else 0
    rtol = rtol if found.dtype == torch.float32 else 1e-12
    close = torch.isclose(found, expected, rtol=rtol, atol=rtol * scale, equal_nan=True)
    assert close.all(), f"{name}: {found[~close][:4]} in place of {expected[~close][:4]}"


def case(name: str, function: Function, *given: Tensor) -> Case:
    """For :func:`agree`."""
    return name, function, list(given)


def slopes(name: str, function: Function, *given: Tensor) -> Case:
    """A function with its gradients by all that is given and is a float."""
    for tensor in given:
        tensor.requires_grad_(tensor.is_floating_point())

    def both(*given: Tensor) -> list[Tensor]:
        with torch.enable_grad():
            outs = tensors(function(*given))
            loss = sum(
                (out * torch.arange(out.numel()).add(1).cos().view(out.shape)).sum()
                for out in outs
                if out.requires_grad
            )
            wanted = [tensor for tensor in given if tensor.requires_grad]
            return [*outs, *torch.autograd.grad(loss, wanted)]  # type: ignore[arg-type]

    return name, both, list(given)


def trained(name: str, module: nn.Module, *given: Tensor) -> Case:
    """As :func:`slopes`, by a module's parameters, too; its buffers are compared as well."""
    own = [*module.parameters(), *module.buffers()]
    made = slopes(name, lambda *of: module(*of[: len(given)]), *given, *own)
    for buffer in module.buffers():
        buffer.requires_grad_(False)
    return made


def refusal(function: Function, *given: Tensor) -> str:
    """Why a function is not compiled."""
    with Recording() as recording, torch.no_grad():
        function(*given)
    return str(recording.why)


# Elements -----------------------------------------------------------------------------------------

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
    special = torch.tensor([0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 1e-30, 0.5, -0.5])
    agree(
        *(case(name, of, numbers(3, 1, 7)) for name, of in UNARY.items()),
        *(case(f"{name} special", of, special.clone()) for name, of in UNARY.items()),
        *(case(name, of, numbers(5, 3).abs() + 0.01) for name, of in POSITIVE.items()),
        *(case(f"{name} special", of, special.clone()) for name, of in POSITIVE.items()),
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


# Places -------------------------------------------------------------------------------------------


def test_parts_and_places() -> None:
    """Rows and columns that data names, and tensors put together from others."""
    x = numbers(4, 5)
    agree(
        case("gather", lambda x, i: x.gather(1, i), x, places(5, 4, 3)),
        case("gather rows", lambda x, i: x.t().gather(-2, i), x.clone(), places(5, 2, 4)),
        case("scatter", lambda x, i: (x.scatter(1, i, 7), x.scatter(1, i, x * 2)), x.clone(),
             torch.rand(4, 5).argsort(1)[:, :3].contiguous()),
        case("scatter_add", lambda x, i: x.scatter_add(0, i, x), x.clone(), places(4, 2, 5)),
        case("index", lambda x, i, j: (x[i], x[:, i], x[i, j], x[i[:, None], j], x[None, :, j],
             x[-i - 1]), x.clone(), places(4, 6), places(5, 6)),
        case("select", lambda x, i: (x.index_select(0, i), x.index_select(-1, i[1:])), x.clone(),
             places(4, 6)),
        case("put", lambda x, i, j, y: (x.index_put((i, j), y, True), x.index_put_((i,), y[:1])),
             x.clone(), places(4, 6), places(5, 6), numbers(6)),
        case("put columns", lambda x, i, y: torch.ops.aten.index_put(x, [None, i], y, True),
             x.clone(), places(5, 3), numbers(3)),
        case("put by mask", lambda x: x.__setitem__(x > 0, 0.0), x.clone()),
        case("add", lambda x, i: (x.index_add(0, i, x), x.index_copy(0, i[:1], x[:1])), x.clone(),
             places(4, 4)),
        case("copy to number", lambda x, i, y: x.index_copy_(0, i, y[None]), numbers(5),
             places(5), torch.tensor(3.0)),
        case("embed", lambda w, i: functional.embedding(i, w), numbers(7, 3), places(7, 2, 3)),
        case("embed int32", lambda w, i: (functional.embedding(i, w), w.index_select(0, i[0])),
             numbers(7, 3), places(7, 2, 3).int()),
        case("join", lambda x: (torch.cat([x, x[:1]]), torch.cat([x, x.double()], -1),
             torch.stack([x, x + 1], 1), torch.stack([x[0], x[1]], -1)), x.clone()),
        case("repeat", lambda x: (x.repeat(2, 1, 3), x.t().repeat(1, 2), x[:, :1].expand(4, 3) + 1,
             x.repeat_interleave(2, 1), x.tile(2)), x.clone()),
        case("frame", lambda x: (functional.pad(x, (1, 2, 0, 1), value=2.0),
             functional.pad(x, (-1, 2)), functional.pad(x, (1, -2, -1, 0))), x.clone()),
        case("triangle", lambda x: (x.tril(), x.triu(1), x.tril(-1), x.t().triu()), x.clone()),
        case("cumsum", lambda x: (x.cumsum(0), x.cumsum(-1), x.t().cumsum(1)), x.clone()),
        case("turn", lambda x: (x.flip(0, 1), x.roll(2), x.roll((1, -1), (0, 1)), x.movedim(0, 1)),
             x.clone()),
        case("diagonal", lambda x: (x.diagonal(1), x[0].diag_embed(), x[0].diag(), x.mT + 1),
             x.clone()),
        case("split", lambda x: (*x.split([2, 3], 1), *x.chunk(2), *x.unbind(1)), x.clone()),
    )  # fmt: skip


def test_no_place_outside_memory_is_read_or_written() -> None:
    """Indices that data holds may be wrong: it is told, and what they would read is NaN or 0."""
    x, i = torch.ones(8, 5), torch.zeros(6, dtype=torch.int64)
    y, n = torch.zeros(8, 5), torch.ones(8, dtype=torch.int64)
    rows = torch.zeros(6, 5)
    found = [torch.zeros(6, 5) for _ in range(3)] + [torch.zeros(6, 1)]
    counts, table = torch.ones(6, dtype=torch.int64), torch.zeros(8, 5)

    def work() -> None:
        found[0].copy_(x.index_select(0, i))
        found[1].copy_(x[i])
        found[2].copy_(functional.embedding(i, x))
        found[3].copy_(x.gather(0, i[:, None]))
        counts.copy_(n[i])
        y.index_put_((i,), rows, accumulate=True).index_add_(0, i, rows)
        y.index_copy_(0, i[:1], rows[:1])
        y.scatter_(0, i[:, None], 2.0).scatter_add_(0, i[:, None], rows)
        table.copy_(torch.ops.aten.embedding_dense_backward(rows, i, 8, -1, False))
        functional.nll_loss(y, i[:1].expand(8))

    roles = {"x": x, "i": i, "y": y, "n": n, "rows": rows, "counts": counts, "table": table}
    roles |= {f"found {k}": of for k, of in enumerate(found)}
    program = compiled(work, roles)
    guarded = {name: torch.full((64, *of.shape), 5).to(of.dtype) for name, of in roles.items()}
    for name, of in roles.items():
        guarded[name][32] = of
    guarded["rows"][32] = 1
    for wrong in (8, 40, -41, 2**40, -(2**62)):
        guarded["i"][32] = wrong
        where = {
            name: np.array([of[32].data_ptr()], np.uint64) for name, of in guarded.items()
        }  # fmt: skip
        with pytest.raises(IndexError, match=f"index {wrong} is out of bounds"):
            program.run(program.addresses(where, 1))
        for name, of in guarded.items():
            assert (of[:32] == 5).all(), name
            assert (of[33:] == 5).all(), name
        for k in range(4):
            assert guarded[f"found {k}"][32].isnan().all()
        assert (guarded["counts"][32] == 0).all()
        assert (guarded["y"][32] == 0).all()
        assert (guarded["table"][32] == 0).all()


# Sums and products --------------------------------------------------------------------------------


def test_sums_and_such() -> None:
    """Over every set of axes, kept or not, of several layouts."""
    cases = []
    for name, x in {
        "plain": numbers(3, 1, 37),
        "last": numbers(2, 5, 3, 3).contiguous(memory_format=LAST),
    }.items():
        dims = [d for n in range(1, x.dim() + 1) for d in itertools.combinations(range(x.dim()), n)]
        for how in ("sum", "mean", "amax", "var"):
            many = [
                lambda x, how=how, d=d, k=k: getattr(x, how)(d, keepdim=k)
                for d, k in itertools.product([*dims[::2], (-1,)], (False, True))
            ]
            cases.append(
                case(f"{how} {name}", lambda x, many=many: [of(x) for of in many], x.clone())
            )
    views = {
        "slice": lambda x: x[1:, ::3],
        "turned": lambda x: x.t(),
        "expanded": lambda x: x[:, :1].expand(5, 40),
        "column": lambda x: x[:, 3],
        "number": lambda x: x[2, 3],
    }
    for name, view in views.items():
        cases.append(
            case(f"whole {name}", lambda x, view=view: [getattr(view(x), how)() for how in
                 ("sum", "mean", "amax", "amin", "prod", "max", "min")], numbers(5, 40))
        )  # fmt: skip
    ties = torch.tensor([[1.0, 3.0, 3.0], [math.nan, 1.0, math.nan], [-math.inf, -math.inf, 0.0]])
    agree(
        *cases,
        case("best", lambda x: (x.argmax(1), x.argmin(0), x.max(0), x.min(1), x.argmax(),
             x.argmax(1, keepdim=True), x.t().argmax(-1)), numbers(5, 7)),
        case("ties", lambda x: (x.argmax(1), x.max(1), x.min(1), x.amax(0), x.argmin(1)), ties),
        case("truths", lambda x: ((x > 0).any(), (x > 0).all(1), (x > 1).any(0, keepdim=True),
             x.any(), x.all(1), x.any((0, 1)), x.all(), x.any(0), x.argmin(),
             (x > 0).float().mean(), (x.argmax(1) == 3).sum()), numbers(5, 7)),
        case("norms", lambda x: (x.norm(), x.norm(dim=1), x.norm(1, 0), x.norm(math.inf),
             torch.ops.aten.norm.Scalar(x, 1),
             torch.linalg.vector_norm(x, 2, (0, 1), True), functional.normalize(x)), numbers(5, 7)),
        case("spread", lambda x: (x.std(), x.std(0), x.var(1, unbiased=False), x[:1].var(1),
             *torch.var_mean(x, 1), *torch.std_mean(x, 0), x.logsumexp(1), x.t().logsumexp((0, 1))),
             numbers(5, 7)),
        case("type", lambda x: (x.sum(0, dtype=torch.float64), x.mean(dtype=torch.float64),
             x.double().sum(), x.double().mean(1), x.long().sum(1), x.long().prod(0)),
             numbers(5, 7).double().float()),
        case("logsumexp", lambda x: x.logsumexp(0), torch.tensor([-math.inf, -math.inf])),
    )  # fmt: skip


def test_products() -> None:
    """Of matrices and vectors as they come, transposed, sliced, expanded, and of doubles."""
    a, b = numbers(3, 5), numbers(5, 7)
    agree(
        case("mm", lambda a, b: (a @ b, b.t() @ a.t(), a @ b[:, ::2], a[:, 1:] @ b[1:], a[:1] @ b,
             a @ b[:, :1], (b.t() @ a.t()).t() + 1), a, b),
        case("expanded", lambda a, b: (a[:1].expand(4, 5) @ b, a @ b[:, :1].expand(5, 3)),
             a.clone(), b.clone()),
        case("vectors", lambda a, b: (a @ b[:, 0], a[0] @ b, a[0] @ b[:, 1], a[0].outer(b[0]),
             torch.addmv(a[:, 0], a, b[:, 0])), a.clone(), b.clone()),
        case("doubles", lambda a, b: (a @ b, b.t() @ a.t(), a @ b[:, ::2], a @ b[:, 0]),
             a.double(), b.double()),
        case("addmm", lambda a, b, c: (torch.addmm(c, a, b), torch.addmm(c[0], a, b),
             torch.addmm(c, a, b, beta=0.5, alpha=2), torch.addmm(c, a, b, beta=0),
             torch.addmm(c, a, b, alpha=0), torch.addmm(c[:, :1], a, b), torch.addmm(c[0, 0], a, b),
             c.clone().addmm_(a, b), torch.addmm(c[0, ::2], a, b[:, :4])),
             a.clone(), b.clone(), numbers(3, 7)),
        case("bmm", lambda a, b: (a @ b, b.mT @ a.mT, a[:1] @ b, a @ b[0], a.flip(0) @ b[:, :, ::2],
             a.transpose(0, 1) @ b[:1].expand(3, 5, 7)), numbers(2, 3, 5), numbers(2, 5, 7)),
        case("baddbmm", lambda a, b, c: (torch.baddbmm(c, a, b), torch.baddbmm(c[0, 0], a, b),
             torch.baddbmm(c, a, b, beta=0.5, alpha=2)),
             numbers(2, 3, 5), numbers(2, 5, 7), numbers(2, 3, 7)),
        case("einsum", lambda a, b: (torch.einsum("ij,jk->ki", a, b),
             torch.einsum("bi,bj->bij", a, a), torch.einsum("ij->j", a),
             torch.einsum("ij,ij->", a, a), torch.tensordot(a, b, 1)), a.clone(), b.clone()),
        case("out", lambda a, b, c: torch.mm(a, b, out=c), a.clone(), b.clone(), numbers(3, 7)),
        case("four axes", lambda a, b: a @ b, numbers(2, 3, 4, 5), numbers(3, 5, 2)),
    )  # fmt: skip


# Layers -------------------------------------------------------------------------------------------


def test_activations() -> None:
    """At random numbers, and where their pieces meet."""
    kinds = (
        *("ReLU", "ReLU6", "LeakyReLU", "ELU", "CELU", "SELU", "GELU", "SiLU", "Mish", "Tanh"),
        *("Sigmoid", "LogSigmoid", "Softplus", "Softsign", "Hardtanh", "Hardsigmoid", "Hardswish"),
        *("Tanhshrink", "Softshrink", "Hardshrink", "PReLU", "Softmin"),
    )
    cases = [
        trained(kind, getattr(nn, kind)(*((1,) if kind == "Softmin" else ())), 3 * numbers(5, 6))
        for kind in kinds
    ]
    at = torch.tensor([0.0, -0.0, 3.0, -3.0, 1.0, -1.0, 0.5, -0.5, 6.0, 30.0, -30.0, 21.0])
    agree(
        *cases,
        *(
            slopes(f"{kind} at its edges", lambda x, kind=kind: getattr(nn, kind)()(x), at.clone())
            for kind in kinds if kind not in ("PReLU", "Softmin")
        ),
        trained("GELU tanh", nn.GELU("tanh"), numbers(5, 6)),
        trained("GLU", nn.GLU(1), numbers(5, 6)),
        trained("PReLU of channels", nn.PReLU(3), numbers(2, 3, 4)),
        trained("Softmax", nn.Softmax(0), numbers(5, 6)),
        trained("LogSoftmax", nn.LogSoftmax(-1), 20 * numbers(2, 3, 6)),
        trained("Softmax2d", nn.Softmax2d(), numbers(2, 3, 4, 4)),
        trained("inplace", nn.Sequential(nn.Linear(6, 5), nn.ReLU(True)), numbers(5, 6)),
        trained("SELU, ELU in place", nn.Sequential(nn.Linear(6, 5), nn.ELU(inplace=True)),
                numbers(5, 6)),
    )  # fmt: skip


def test_linear_layers_and_embeddings() -> None:
    """With recurrent layers, which are made of them."""
    agree(
        trained("Linear", nn.Linear(6, 5), numbers(3, 6)),
        trained("Linear, no bias", nn.Linear(6, 5, bias=False), numbers(2, 3, 6)),
        trained("Linear of one", nn.Linear(1, 1), numbers(4, 1)),
        trained("Linear of a vector", nn.Linear(6, 5), numbers(6)),
        trained("doubles", nn.Linear(6, 5).double(), numbers(3, 6).double()),
        trained("Embedding", nn.Embedding(7, 3), places(7, 2, 4)),
        trained("Embedding, padded", nn.Embedding(7, 3, padding_idx=2), places(7, 5)),
        trained(
            "weight norm", nn.utils.parametrizations.weight_norm(nn.Linear(3, 4)), numbers(2, 3)
        ),
        trained(
            "spectral norm", nn.utils.parametrizations.spectral_norm(nn.Linear(3, 4)), numbers(2, 3)
        ),
        trained("cosine", nn.CosineSimilarity(), numbers(3, 4), numbers(3, 4)),
        trained("distance", nn.PairwiseDistance(), numbers(3, 4), numbers(3, 4)),
        trained("cells", nn.GRUCell(3, 4), numbers(2, 3)),
        trained("LSTM cell", nn.LSTMCell(3, 4), numbers(2, 3)),
        trained("GRU", nn.GRU(3, 4, batch_first=True), numbers(2, 3, 3)),
        trained("RNN", nn.RNN(3, 4), numbers(3, 2, 3)),
    )


def test_convolutions() -> None:
    """Of many shapes, by input, weights and bias."""

    def images(*sizes: int) -> Tensor:
        return numbers(*sizes)

    agree(
        trained("one channel", nn.Conv2d(1, 5, 3, padding=1), images(2, 1, 7, 6)),
        trained("plain", nn.Conv2d(3, 4, 3), images(2, 3, 7, 6)),
        trained("last", nn.Conv2d(3, 4, 3).to(memory_format=LAST),
                images(2, 3, 7, 6).contiguous(memory_format=LAST)),
        trained("stride", nn.Conv2d(3, 4, (3, 2), stride=(2, 3), padding=(1, 0)),
                images(2, 3, 7, 8)),
        trained("dilation", nn.Conv2d(3, 2, 3, padding=2, dilation=2, bias=False),
                images(2, 3, 7, 6)),
        trained("groups", nn.Conv2d(4, 6, 3, groups=2, padding=1, stride=2), images(2, 4, 7, 6)),
        trained("depthwise", nn.Conv2d(5, 5, 3, groups=5, padding=1), images(2, 5, 4, 4)),
        trained("pointwise", nn.Conv2d(3, 4, 1), images(2, 3, 5, 5)),
        trained("one pixel", nn.Conv2d(3, 4, 3, padding=1), images(2, 3, 1, 1)),
        trained("one image", nn.Conv2d(3, 1, 3), images(1, 3, 5, 5)),
        trained("no batch", nn.Conv2d(3, 2, 3), images(3, 5, 5)),
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_convolutions_of_other_forms() -> None:
    """Along one axis, framed in other ways, of parts of tensors, in a row."""

    def framed(kind: Any) -> nn.Module:
        return nn.Conv2d(2, 3, 3, padding=(1, 2), padding_mode=kind)

    class Viewed(nn.Module):
        """As older code flattens: torch needs no copy for it."""

        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 3, 3)
            self.out = nn.Linear(12, 2)

        def forward(self, x: Tensor) -> Tensor:
            made: Tensor = self.out(functional.max_pool2d(self.conv(x), 2).view(len(x), -1))
            return made

    agree(
        trained("1d", nn.Conv1d(3, 4, 3, padding=1), numbers(2, 3, 8)),
        trained("1d strided", nn.Conv1d(4, 6, 3, stride=2, dilation=2, groups=2), numbers(2, 4, 9)),
        *(trained(kind, framed(kind), numbers(2, 2, 5, 4)) for kind in
          ("reflect", "replicate", "circular")),
        trained("1d reflect", nn.Conv1d(2, 3, 3, padding=1, padding_mode="reflect"),
                numbers(2, 2, 5)),
        trained("1d replicate", nn.Conv1d(2, 3, 3, padding=1, padding_mode="replicate"),
                numbers(2, 2, 5)),
        trained("same", nn.Conv2d(2, 3, 4, padding="same"), numbers(2, 2, 5, 5)),
        trained("wider", nn.Upsample(scale_factor=2), numbers(2, 3, 3, 2)),
        trained("viewed", Viewed(), numbers(2, 2, 6, 6)),
        slopes("sliced", lambda x, w: functional.conv2d(x[:, 1:, ::2], w.transpose(0, 1)),
               numbers(2, 4, 9, 5), numbers(3, 2, 3, 3)),
        slopes("expanded", lambda x, w: functional.conv2d(x[:, :1].expand(2, 3, 5, 5), w),
               numbers(2, 2, 5, 5), numbers(2, 3, 3, 3)),
        trained("in a row", nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                nn.Conv2d(4, 3, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(),
                nn.Linear(12, 2)), numbers(2, 1, 8, 8)),
    )  # fmt: skip


def test_pooling() -> None:
    """Ties too: of equal numbers torch takes the first."""
    ties = torch.randint(0, 3, (2, 3, 6, 6)).float()
    agree(
        trained("max", nn.MaxPool2d(2), numbers(2, 3, 5, 6)),
        trained("max of ties", nn.MaxPool2d(3, 2, 1), ties),
        trained("max of zeros", nn.Sequential(nn.ReLU(), nn.MaxPool2d(2)), -numbers(2, 1, 4, 4)),
        trained("max, overlapping", nn.MaxPool2d((3, 2), (1, 2), (1, 0)), numbers(2, 3, 5, 6)),
        trained("max 1d", nn.MaxPool1d(2), numbers(2, 3, 7)),
        case("max 1d, no gradient", lambda x: functional.max_pool1d(x, 3, 1, 1), numbers(2, 3, 7)),
        trained("mean", nn.AvgPool2d(2), numbers(2, 3, 5, 6)),
        trained("mean, padded", nn.AvgPool2d(3, 2, 1), numbers(2, 3, 5, 6)),
        trained("mean 1d", nn.AvgPool1d(2), numbers(2, 3, 7)),
        trained("mean of all", nn.AdaptiveAvgPool2d(1), numbers(2, 3, 5, 6)),
        trained("mean of all, 1d", nn.AdaptiveAvgPool1d(1), numbers(2, 3, 7)),
        trained("last", nn.MaxPool2d(2), numbers(2, 3, 4, 4).contiguous(memory_format=LAST)),
        slopes("sliced", lambda x: functional.max_pool2d(x[:, ::2, 1:], 2), numbers(2, 5, 5, 6)),
    )


def test_norms_of_layers() -> None:
    """In training and frozen, with the statistics that they keep."""

    def frozen(module: nn.Module, *given: Tensor) -> nn.Module:
        module(*given)
        return module.eval()

    agree(
        trained("LayerNorm", nn.LayerNorm(6), numbers(2, 4, 6)),
        trained("LayerNorm of two axes", nn.LayerNorm((4, 6), elementwise_affine=False),
                numbers(2, 4, 6)),
        trained("LayerNorm of all", nn.LayerNorm(6), numbers(6)),
        trained("RMSNorm", nn.RMSNorm(6), numbers(2, 4, 6)),
        trained("GroupNorm", nn.GroupNorm(2, 4), numbers(3, 4, 3, 2)),
        trained("GroupNorm, last", nn.GroupNorm(4, 4, affine=False),
                numbers(2, 4, 3, 3).contiguous(memory_format=LAST)),
        trained("InstanceNorm", nn.InstanceNorm2d(3, affine=True), numbers(2, 3, 4, 4)),
        trained("InstanceNorm with statistics", nn.InstanceNorm1d(3, track_running_stats=True),
                numbers(2, 3, 4)),
        trained("BatchNorm1d", nn.BatchNorm1d(4), numbers(5, 4)),
        trained("BatchNorm1d of sequences", nn.BatchNorm1d(4, affine=False), numbers(2, 4, 3)),
        trained("BatchNorm2d", nn.BatchNorm2d(4, momentum=0.3), numbers(3, 4, 2, 2)),
        trained("BatchNorm2d, last", nn.BatchNorm2d(3),
                numbers(2, 3, 4, 4).contiguous(memory_format=LAST)),
        trained("BatchNorm, no statistics", nn.BatchNorm1d(4, track_running_stats=False),
                numbers(5, 4)),
        trained("BatchNorm2d, frozen", frozen(nn.BatchNorm2d(4), numbers(3, 4, 2, 2)),
                numbers(3, 4, 2, 2)),
        trained("BatchNorm1d, frozen", frozen(nn.BatchNorm1d(4), numbers(3, 4)), numbers(3, 4)),
        trained("Conv and BatchNorm", nn.Sequential(nn.Conv2d(2, 3, 3, bias=False),
                nn.BatchNorm2d(3), nn.ReLU()), numbers(2, 2, 5, 5)),
        rtol=1e-4,
    )  # fmt: skip


def test_attention() -> None:
    """As torch fuses it, masked and not."""

    class Itself(nn.Module):
        """Attention of a sequence to itself."""

        def __init__(self, weights: bool) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
            self.weights = weights

        def forward(self, x: Tensor) -> Tensor:
            made: Tensor = self.attention(x, x, x, need_weights=self.weights)[0]
            return made

    of = functional.scaled_dot_product_attention
    q, k, v = numbers(2, 3, 5, 4), numbers(2, 3, 7, 4), numbers(2, 3, 7, 4)
    mask = torch.rand(5, 7) > 0.3
    mask[:, 0] = True
    agree(
        slopes("plain", of, q, k, v),
        slopes("masked", lambda q, k, v, mask: of(q, k, v, mask | (mask.sum(1) == 0)[:, None]),
               *(x.detach().clone() for x in (q, k, v)), mask),
        slopes("added", lambda q, k, v: of(q, k, v, torch.arange(35.0).view(5, 7).sin(), scale=0.3),
               *(x.detach().clone() for x in (q, k, v))),
        slopes("causal", lambda q: of(q, q, q, is_causal=True), q.detach().clone()),
        trained("MultiheadAttention", Itself(True), numbers(2, 5, 6)),
        trained("MultiheadAttention, fused", Itself(False), numbers(2, 5, 6)),
        case("MultiheadAttention, frozen", Itself(False).eval(), numbers(2, 5, 6)),
        case("encoder, frozen", nn.TransformerEncoderLayer(6, 2, 8, batch_first=True).eval(),
             numbers(2, 5, 6)),
        trained("encoder", nn.TransformerEncoderLayer(6, 2, 8, 0.0, batch_first=True),
                numbers(2, 5, 6)),
        rtol=1e-4,
    )  # fmt: skip


def test_losses() -> None:
    """With every reduction, and by both operands."""
    f, kinds = functional, ("mean", "sum", "none")
    classes, weights = torch.tensor([1, 4, 2, 2]), torch.rand(5)
    cases = []
    for kind in kinds:
        cases += [
            slopes(f"cross entropy {kind}",
                   lambda x, y, kind=kind: f.cross_entropy(x, y, reduction=kind),
                   numbers(4, 5), classes.clone()),
            slopes(f"smoothed {kind}", lambda x, y, kind=kind: f.cross_entropy(
                   x, y, ignore_index=2, reduction=kind, label_smoothing=0.1),
                   numbers(4, 5), classes.clone()),
            slopes(f"weighted {kind}", lambda x, y, kind=kind: f.cross_entropy(
                   x, y, weights, reduction=kind), numbers(4, 5), classes.clone()),
            slopes(f"images {kind}", lambda x, y, kind=kind: f.cross_entropy(
                   x, y, reduction=kind), numbers(2, 5, 3, 2), places(5, 2, 3, 2)),
        ]  # fmt: skip
        for name in ("mse", "l1", "smooth_l1", "huber"):
            cases.append(
                slopes(f"{name} {kind}", lambda x, y, name=name, kind=kind: getattr(
                       f, f"{name}_loss")(x, y, reduction=kind), numbers(4, 5), numbers(4, 5))
            )  # fmt: skip
        cases += [
            slopes(f"logits {kind}", lambda x, y, kind=kind: f.binary_cross_entropy_with_logits(
                   x, (y > 0).float(), reduction=kind), 9 * numbers(4, 5), places(2, 4, 5)),
            slopes(f"bce {kind}", lambda x, y, kind=kind: f.binary_cross_entropy(
                   x.sigmoid(), (y > 0).float(), reduction=kind), numbers(4, 5), places(2, 4, 5)),
            slopes(f"kl {kind}", lambda x, y, kind=kind: f.kl_div(
                   x.log_softmax(1), y.softmax(1), reduction=kind.replace("mean", "batchmean")),
                   numbers(4, 5), numbers(4, 5)),
        ]  # fmt: skip
    agree(
        *cases,
        slopes("beta", lambda x, y: (f.smooth_l1_loss(x, y, beta=0.3),
               f.huber_loss(x, y, delta=0.3)), numbers(4, 5), numbers(4, 5)),
        slopes("nothing counts", lambda x, y: f.cross_entropy(x, y * 0 + 2, ignore_index=2),
               numbers(4, 5), classes.clone()),
        slopes("probabilities", lambda x, y: f.cross_entropy(x, y.softmax(1)), numbers(4, 5),
               numbers(4, 5)),
        slopes("squeezed", lambda x, y: (x.squeeze(-1) - y).square().mean(), numbers(4, 1),
               numbers(4)),
        case("accuracy", lambda x, y: ((x.argmax(1) == y).float().mean(), (x.argmax(1) != y).sum()),
             numbers(9, 5), places(5, 9)),
    )  # fmt: skip


def test_slopes_of_everything_else() -> None:
    """What autograd makes of the operations on places, sums and products."""
    i, j = places(4, 6), places(5, 6)
    agree(
        slopes("places", lambda x: (x[i], x[:, j], x[i, j], x.gather(1, j[None, :3].expand(4, 3)),
               x.index_select(0, i), x[1:, ::2], x[2], x.diagonal()), numbers(4, 5)),
        slopes("sums", lambda x: (x.sum(0), x.mean(), x.amax(1), x.max(0)[0], x.norm(),
               x.norm(dim=0), x.var(1), x.std(), x.logsumexp(0), x.cumsum(1)), numbers(4, 5)),
        slopes("joined", lambda x: (torch.cat([x, x * 2], 1), torch.stack([x, x]), x.repeat(2, 2),
               x.flip(0), x.roll(1, 0), functional.pad(x, (1, 2)), x.tril(), x.chunk(2, 1)[0]),
               numbers(4, 5)),
        slopes("products", lambda x, y: (x @ y, x @ y[:, 0], torch.einsum("ij,jk->ik", x, y),
               x[None] @ y, torch.addmm(x[:, :3], x, y, beta=0.5)), numbers(4, 5), numbers(5, 3)),
        slopes("elements", lambda x, y: (x * y, x / (y.abs() + 1), torch.where(x > 0, x, y),
               x.exp(), (x.abs() + 1).log(), x.clamp(-1, 1), torch.maximum(x, y), x.sin() * x.cos(),
               x**3, (x * x + 1).sqrt(), x.lerp(y, 0.3), x.addcmul(x, y), x.erf(), x.abs() ** 1.5,
               x.masked_fill(x > 1, 0), (x.abs() + 1).rsqrt(), x.sign() * x,
               x.expand(2, 4, 5)),
               numbers(4, 5), numbers(5)),
        slopes("no slope", lambda x: (x.sgn() + x, x.round() * x), numbers(4, 5)),
        slopes("in place", lambda x: (x * 2).add_(x).mul_(x).relu_(), numbers(4, 5)),
    )  # fmt: skip


# Update rules -------------------------------------------------------------------------------------


RULES = optimizers.registry.names()


@pytest.mark.parametrize("names", [RULES[k::3] for k in range(3)])
def test_update_rules(names: list[str]) -> None:
    """Two steps of every optimizer, on parameters of real shapes of one trial."""
    cases = []
    for name, shape in itertools.product(names, ((1, 5), (1, 4, 6), (1, 3, 2, 3, 3))):
        rule = optimizers.registry.make({"name": name})
        param, grad = numbers(*shape), numbers(*shape)
        state = rule.init(param)
        keys = list(state)
        scalars = list(rule.scalars(1))

        def update(param: Tensor, grad: Tensor, rows: Tensor, *states: Tensor, rule: Any = rule,
                   keys: Any = keys, scalars: Any = scalars) -> None:  # fmt: skip
            state = dict(zip(keys, states, strict=True))
            rate = torch.full([1] * param.dim(), 0.1)
            for row in rows:
                now = {key: row[k] for k, key in enumerate(scalars)}
                rule.update(param, grad.clone(), state, rate, now)

        rows = torch.tensor([[*rule.scalars(step).values(), 0.0] for step in (1, 2)])
        cases.append(case(f"{name} {shape}", update, param, grad, rows, *state.values()))
    agree(*cases, rtol=1e-4)


# What is refused ----------------------------------------------------------------------------------


def test_what_has_no_entry_is_refused_by_name() -> None:
    """So that a user can tell what it was."""
    x = numbers(4, 5)
    assert refusal(lambda x: x.sort(1), x) == (
        "aten.sort.default has no entry in the table of operations"
    )
    assert "no entry" in refusal(lambda x: x.topk(2), x)
    assert "no entry" in refusal(torch.nonzero, x)
    assert "such indices" in refusal(lambda x: x[x > 0], x)
    assert "float16" in refusal(lambda x: x.half(), x)
    assert "complex" in refusal(lambda x: x * 1j, x)
    assert "of this form" in refusal(lambda x: functional.max_pool2d(x, 2, ceil_mode=True), x[None])
    assert "of this form" in refusal(lambda x: functional.conv3d(x, x), numbers(1, 1, 2, 2, 2))
    assert "without elements" in refusal(lambda x: x[:0].sum(), x)
    assert "of doubles" in refusal(torch.erf, x.double())
    assert "rounded" in refusal(lambda x: x.round(decimals=2), x)
    assert "single number" in refusal(lambda x: x.cumsum(0), torch.tensor(2.0))
    assert "such numbers" in refusal(lambda x: x @ x.t(), x.long())


def test_what_depends_on_luck_is_refused() -> None:
    """Its numbers would be the same at every run."""
    x = numbers(4, 5)
    for function in (
        torch.rand_like,
        torch.bernoulli,
        functional.dropout,
        lambda x: x.normal_(),
        lambda x: x + torch.randn(4, 5),
        lambda x: x[torch.randperm(4)],
        lambda x: functional.rrelu(x, training=True),
        lambda x: functional.gumbel_softmax(x),
    ):
        assert "draws random numbers" in refusal(function, x.abs().clamp(max=1))


def test_a_model_that_looks_at_numbers_is_refused() -> None:
    """It might have gone another way."""
    x = numbers(4, 5)
    why = "aten._local_scalar_dense.default has no entry in the table of operations"
    assert refusal(lambda x: x * x[0, 0].item(), x) == why
    assert refusal(lambda x: x if x.sum() > 0 else -x, x) == why
    assert refusal(lambda x: x[int(x[0, 0].abs())], x) == why
    roles = {"x": x}
    for look in (Tensor.tolist, Tensor.numpy, np.asarray):
        with pytest.raises(UnsupportedError, match="looks at numbers"):
            compiled(partial(lambda look: x.add_(float(np.sum(look(x)))), look), roles)


def test_memory_that_is_read_and_overwritten_is_refused() -> None:
    """What came out would hang on the order of a loop."""
    x = numbers(6, 6)
    assert "into memory that it reads" in refusal(lambda x: x[:, 1:5].copy_(x[:, :4]), x)
    assert "another type" in refusal(lambda x: x.view(torch.int32).add_(1), x)

    def viewed(x: Tensor) -> None:
        y = functional.conv2d(x[None, None], x[None, None, :2, :2].expand(3, 1, 2, 2))
        y.view(-1).add_(1)

    assert "lies otherwise in memory" in refusal(viewed, x)


def test_names_in_the_tables_are_those_of_kernels() -> None:
    """Or nothing would find them."""
    known = {name.split("::")[1].split(".")[0] for name in torch._C._dispatch_get_all_op_names()}
    for name in (*LOWERINGS, *POINTWISE):
        assert {name, f"{name}_", f"_{name}_"} & known, name
    assert all(str(kernel).startswith("aten.") for kernel in DECOMPOSITIONS)
