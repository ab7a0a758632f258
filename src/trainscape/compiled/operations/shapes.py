"""Parts of tensors put together, taken apart, padded and turned."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from trainscape.compiled.nodes import Ref
from trainscape.compiled.operations._maps import copied
from trainscape.compiled.operations._table import DECOMPOSITIONS, aten, lowers, stands_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trainscape.compiled.call import Call
    from trainscape.compiled.nodes import Node

    Place = Callable[[Tensor, int], Tensor]


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


@stands_for(aten.select_backward.default)
def _select_backward(grad: Tensor, sizes: Sequence[int], dim: int, index: int) -> Tensor:
    whole = grad.new_zeros(sizes)
    whole.select(dim, index).copy_(grad)
    return whole


@stands_for(aten.slice_backward.default)
def _slice_backward(
    grad: Tensor, sizes: Sequence[int], dim: int, start: int, end: int, step: int
) -> Tensor:
    whole = grad.new_zeros(sizes)
    aten.slice.Tensor(whole, dim, start, end, step).copy_(grad)
    return whole


@stands_for(aten.diagonal_backward.default)
def _diagonal_backward(
    grad: Tensor, sizes: Sequence[int], offset: int, dim1: int, dim2: int
) -> Tensor:
    whole = grad.new_zeros(sizes)
    whole.diagonal(offset, dim1, dim2).copy_(grad)
    return whole


@stands_for(aten.diag_embed.default)
def _diag_embed(x: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    size = x.shape[-1] + abs(offset)
    if (dim1, dim2) != (-2, -1):
        return NotImplemented
    whole = x.new_zeros([*x.shape[:-1], size, size])
    whole.diagonal(offset, -2, -1).copy_(x)
    return whole


@stands_for(aten._efficientzerotensor.default)
def _zeros(size: Sequence[int], **kwargs: Any) -> Tensor:
    return torch.zeros(size, dtype=kwargs.get("dtype"))


@stands_for(aten.flip.default)
def _flip(x: Tensor, dims: Sequence[int]) -> Tensor:
    for dim in dims:
        x = x.index_select(dim, torch.arange(x.shape[dim] - 1, -1, -1))
    return x


@stands_for(aten.roll.default)
def _roll(x: Tensor, shifts: Sequence[int], dims: Sequence[int] = ()) -> Tensor:
    if not dims:
        return x.reshape(-1).roll(shifts[0], 0).view(x.shape)
    for shift, dim in zip(shifts, dims, strict=True):
        size = x.shape[dim]
        x = x.index_select(dim, (torch.arange(size) - shift) % size)
    return x


def _padded(place: Place, x: Tensor, pad: Sequence[int]) -> Tensor:
    """A tensor framed along its last axes by numbers of its own, which ``place`` chooses."""
    for k in range(len(pad) // 2):
        x = x.index_select(-1 - k, _places(place, x.shape[-1 - k], pad[2 * k : 2 * k + 2]))
    return x


def _unpadded(place: Place, grad: Tensor, x: Tensor, pad: Sequence[int]) -> Tensor:
    for k in reversed(range(len(pad) // 2)):
        size, dim = x.shape[-1 - k], -1 - k
        sizes = list(grad.shape)
        sizes[dim] = size
        places = _places(place, size, pad[2 * k : 2 * k + 2])
        grad = grad.new_zeros(sizes).index_add(dim, places, grad)
    return grad


def _places(place: Place, size: int, pad: Sequence[int]) -> Tensor:
    return place(torch.arange(-pad[0], size + pad[1]), size)


def _mirrored(k: Tensor, size: int) -> Tensor:
    return size - 1 - (size - 1 - k.abs()).abs()


def _nearest(k: Tensor, size: int) -> Tensor:
    return k.clamp(0, size - 1)


for _name, _place in (("reflection_pad", _mirrored), ("replication_pad", _nearest)):
    for _axes in ("1d", "2d"):
        _forwards, _back = getattr(aten, _name + _axes), getattr(aten, f"{_name}{_axes}_backward")
        DECOMPOSITIONS[_forwards.default] = partial(_padded, _place)
        DECOMPOSITIONS[_back.default] = partial(_unpadded, _place)


@stands_for(aten.constant_pad_nd.default)
def _pad(x: Tensor, pad: Sequence[int], value: float = 0) -> Tensor:
    sizes = list(x.shape)
    for i in range(len(pad) // 2):
        before, after = pad[2 * i : 2 * i + 2]
        cut = max(-before, 0)
        x = x.narrow(-1 - i, cut, x.shape[-1 - i] - cut - max(-after, 0))
        sizes[-1 - i] += before + after
    whole = x.new_full(sizes, value)
    part = whole
    for i in range(len(pad) // 2):
        part = part.narrow(-1 - i, max(pad[2 * i], 0), x.shape[-1 - i])
    part.copy_(x)
    return whole


@stands_for(aten.tril.default)
def _tril(x: Tensor, diagonal: int = 0) -> Tensor:
    return torch.where(below(x, diagonal), x, torch.zeros_like(x))


@stands_for(aten.triu.default)
def _triu(x: Tensor, diagonal: int = 0) -> Tensor:
    return torch.where(below(x, diagonal - 1), torch.zeros_like(x), x)


def below(x: Tensor, diagonal: int) -> Tensor:
    """Which elements of matrices lie on a diagonal or below it."""
    rows, columns = (torch.arange(size, device=x.device) for size in x.shape[-2:])
    return columns <= rows[:, None] + diagonal
