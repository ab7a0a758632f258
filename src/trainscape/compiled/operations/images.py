"""Convolutions and pooling of images, whose channels lie last in memory."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from trainscape.compiled.layouts import last, outputs_last
from trainscape.compiled.nodes import Kernel, Ref, UnsupportedError
from trainscape.compiled.operations._maps import target
from trainscape.compiled.operations._table import DECOMPOSITIONS, aten, lowers, stands_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from trainscape.compiled.call import Call
    from trainscape.compiled.nodes import Node


def _laid(kernel: Any, layouts: Mapping[int, Callable[[Tensor], Tensor]], *args: Any) -> Any:
    """Call a kernel with its images and weights as the loops here take them.

    NotImplemented where they lie so already, or where they are no images.
    """
    if args[0].dim() != 4:
        return NotImplemented
    places = {k % len(args): of for k, of in layouts.items()}
    laid = [places[k](of) if k in places else of for k, of in enumerate(args)]
    if all(laid[k] is args[k] or laid[k].stride() == args[k].stride() for k in places):
        return NotImplemented
    return kernel(*laid)


for _kernel, _images in {
    aten.max_pool2d_with_indices.default: (0,),
    aten.max_pool2d_with_indices_backward.default: (0, 1, -1),
    aten.avg_pool2d.default: (0,),
    aten.avg_pool2d_backward.default: (0, 1),
}.items():
    DECOMPOSITIONS[_kernel] = partial(_laid, _kernel, dict.fromkeys(_images, last))


@stands_for(aten.convolution.default)
def _flat_convolution(x: Tensor, weight: Tensor, *args: Any) -> Any:
    """A convolution of rows (B, C, W) is one of images one pixel high."""
    kernel, transposed = aten.convolution.default, args[4]
    if transposed:
        return NotImplemented
    if x.dim() == 3:
        return kernel(x.unsqueeze(2), weight.unsqueeze(2), args[0], *_wide(args[1:])).squeeze(2)
    return _laid(kernel, {0: last, 1: outputs_last}, x, weight, *args)


@stands_for(aten.convolution_backward.default)
def _flat_convolution_backward(grad: Tensor, x: Tensor, weight: Tensor, *args: Any) -> Any:
    kernel, transposed = aten.convolution_backward.default, args[4]
    if transposed:
        return NotImplemented
    if x.dim() == 3:
        flat = [of.unsqueeze(2) for of in (grad, x, weight)]
        dx, dw, db = kernel(*flat, args[0], *_wide(args[1:]))
        return dx if dx is None else dx.squeeze(2), dw if dw is None else dw.squeeze(2), db
    return _laid(kernel, {0: last, 1: last, 2: outputs_last}, grad, x, weight, *args)


def _wide(args: Sequence[Any]) -> list[Any]:
    """Stride, padding and dilation of rows as of images, and what comes after them."""
    stride, padding, dilation, *rest = args
    return [[1, *stride], [0, *padding], [1, *dilation], *rest]


def _axes(x: Ref, y: Ref) -> str:
    """The strides of images that go in and of those that come out, in C."""
    strides = [*(x.strides[k] for k in (0, 2, 3)), *(y.strides[k] for k in (0, 2, 3))]
    return ", ".join(map(str, strides))


def _conv(x: Ref, w: Ref, y: Ref, call: Call) -> tuple[str, str, str]:
    """One group of a convolution in C, and the floats of scratch that its directions need."""
    if call["transposed"] or len(x.sizes) != 4:
        raise UnsupportedError("of this form")
    if {of.dtype for of in (x, w, y)} != {torch.float32}:
        raise UnsupportedError("of such numbers")
    (b, _, ih, iw), (outputs, ci, kh, kw) = x.sizes, w.sizes
    co = outputs // call["groups"]
    pairs = [
        tuple(call[key]) * (2 if len(call[key]) == 1 else 1)
        for key in ("stride", "padding", "dilation")
    ]
    (sh, sw), (ph, pw), (dh, dw) = pairs
    taps = w.strides[3] if kw > 1 else w.strides[2]
    row = w.strides[1] if ci > 1 else taps if kh * kw > 1 else outputs
    shape = f"{b}, {ih}, {iw}, {ci}, {co}, {kh}, {kw}, {sh}, {sw}, {ph}, {pw}, {dh}, {dw}"
    text = f"(struct conv){{{shape}, {_axes(x, y)}, {row}}}"
    there = f"CONV_SCRATCH({b}, {ih}, {iw}, {ci}, {ph}, {pw})"
    back = f"CONV_GRAD_INPUT_SCRATCH({shape})"
    return text, there, back


def _grouped(call: Call, floats: str, text: str) -> str:
    """A call for each group; ``+ I`` and ``+ O`` lead to its channels of inputs and outputs."""
    groups = call["groups"]
    inputs, outputs = call["weight"].shape[1], call["weight"].shape[0] // groups
    own = (f" + g * {inputs}", f" + g * {outputs}") if groups > 1 else ("", "")
    text = text.replace(" + I", own[0]).replace(" + O", own[1])
    if groups > 1:
        text = f"for (long g = 0; g < {groups}; g++) {text}"
    scratch = f"static float scratch[{floats}] __attribute__((aligned(64))); " if floats else ""
    return f"{scratch}{text}"


@lowers("convolution")
def _convolution(call: Call) -> list[Node]:
    x, w, y = Ref.of(call["input"]), Ref.of(call["weight"]), target(call)
    text, there, _ = _conv(x, w, y, call)
    ins, start = [x, w], "FROM_ZERO, (void *)0"
    if call["bias"] is not None:
        bias = _dense(call["bias"])
        ins, start = [*ins, bias], f"FROM_BIAS, $r2 + {bias.offset} + O"
    places = f"$r0 + {x.offset} + I, $r1 + {w.offset} + O, {start}, $w0 + {y.offset} + O"
    made = f"conv_forward({text}, {places}, scratch);"
    return [Kernel(ins, [y], _grouped(call, there, made))]


def _dense(bias: Tensor) -> Ref:
    """A bias whose numbers lie side by side."""
    if bias.stride(0) != 1 and len(bias) > 1:
        raise UnsupportedError("with such a bias")
    return Ref.of(bias)


@lowers("convolution_backward")
def _convolution_backward(call: Call) -> list[Node]:
    dy, x, w = (Ref.of(call[key]) for key in ("grad_output", "input", "weight"))
    text, there, back = _conv(x, w, dy, call)
    nodes: list[Node] = []
    dx, dw, db = (None if made is None else Ref.of(made) for made in call.out)
    if dx is not None:
        places = f"$r0 + {dy.offset} + O, $r1 + {w.offset} + O, $w0 + {dx.offset} + I"
        made = f"conv_grad_input({text}, {places}, scratch);"
        nodes.append(Kernel([dy, w], [dx], _grouped(call, back, made)))
    if dw is not None:
        places = f"$r0 + {x.offset} + I, $r1 + {dy.offset} + O, $w0 + {dw.offset} + O"
        made = f"conv_grad_weight({text}, {places}, scratch);"
        nodes.append(Kernel([x, dy], [dw], _grouped(call, there, made)))
    if db is not None:
        made = f"conv_grad_bias({text}, $r0 + {dy.offset} + O, $w0 + {db.offset} + O);"
        nodes.append(Kernel([dy], [db], _grouped(call, "", made)))
    return nodes


def _pool(x: Ref, y: Ref, call: Call) -> str:
    if len(x.sizes) != 4 or call["ceil_mode"] or x.dtype != torch.float32:
        raise UnsupportedError("of this form")
    size, stride = call["kernel_size"], call["stride"] or call["kernel_size"]
    if set(call.of.get("dilation") or (1,)) != {1} or not call.of.get("count_include_pad", True):
        raise UnsupportedError("of this form")
    if call.of.get("divisor_override") is not None:
        raise UnsupportedError("with a divisor of its own")
    b, c, h, w = x.sizes
    pairs = [tuple(of) * (2 if len(of) == 1 else 1) for of in (size, stride, call["padding"])]
    numbers = ", ".join(str(n) for of in pairs for n in of)
    return f"(struct pool){{{b}, {h}, {w}, {c}, {numbers}, {_axes(x, y)}}}"


@lowers("max_pool2d_with_indices")
def _max_pool(call: Call) -> list[Node]:
    x, (y, index) = Ref.of(call["self"]), map(Ref.of, call.out)
    places = f"$r0 + {x.offset}, $w0 + {y.offset}, $w1 + {index.offset}"
    return [Kernel([x], [y, index], f"max_pool_forward({_pool(x, y, call)}, {places});")]


@lowers("max_pool2d_with_indices_backward")
def _max_pool_backward(call: Call) -> list[Node]:
    dy, index, dx = Ref.of(call["grad_output"]), Ref.of(call["indices"]), target(call)
    places = f"$r0 + {dy.offset}, $r1 + {index.offset}, $w0 + {dx.offset}"
    return [Kernel([dy, index], [dx], f"max_pool_backward({_pool(dx, dy, call)}, {places});")]


@lowers("avg_pool2d")
def _avg_pool(call: Call) -> list[Node]:
    x, y = Ref.of(call["self"]), target(call)
    made = f"avg_pool_forward({_pool(x, y, call)}, $r0 + {x.offset}, $w0 + {y.offset});"
    return [Kernel([x], [y], made)]


@lowers("avg_pool2d_backward")
def _avg_pool_backward(call: Call) -> list[Node]:
    dy, dx = Ref.of(call["grad_output"]), target(call)
    made = f"avg_pool_backward({_pool(dx, dy, call)}, $r0 + {dy.offset}, $w0 + {dx.offset});"
    return [Kernel([dy], [dx], made)]
