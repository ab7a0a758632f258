"""Operations that are made of others, written as torch would: recording one records those.

Each function takes what the kernel of torch takes and returns what it returns.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from trainscape.compiled.layouts import last, outputs_last

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

aten = torch.ops.aten
DECOMPOSITIONS: dict[Any, Callable[..., Any]] = {}


def stands_for(*kernels: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Take a function in the place of these kernels."""

    def enter(of: Callable[..., Any]) -> Callable[..., Any]:
        DECOMPOSITIONS.update(dict.fromkeys(kernels, of))
        return of

    return enter


@cache
def decomposition(kernel: Any) -> Callable[..., Any] | None:
    """What stands for a kernel, or for the one that does the same elsewhere than in place."""
    name = kernel._schema.name.removeprefix("aten::")
    found = DECOMPOSITIONS.get(kernel)
    if found is not None or not kernel._schema.is_mutable or not name.endswith("_"):
        return found
    apart = getattr(getattr(aten, name[:-1], None), kernel._overloadname, None)
    of = DECOMPOSITIONS.get(apart)
    if of is None:
        return None

    def in_place(x: Tensor, *args: Any, **kwargs: Any) -> Any:
        made = of(x, *args, **kwargs)
        return NotImplemented if made is NotImplemented else x.copy_(made)

    return in_place


# Softmax ------------------------------------------------------------------------------------------


@stands_for(aten._log_softmax.default)
def _log_softmax(x: Tensor, dim: int, half: bool) -> Tensor:
    below = x - x.amax(dim, keepdim=True)
    return below - below.exp().sum(dim, keepdim=True).log()


@stands_for(aten._log_softmax_backward_data.default)
def _log_softmax_backward(grad: Tensor, out: Tensor, dim: int, dtype: torch.dtype) -> Tensor:
    return grad - out.exp() * grad.sum(dim, keepdim=True)


@stands_for(aten._softmax.default)
def _softmax(x: Tensor, dim: int, half: bool) -> Tensor:
    parts = (x - x.amax(dim, keepdim=True)).exp()
    return parts / parts.sum(dim, keepdim=True)


@stands_for(aten._softmax_backward_data.default)
def _softmax_backward(grad: Tensor, out: Tensor, dim: int, dtype: torch.dtype) -> Tensor:
    return (grad - (grad * out).sum(dim, keepdim=True)) * out


@stands_for(aten.logsumexp.default)
def _logsumexp(x: Tensor, dims: list[int], keepdim: bool = False) -> Tensor:
    top = x.amax(dims, keepdim=True)
    top = torch.where(top.abs() == math.inf, torch.zeros_like(top), top)
    total = (x - top).exp().sum(dims, keepdim=True).log() + top
    return total if keepdim else total.squeeze(dims)


# Activations --------------------------------------------------------------------------------------


@stands_for(aten.gelu.default)
def _gelu(x: Tensor, approximate: str = "none") -> Tensor:
    return x * _gelu_share(x, approximate)


def _gelu_share(x: Tensor, approximate: str) -> Tensor:
    if approximate == "tanh":
        return 0.5 * (1 + (math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)).tanh())
    return 0.5 * (1 + (x * math.sqrt(0.5)).erf())


@stands_for(aten.gelu_backward.default)
def _gelu_backward(grad: Tensor, x: Tensor, approximate: str = "none") -> Tensor:
    if approximate == "tanh":
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)
        t = inner.tanh()
        slope = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x * x)
        return grad * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * slope)
    density = (x * x * -0.5).exp() * (1 / math.sqrt(2 * math.pi))
    return grad * (_gelu_share(x, approximate) + x * density)


@stands_for(aten.silu.default)
def _silu(x: Tensor) -> Tensor:
    return x * x.sigmoid()


@stands_for(aten.silu_backward.default)
def _silu_backward(grad: Tensor, x: Tensor) -> Tensor:
    share = x.sigmoid()
    return grad * share * (1 + x * (1 - share))


@stands_for(aten.tanh_backward.default)
def _tanh_backward(grad: Tensor, out: Tensor) -> Tensor:
    return grad * (1 - out * out)


@stands_for(aten.sigmoid_backward.default)
def _sigmoid_backward(grad: Tensor, out: Tensor) -> Tensor:
    return grad * (out * (1 - out))


@stands_for(aten.leaky_relu.default)
def _leaky_relu(x: Tensor, slope: float = 0.01) -> Tensor:
    return torch.where(x > 0, x, x * slope)


@stands_for(aten.leaky_relu_backward.default)
def _leaky_relu_backward(grad: Tensor, x: Tensor, slope: float, of_result: bool) -> Tensor:
    return torch.where(x > 0, grad, grad * slope)


@stands_for(aten.elu.default)
def _elu(x: Tensor, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Tensor:
    return torch.where(x > 0, x * scale, (x * input_scale).expm1() * (alpha * scale))


@stands_for(aten.celu.default)
def _celu(x: Tensor, alpha: float = 1) -> Tensor:
    return torch.where(x > 0, x, (x / alpha).expm1() * alpha)


@stands_for(aten.elu_backward.default)
def _elu_backward(
    grad: Tensor, alpha: float, scale: float, input_scale: float, of_result: bool, x: Tensor
) -> Tensor:
    low = (
        input_scale * (x + alpha * scale)
        if of_result
        else ((x * input_scale).exp() * (input_scale * alpha * scale))
    )
    return torch.where(x > 0, grad * scale, grad * low)


@stands_for(aten.softplus.default)
def _softplus(x: Tensor, beta: float = 1, threshold: float = 20) -> Tensor:
    return torch.where(x * beta > threshold, x, (x * beta).exp().log1p() / beta)


@stands_for(aten.softplus_backward.default)
def _softplus_backward(grad: Tensor, x: Tensor, beta: float, threshold: float) -> Tensor:
    return torch.where(x * beta > threshold, grad, grad * (x * beta).sigmoid())


@stands_for(aten.hardtanh.default)
def _hardtanh(x: Tensor, low: float = -1, high: float = 1) -> Tensor:
    return x.clamp(low, high)


@stands_for(aten.hardtanh_backward.default)
def _hardtanh_backward(grad: Tensor, x: Tensor, low: float, high: float) -> Tensor:
    return torch.where((x <= low) | (x >= high), torch.zeros_like(x), grad)


@stands_for(aten.hardsigmoid.default)
def _hardsigmoid(x: Tensor) -> Tensor:
    return (x + 3).clamp(0, 6) / 6


@stands_for(aten.hardsigmoid_backward.default)
def _hardsigmoid_backward(grad: Tensor, x: Tensor) -> Tensor:
    return torch.where((x > -3) & (x < 3), grad / 6, torch.zeros_like(x))


@stands_for(aten.hardswish.default)
def _hardswish(x: Tensor) -> Tensor:
    return x * (x + 3).clamp(0, 6) / 6


@stands_for(aten.hardswish_backward.default)
def _hardswish_backward(grad: Tensor, x: Tensor) -> Tensor:
    inside = torch.where(x <= 3, grad * (x / 3 + 0.5), grad)
    return torch.where(x < -3, torch.zeros_like(x), inside)


@stands_for(aten.mish.default)
def _mish(x: Tensor) -> Any:
    return x * _softplus(x).tanh()


@stands_for(aten.mish_backward.default)
def _mish_backward(grad: Tensor, x: Tensor) -> Any:
    t = _softplus(x).tanh()
    return grad * (t + x * x.sigmoid() * (1 - t * t))


@stands_for(aten.log_sigmoid_forward.default)
def _log_sigmoid(x: Tensor) -> tuple[Tensor, Tensor]:
    return x.clamp(max=0) - x.abs().neg().exp().log1p(), x.new_zeros(1)


@stands_for(aten.log_sigmoid_backward.default)
def _log_sigmoid_backward(grad: Tensor, x: Tensor, buffer: Tensor) -> Tensor:
    return grad * x.neg().sigmoid()


@stands_for(aten._prelu_kernel.default)
def _prelu(x: Tensor, weight: Tensor) -> Tensor:
    return torch.where(x > 0, x, x * weight)


@stands_for(aten._prelu_kernel_backward.default)
def _prelu_backward(grad: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    zero = torch.zeros_like(x)
    return torch.where(x > 0, grad, grad * weight), torch.where(x > 0, zero, grad * x)


@stands_for(aten.glu.default)
def _glu(x: Tensor, dim: int = -1) -> Tensor:
    value, gate = x.chunk(2, dim)
    return value * gate.sigmoid()


@stands_for(aten.glu_backward.default)
def _glu_backward(grad: Tensor, x: Tensor, dim: int) -> Tensor:
    value, gate = x.chunk(2, dim)
    share = gate.sigmoid()
    return torch.cat([grad * share, grad * value * share * (1 - share)], dim)


@stands_for(aten.softshrink.default)
def _softshrink(x: Tensor, lambd: float = 0.5) -> Tensor:
    return torch.where(x > lambd, x - lambd, torch.where(x < -lambd, x + lambd, x * 0))


@stands_for(aten.hardshrink.default)
def _hardshrink(x: Tensor, lambd: float = 0.5) -> Tensor:
    return torch.where((x >= -lambd) & (x <= lambd), torch.zeros_like(x), x)


@stands_for(aten.softshrink_backward.default, aten.hardshrink_backward.default)
def _shrink_backward(grad: Tensor, x: Tensor, lambd: float) -> Tensor:
    return torch.where((x >= -lambd) & (x <= lambd), torch.zeros_like(x), grad)


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


# Attention ----------------------------------------------------------------------------------------


@stands_for(aten._scaled_dot_product_flash_attention_for_cpu.default)
def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    attn_mask: Tensor | None = None,
    scale: float | None = None,
) -> Any:
    if dropout_p > 0 or query.shape[:2] != key.shape[:2]:
        return NotImplemented
    scores = _scores(query, key, is_causal, attn_mask, scale)
    logsum = _logsumexp(scores, [-1], True)
    # torch's kernel gives (B, H, L, E) that lies as (B, L, H, E)
    out = ((scores - logsum).exp() @ value).transpose(1, 2).contiguous().transpose(1, 2)
    return out, logsum.squeeze(-1)


@stands_for(aten._scaled_dot_product_flash_attention_for_cpu_backward.default)
def _attention_backward(
    grad: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    out: Tensor,
    logsum: Tensor,
    dropout_p: float,
    is_causal: bool,
    *,
    attn_mask: Tensor | None = None,
    scale: float | None = None,
) -> Any:
    if dropout_p > 0 or query.shape[:2] != key.shape[:2]:
        return NotImplemented
    share = (_scores(query, key, is_causal, attn_mask, scale) - logsum.unsqueeze(-1)).exp()
    slope = share * (grad @ value.mT - (grad * out).sum(-1, keepdim=True)) * _scale(query, scale)
    return slope @ key, slope.mT @ query, share.mT @ grad


def _scale(query: Tensor, scale: float | None) -> float:
    return 1 / math.sqrt(query.shape[-1]) if scale is None else scale


def _scores(
    query: Tensor, key: Tensor, is_causal: bool, mask: Tensor | None, scale: float | None
) -> Tensor:
    """What attention takes the softmax of, (B, H, L, S)."""
    scores = query @ key.mT * _scale(query, scale)
    if is_causal:
        scores = torch.where(_below(scores, 0), scores, torch.full_like(scores, -math.inf))
    if mask is None:
        return scores
    if mask.dtype == torch.bool:
        return torch.where(mask, scores, torch.full_like(scores, -math.inf))
    return scores + mask


# Normalisation ------------------------------------------------------------------------------------


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


# Losses -------------------------------------------------------------------------------------------


def _averaged(x: Tensor, reduction: int) -> Tensor:
    return x.mean() if reduction == 1 else x.sum() if reduction == 2 else x


@stands_for(aten.mse_loss.default)
def _mse(x: Tensor, y: Tensor, reduction: int = 1) -> Tensor:
    far = x - y
    return _averaged(far * far, reduction)


@stands_for(aten.mse_loss_backward.default)
def _mse_backward(grad: Tensor, x: Tensor, y: Tensor, reduction: int) -> Tensor:
    return grad * (x - y) * (2 / x.numel() if reduction == 1 else 2.0)


@stands_for(aten.smooth_l1_loss.default)
def _smooth_l1(x: Tensor, y: Tensor, reduction: int = 1, beta: float = 1.0) -> Tensor:
    far = (x - y).abs()
    return _averaged(torch.where(far < beta, far * far * (0.5 / beta), far - 0.5 * beta), reduction)


@stands_for(aten.smooth_l1_loss_backward.default)
def _smooth_l1_backward(grad: Tensor, x: Tensor, y: Tensor, reduction: int, beta: float) -> Tensor:
    far = x - y
    slope = torch.where(far.abs() < beta, far / beta, far.sign())
    return grad * slope * (1 / x.numel() if reduction == 1 else 1.0)


@stands_for(aten.huber_loss.default)
def _huber(x: Tensor, y: Tensor, reduction: int = 1, delta: float = 1.0) -> Tensor:
    far = (x - y).abs()
    parts = torch.where(far <= delta, far * far * 0.5, (far - 0.5 * delta) * delta)
    return _averaged(parts, reduction)


@stands_for(aten.huber_loss_backward.default)
def _huber_backward(grad: Tensor, x: Tensor, y: Tensor, reduction: int, delta: float) -> Tensor:
    slope = (x - y).clamp(-delta, delta)
    return grad * slope * (1 / x.numel() if reduction == 1 else 1.0)


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
    return _averaged((1 - y) * x - _log_sigmoid(x)[0], reduction)


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
    return slope * (1 / x.numel() if reduction == 1 else 1.0)


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


# Norms, variances, and parts of tensors -----------------------------------------------------------


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


@stands_for(aten.var.correction)
def _var(
    x: Tensor,
    dim: Sequence[int] | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
) -> Tensor:
    dims = list(dim or range(x.dim()))
    count = math.prod(x.shape[k] for k in dims)
    far = x - x.mean(dims, keepdim=True)
    rest = max(count - (1 if correction is None else correction), 0)
    return (far * far).sum(dims, keepdim) / rest


@stands_for(aten.var_mean.correction)
def _var_mean(
    x: Tensor,
    dim: Sequence[int] | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
) -> tuple[Tensor, Tensor]:
    mean = x.mean(list(dim or range(x.dim())), keepdim)
    return _var(x, dim, correction=correction, keepdim=keepdim), mean


@stands_for(aten.std_mean.correction)
def _std_mean(x: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    var, mean = _var_mean(x, *args, **kwargs)
    return var.sqrt(), mean


@stands_for(aten.std.correction)
def _std(x: Tensor, *args: Any, **kwargs: Any) -> Any:
    return _var(x, *args, **kwargs).sqrt()


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


@stands_for(aten.any.default, aten.any.dim, aten.any.dims)
def _any(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    return NotImplemented if x.dtype == torch.bool else (x != 0).any(*args, **kwargs)


@stands_for(aten.all.default, aten.all.dim, aten.all.dims)
def _all(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    return NotImplemented if x.dtype == torch.bool else (x != 0).all(*args, **kwargs)


@stands_for(aten.argmax.default)
def _argmax(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    return NotImplemented if dim is not None or keepdim else x.reshape(-1).argmax(0)


@stands_for(aten.argmin.default)
def _argmin(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    return NotImplemented if dim is not None or keepdim else x.reshape(-1).argmin(0)


@stands_for(aten.index_put_.default)
def _put_by_mask(
    x: Tensor, indices: Sequence[Tensor | None], values: Tensor, add: bool = False
) -> Any:
    mask = indices[0]
    if len(indices) != 1 or mask is None or mask.dtype != torch.bool or values.numel() != 1:
        return NotImplemented
    if add:
        return NotImplemented
    shape = [*mask.shape, *[1] * (x.dim() - mask.dim())]
    return x.copy_(torch.where(mask.view(shape), values.view([]), x))


def _padded(x: Tensor, pad: Sequence[int], place: Callable[[Tensor, int], Tensor]) -> Tensor:
    """A tensor framed along its last axes by numbers of its own, which ``place`` chooses."""
    for k in range(len(pad) // 2):
        x = x.index_select(-1 - k, _places(x.shape[-1 - k], pad[2 * k : 2 * k + 2], place))
    return x


def _unpadded(
    grad: Tensor, x: Tensor, pad: Sequence[int], place: Callable[[Tensor, int], Tensor]
) -> Tensor:
    for k in reversed(range(len(pad) // 2)):
        size, dim = x.shape[-1 - k], -1 - k
        sizes = list(grad.shape)
        sizes[dim] = size
        whole, places = grad.new_zeros(sizes), _places(size, pad[2 * k : 2 * k + 2], place)
        grad = whole.index_add(dim, places, grad)
    return grad


def _places(size: int, pad: Sequence[int], place: Callable[[Tensor, int], Tensor]) -> Tensor:
    return place(torch.arange(-pad[0], size + pad[1]), size)


def _mirrored(k: Tensor, size: int) -> Tensor:
    return size - 1 - (size - 1 - k.abs()).abs()


def _nearest(k: Tensor, size: int) -> Tensor:
    return k.clamp(0, size - 1)


@stands_for(aten.reflection_pad1d.default, aten.reflection_pad2d.default)
def _reflected(x: Tensor, pad: Sequence[int]) -> Tensor:
    return _padded(x, pad, _mirrored)


@stands_for(aten.reflection_pad1d_backward.default, aten.reflection_pad2d_backward.default)
def _reflected_backward(grad: Tensor, x: Tensor, pad: Sequence[int]) -> Tensor:
    return _unpadded(grad, x, pad, _mirrored)


@stands_for(aten.replication_pad1d.default, aten.replication_pad2d.default)
def _replicated(x: Tensor, pad: Sequence[int]) -> Tensor:
    return _padded(x, pad, _nearest)


@stands_for(aten.replication_pad1d_backward.default, aten.replication_pad2d_backward.default)
def _replicated_backward(grad: Tensor, x: Tensor, pad: Sequence[int]) -> Tensor:
    return _unpadded(grad, x, pad, _nearest)


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
    return torch.where(_below(x, diagonal), x, torch.zeros_like(x))


@stands_for(aten.triu.default)
def _triu(x: Tensor, diagonal: int = 0) -> Tensor:
    return torch.where(_below(x, diagonal - 1), torch.zeros_like(x), x)


def _below(x: Tensor, diagonal: int) -> Tensor:
    rows, columns = (torch.arange(size, device=x.device) for size in x.shape[-2:])
    return columns <= rows[:, None] + diagonal


# Layouts: products of images take channels last ---------------------------------------------------


def _same(*pairs: tuple[Tensor, Tensor]) -> bool:
    return all(a is b or a.stride() == b.stride() for a, b in pairs)


@stands_for(aten.convolution.default)
def _convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Any:
    if transposed or x.dim() not in (3, 4):
        return NotImplemented
    rest = transposed, output_padding
    if x.dim() == 3:
        x, weight = x.unsqueeze(2), weight.unsqueeze(2)
        wide = [1, *stride], [0, *padding], [1, *dilation]
        return aten.convolution.default(x, weight, bias, *wide, *rest, groups).squeeze(2)
    how = stride, padding, dilation, *rest
    laid = last(x), outputs_last(weight)
    if _same((laid[0], x), (laid[1], weight)):
        return NotImplemented
    return aten.convolution.default(*laid, bias, *how, groups)


@stands_for(aten.convolution_backward.default)
def _convolution_backward(
    grad: Tensor,
    x: Tensor,
    weight: Tensor,
    bias_sizes: Sequence[int] | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
    wanted: Sequence[bool],
) -> Any:
    if transposed or x.dim() not in (3, 4):
        return NotImplemented
    rest = transposed, output_padding
    if x.dim() == 3:
        flat = [of.unsqueeze(2) for of in (grad, x, weight)]
        wide = [1, *stride], [0, *padding], [1, *dilation]
        dx, dw, db = aten.convolution_backward.default(
            *flat, bias_sizes, *wide, *rest, groups, wanted
        )
        return dx if dx is None else dx.squeeze(2), dw if dw is None else dw.squeeze(2), db
    how = stride, padding, dilation, *rest
    laid = last(grad), last(x), outputs_last(weight)
    if _same((laid[0], grad), (laid[1], x), (laid[2], weight)):
        return NotImplemented
    return aten.convolution_backward.default(*laid, bias_sizes, *how, groups, wanted)


@stands_for(aten.max_pool2d_with_indices.default)
def _max_pool(x: Tensor, *args: Any) -> Any:
    if x.dim() != 4 or _same((last(x), x)):
        return NotImplemented
    return aten.max_pool2d_with_indices.default(last(x), *args)


@stands_for(aten.max_pool2d_with_indices_backward.default)
def _max_pool_backward(grad: Tensor, x: Tensor, *args: Any) -> Any:
    if x.dim() != 4:
        return NotImplemented
    laid = last(grad), last(x), last(args[-1])
    if _same((laid[0], grad), (laid[1], x), (laid[2], args[-1])):
        return NotImplemented
    return aten.max_pool2d_with_indices_backward.default(*laid[:2], *args[:-1], laid[2])


@stands_for(aten.avg_pool2d.default)
def _avg_pool(x: Tensor, *args: Any) -> Any:
    if x.dim() != 4 or _same((last(x), x)):
        return NotImplemented
    return aten.avg_pool2d.default(last(x), *args)


@stands_for(aten.avg_pool2d_backward.default)
def _avg_pool_backward(grad: Tensor, x: Tensor, *args: Any) -> Any:
    if x.dim() != 4 or _same((last(grad), grad), (last(x), x)):
        return NotImplemented
    return aten.avg_pool2d_backward.default(last(grad), last(x), *args)
