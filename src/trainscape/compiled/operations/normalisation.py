"""Normalisation of layers, groups, batches and weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape.compiled.operations._table import aten, stands_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


@stands_for(aten.native_layer_norm.default)
def _layer_norm(
    x: Tensor, shape: Sequence[int], weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    dims = list(range(x.dim() - len(shape), x.dim()))
    mean = x.mean(dims, keepdim=True)
    far = x - mean
    rstd = ((far * far).mean(dims, keepdim=True) + eps).rsqrt()
    return _scaled(far * rstd, weight, bias), mean, rstd


@stands_for(aten.native_layer_norm_backward.default)
def _layer_norm_backward(
    grad: Tensor,
    x: Tensor,
    shape: Sequence[int],
    mean: Tensor,
    rstd: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    wanted: Sequence[bool],
) -> tuple[Tensor | None, ...]:
    dims = list(range(x.dim() - len(shape), x.dim()))
    lead = list(range(x.dim() - len(shape)))
    unit = (x - mean) * rstd
    slope = grad if weight is None else grad * weight
    dx = rstd * (
        slope - slope.mean(dims, keepdim=True) - unit * (slope * unit).mean(dims, keepdim=True)
    )
    dw = ((grad * unit).sum(lead) if lead else grad * unit) if wanted[1] else None
    db = (grad.sum(lead) if lead else grad.clone()) if wanted[2] else None
    return dx if wanted[0] else None, dw, db


@stands_for(aten.native_group_norm.default)
def _group_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    batch: int,
    channels: int,
    inner: int,
    groups: int,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    parts = x.reshape(batch, groups, -1)
    mean = parts.mean(2, keepdim=True)
    far = parts - mean
    rstd = ((far * far).mean(2, keepdim=True) + eps).rsqrt()
    shape = [1, channels, *[1] * (x.dim() - 2)]
    out = _scaled((far * rstd).reshape(x.shape), *_shaped(shape, weight, bias))
    return out, mean.reshape(batch, groups), rstd.reshape(batch, groups)


@stands_for(aten.native_group_norm_backward.default)
def _group_norm_backward(
    grad: Tensor,
    x: Tensor,
    mean: Tensor,
    rstd: Tensor,
    weight: Tensor | None,
    batch: int,
    channels: int,
    inner: int,
    groups: int,
    wanted: Sequence[bool],
) -> tuple[Tensor | None, ...]:
    shape = [1, channels, *[1] * (x.dim() - 2)]
    over = [0, *range(2, x.dim())]
    unit = (x.reshape(batch, groups, -1) - mean[..., None]) * rstd[..., None]
    slope = grad if weight is None else grad * weight.reshape(shape)
    parts = slope.reshape(batch, groups, -1)
    dx = rstd[..., None] * (
        parts - parts.mean(2, keepdim=True) - unit * (parts * unit).mean(2, keepdim=True)
    )
    dw = (grad * unit.reshape(x.shape)).sum(over) if wanted[1] else None
    db = grad.sum(over) if wanted[2] else None
    return dx.reshape(x.shape) if wanted[0] else None, dw, db


@stands_for(aten.native_batch_norm.default)
def _batch_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    shape = [1, x.shape[1], *[1] * (x.dim() - 2)]
    over = [0, *range(2, x.dim())]
    if not training:
        assert running_mean is not None
        assert running_var is not None
        rstd = (running_var + eps).rsqrt()
        unit = (x - running_mean.view(shape)) * rstd.view(shape)
        empty = x.new_zeros(0)
        return _scaled(unit, *_shaped(shape, weight, bias)), empty, empty
    mean = x.mean(over)
    far = x - mean.view(shape)
    var = (far * far).mean(over)
    rstd = (var + eps).rsqrt()
    if running_mean is not None and running_var is not None:
        count = x.numel() // x.shape[1]
        running_mean.mul_(1 - momentum).add_(mean, alpha=momentum)
        running_var.mul_(1 - momentum).add_(var, alpha=momentum * count / max(count - 1, 1))
    return _scaled(far * rstd.view(shape), *_shaped(shape, weight, bias)), mean, rstd


@stands_for(aten.native_batch_norm_backward.default)
def _batch_norm_backward(
    grad: Tensor,
    x: Tensor,
    weight: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    mean: Tensor | None,
    rstd: Tensor | None,
    train: bool,
    eps: float,
    wanted: Sequence[bool],
) -> tuple[Tensor | None, ...]:
    shape = [1, x.shape[1], *[1] * (x.dim() - 2)]
    over = [0, *range(2, x.dim())]
    if not train:
        assert running_mean is not None
        assert running_var is not None
        mean, rstd = running_mean, (running_var + eps).rsqrt()
    assert mean is not None
    assert rstd is not None
    unit = (x - mean.view(shape)) * rstd.view(shape)
    db = grad.sum(over)
    dw = (grad * unit).sum(over)
    scale = rstd if weight is None else rstd * weight
    dx = grad * scale.view(shape)
    if train:
        count = x.numel() // x.shape[1]
        steady = grad - (db / count).view(shape) - unit * (dw / count).view(shape)
        dx = steady * scale.view(shape)
    return dx if wanted[0] else None, dw if wanted[1] else None, db if wanted[2] else None


def _shaped(shape: list[int], *of: Tensor | None) -> list[Tensor | None]:
    return [None if tensor is None else tensor.view(shape) for tensor in of]


def _scaled(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


@stands_for(aten._weight_norm_interface.default)
def _weight_norm(v: Tensor, g: Tensor, dim: int = 0) -> tuple[Tensor, Tensor]:
    norm = (v * v).sum(_but(v, dim), keepdim=True).sqrt()
    return v * (g / norm), norm


@stands_for(aten._weight_norm_interface_backward.default)
def _weight_norm_backward(
    grad: Tensor, v: Tensor, g: Tensor, norm: Tensor, dim: int
) -> tuple[Tensor, Tensor]:
    along = (grad * v).sum(_but(v, dim), keepdim=True) / norm
    return g / norm * (grad - v * (along / norm)), along


def _but(x: Tensor, dim: int) -> list[int]:
    return [k for k in range(x.dim()) if k != dim % x.dim()]
