"""Losses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from trainscape.compiled.nodes import Kernel, Ref, UnsupportedError
from trainscape.compiled.operations._maps import filled_with, target
from trainscape.compiled.operations._table import aten, lowers, stands_for
from trainscape.compiled.operations.activations import log_sigmoid
from trainscape.compiled.operations.places import inside

if TYPE_CHECKING:
    from trainscape.compiled.call import Call
    from trainscape.compiled.nodes import Node


def _averaged(x: Tensor, reduction: int) -> Tensor:
    return x.mean() if reduction == 1 else x.sum() if reduction == 2 else x


def _share(x: Tensor, reduction: int) -> float:
    """What an element counts in that."""
    return 1 / x.numel() if reduction == 1 else 1.0


@stands_for(aten.mse_loss.default)
def _mse(x: Tensor, y: Tensor, reduction: int = 1) -> Tensor:
    far = x - y
    return _averaged(far * far, reduction)


@stands_for(aten.mse_loss_backward.default)
def _mse_backward(grad: Tensor, x: Tensor, y: Tensor, reduction: int) -> Tensor:
    return grad * (x - y) * (2 * _share(x, reduction))


@stands_for(aten.smooth_l1_loss.default)
def _smooth_l1(x: Tensor, y: Tensor, reduction: int = 1, beta: float = 1.0) -> Tensor:
    far = (x - y).abs()
    return _averaged(torch.where(far < beta, far * far * (0.5 / beta), far - 0.5 * beta), reduction)


@stands_for(aten.smooth_l1_loss_backward.default)
def _smooth_l1_backward(grad: Tensor, x: Tensor, y: Tensor, reduction: int, beta: float) -> Tensor:
    far = x - y
    slope = torch.where(far.abs() < beta, far / beta, far.sign())
    return grad * slope * _share(x, reduction)


@stands_for(aten.huber_loss.default)
def _huber(x: Tensor, y: Tensor, reduction: int = 1, delta: float = 1.0) -> Tensor:
    far = (x - y).abs()
    parts = torch.where(far <= delta, far * far * 0.5, (far - 0.5 * delta) * delta)
    return _averaged(parts, reduction)


@stands_for(aten.huber_loss_backward.default)
def _huber_backward(grad: Tensor, x: Tensor, y: Tensor, reduction: int, delta: float) -> Tensor:
    slope = (x - y).clamp(-delta, delta)
    return grad * slope * _share(x, reduction)


@stands_for(aten.binary_cross_entropy_with_logits.default)
def _bce_logits(
    x: Tensor,
    y: Tensor,
    weight: Tensor | None = None,
    pos_weight: Tensor | None = None,
    reduction: int = 1,
) -> Any:
    if weight is not None or pos_weight is not None:
        return NotImplemented
    return _averaged((1 - y) * x - log_sigmoid(x)[0], reduction)


@stands_for(aten.binary_cross_entropy.default)
def _bce(x: Tensor, y: Tensor, weight: Tensor | None = None, reduction: int = 1) -> Tensor:
    parts = (y - 1) * (-x).log1p().clamp(min=-100) - y * x.log().clamp(min=-100)
    return _averaged(parts if weight is None else parts * weight, reduction)


@stands_for(aten.binary_cross_entropy_backward.default)
def _bce_backward(
    grad: Tensor, x: Tensor, y: Tensor, weight: Tensor | None = None, reduction: int = 1
) -> Tensor:
    slope = grad * (x - y) / ((1 - x) * x).clamp(min=1e-12)
    slope = slope if weight is None else slope * weight
    return slope * _share(x, reduction)


@stands_for(aten.nll_loss2d_forward.default)
def _nll_images(
    x: Tensor, y: Tensor, weight: Tensor | None, reduction: int, ignored: int
) -> tuple[Tensor, Tensor]:
    flat = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
    out, total = aten.nll_loss_forward.default(flat, y.reshape(-1), weight, reduction, ignored)
    return out.reshape(y.shape) if reduction == 0 else out, total


@stands_for(aten.nll_loss2d_backward.default)
def _nll_images_backward(
    grad: Tensor,
    x: Tensor,
    y: Tensor,
    weight: Tensor | None,
    reduction: int,
    ignored: int,
    total: Tensor,
) -> Any:
    flat = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
    grad = grad.reshape(-1) if reduction == 0 else grad
    rest = weight, reduction, ignored, total
    slope = aten.nll_loss_backward.default(grad, flat, y.reshape(-1), *rest)
    n, c, h, w = x.shape
    return slope.view(n, h, w, c).permute(0, 3, 1, 2)


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
        f"const int inside = {inside('row', x.sizes[1])}; "
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
        f"if (row != {call['ignore_index']} && {inside('row', x.sizes[1])}) "
        f"$w0[{out.at(['i', 'row'])}] = {share}; }}"
    )
    return [*filled_with(out, 0), Kernel(ins, [out], body, partial=True)]


def _nll_places(call: Call) -> tuple[Ref, Ref, Ref | None]:
    """Log-probabilities (N, C), classes (N,), and the weights of classes."""
    x, y, weight = Ref.of(call["self"]), Ref.of(call["target"]), call["weight"]
    if len(x.sizes) != 2:
        raise UnsupportedError("of a single example")
    return x, y, None if weight is None else Ref.of(weight)
