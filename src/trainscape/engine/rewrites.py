"""Changes to a recording before it is written down: fewer and faster kernel calls.

The numbers stay the same but for rounding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from trainscape.engine.calls import Call, constants, makers, roots

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

aten = torch.ops.aten

DENSE = torch.contiguous_format
NARROW = 64  # classes up to which log_softmax is faster across rows than along them


def _log_softmax(call: Any, x: Tensor, dim: int, half: bool) -> Tensor | None:
    """Log-softmax over transposed rows.

    Torch's CPU kernel is vectorised across rows; along a few classes it goes row by row.
    """
    if x.device.type != "cpu" or x.dim() != 3 or dim % 3 != 2 or x.shape[2] > NARROW or half:
        return None
    across = call(aten.clone.default, call(aten.transpose.int, x, 1, 2), memory_format=DENSE)
    out: Tensor = call(aten.transpose.int, call(aten._log_softmax.default, across, 1, half), 1, 2)
    return out


def _log_softmax_backward(
    call: Any, grad: Tensor, out: Tensor, dim: int, dtype: torch.dtype
) -> Tensor | None:
    """The gradient of log-softmax, over transposed rows for the same reason."""
    if out.device.type != "cpu" or out.dim() != 3 or dim % 3 != 2 or out.shape[2] > NARROW:
        return None
    across = call(aten.clone.default, call(aten.transpose.int, grad, 1, 2), memory_format=DENSE)
    rows = call(aten.transpose.int, out, 1, 2)
    made = call(aten._log_softmax_backward_data.default, across, rows, 1, dtype)
    turned: Tensor = call(aten.transpose.int, made, 1, 2)
    return turned


def _times_one(call: Any, x: Tensor, factor: object) -> Tensor | None:
    """No product with 1: vmap's rule for linear layers multiplies biases by it."""
    return call(aten.alias.default, x) if factor == 1 and x.is_floating_point() else None


REWRITES: dict[Any, Callable[..., Tensor | None]] = {
    aten._log_softmax.default: _log_softmax,
    aten._log_softmax_backward_data.default: _log_softmax_backward,
    aten.mul.Scalar: _times_one,
}


def straightened(calls: list[Call], outputs: list[Tensor]) -> tuple[list[Call], list[Tensor]]:
    """Make outputs that are transposed products by multiplying the other way round.

    Autograd computes the gradient of a linear layer's weight transposed; an update rule would then
    walk through it across the memory.
    """
    made = makers(calls)
    swapped: dict[int, Call] = {}
    for i, tensor in enumerate(outputs):
        steps = list(_back(tensor, made))
        if not steps or steps[-1].func is not aten.bmm.default:
            continue
        product, turns = steps[-1], [s for s in steps if s.func is aten.transpose.int]
        if (
            len(turns) == 1
            and not tensor.is_contiguous()
            and {*turns[0].args[1:]} <= {1, 2, -1, -2}
        ):
            a, b = product.args
            at, bt = a.transpose(1, 2), b.transpose(1, 2)
            out = torch.bmm(bt, at)
            swapped[id(product)] = Call(aten.bmm.default, (bt, at), {}, out)
            calls = _before(calls, product, _turn(a, at), _turn(b, bt), swapped[id(product)])
            outputs[i] = out
    return calls, outputs


def _back(tensor: Tensor, made: dict[int, Call]) -> Iterator[Call]:
    """The calls that lead from a product to its view of equal matrices, backwards."""
    while (call := made.get(id(tensor))) is not None:
        yield call
        same = call.func is aten.transpose.int or (
            call.views and call.args[0].shape == tensor.shape
        )
        if not same:
            return
        tensor = call.args[0]


def _turn(a: Tensor, turned: Tensor) -> Call:
    return Call(aten.transpose.int, (a, 1, 2), {}, turned)


def _before(calls: list[Call], place: Call, *new: Call) -> list[Call]:
    at = calls.index(place)
    return [*calls[:at], *new, *calls[at:]]


def owned(calls: list[Call], outputs: list[Tensor]) -> tuple[list[Call], list[Tensor]]:
    """Give every output dense memory of its own, made anew each time: callers write to it."""
    made, root_of, constant = makers(calls), roots(calls), constants(calls)
    seen: set[int] = set()
    for i, tensor in enumerate(outputs):
        root = root_of.get(id(tensor), id(tensor))
        lent = root not in made or root in constant or root in seen
        seen.add(root)
        if lent or not tensor.is_contiguous():
            outputs[i] = tensor.clone(memory_format=DENSE)
            copy = Call(aten.clone.default, (tensor,), {"memory_format": DENSE}, outputs[i])
            calls = [*calls, copy]
    return calls, outputs


def needed(calls: list[Call], outputs: list[Tensor]) -> list[Call]:
    """The calls without those whose result nobody reads."""
    wanted = {id(tensor) for tensor in outputs}
    kept = []
    for call in reversed(calls):
        if call.writes or any(id(tensor) in wanted for tensor in call.makes()):
            kept.append(call)
            wanted.update(id(tensor) for tensor in call.reads())
    return kept[::-1]
