"""Attention as torch fuses it on a CPU: two products around a softmax."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from trainscape.compiled.operations._table import aten, stands_for
from trainscape.compiled.operations.activations import logsumexp
from trainscape.compiled.operations.shapes import below


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
    logsum = logsumexp(scores, [-1], True)
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
        scores = torch.where(below(scores, 0), scores, torch.full_like(scores, -math.inf))
    if mask is None:
        return scores
    if mask.dtype == torch.bool:
        return torch.where(mask, scores, torch.full_like(scores, -math.inf))
    return scores + mask
