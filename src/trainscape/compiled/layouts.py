"""How images and weights of convolutions lie in memory while a step is recorded.

The kernels of c/kernels.h take channels last. Torch's own choice depends on what it is given, and
on axes of size 1: here what comes out always lies in the one way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


def last(x: Tensor) -> Tensor:
    """Images (B, C, H, W) with their channels side by side in memory."""
    return x.contiguous(memory_format=torch.channels_last)


def outputs_last(weight: Tensor) -> Tensor:
    """A convolution's weights (O, I, H, W) with their outputs side by side in memory."""
    return weight.permute(2, 3, 1, 0).contiguous().permute(3, 2, 0, 1)


def _images(out: Any) -> Any:
    """Images, or several of them, in memory of their own."""
    if isinstance(out, tuple):
        return tuple(map(_images, out))
    if out.dim() != 4:
        return out
    return torch.empty(out.shape, dtype=out.dtype, memory_format=torch.channels_last).copy_(out)


def _slopes(out: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
    """The gradients of a convolution: of its input, its weights and its bias."""
    dx, dw, db = out
    if dw is not None and dw.dim() == 4:
        o, i, h, w = dw.shape
        dw = dw.new_empty(h, w, i, o).permute(3, 2, 0, 1).copy_(dw)
    return None if dx is None else _images(dx), dw, db


# By the name of an operation: what came out, laid as its kernel writes it.
LAID: dict[str, Callable[[Any], Any]] = {
    "avg_pool2d": _images,
    "avg_pool2d_backward": _images,
    "convolution": _images,
    "convolution_backward": _slopes,
    "max_pool2d_with_indices": _images,
    "max_pool2d_with_indices_backward": _images,
}
