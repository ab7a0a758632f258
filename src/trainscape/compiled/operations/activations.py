"""Activations and softmax, written as torch would by simpler operations."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from trainscape.compiled.operations._table import aten, stands_for


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
def logsumexp(x: Tensor, dims: list[int], keepdim: bool = False) -> Tensor:
    """Log Σ eˣ over some axes."""
    top = x.amax(dims, keepdim=True)
    top = torch.where(top.abs() == math.inf, torch.zeros_like(top), top)
    total = (x - top).exp().sum(dims, keepdim=True).log() + top
    return total if keepdim else total.squeeze(dims)


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
def log_sigmoid(x: Tensor) -> tuple[Tensor, Tensor]:
    """Log σ(x), and a buffer that torch wants beside it."""
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
