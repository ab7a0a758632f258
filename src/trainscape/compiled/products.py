"""The table of operations, continued: products of matrices, convolutions and pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from trainscape.compiled.lowering import literal, lowers, target
from trainscape.compiled.nodes import Kernel, Map, Ref, UnsupportedError

if TYPE_CHECKING:
    from torch import Tensor

    from trainscape.compiled.call import Call
    from trainscape.compiled.nodes import Node


def product(out: Ref, a: Ref, b: Ref, start: str = "0", bias: Ref | None = None) -> Kernel:
    """``out`` (M, N) from A (M, K) and B (K, N), or of as many such, (T, M, N).

    Args:
        out: where it goes.
        a: A.
        b: B.
        start: what sums start from: ``0``, ``bias`` or ``out``.
        bias: (N,), broadcast.
    """
    (m, k), n = a.sizes[-2:], b.sizes[-1]
    if out.strides[-1] != 1 and n != 1:
        if out.strides[-2] != 1 or start == "bias":
            raise UnsupportedError("into such memory")
        turned = [0, 2, 1] if len(out.sizes) == 3 else [1, 0]
        return product(out.seen(turned), b.seen(turned), a.seen(turned), start)
    kind = out.c_type
    if kind not in ("float", "double") or {a.dtype, b.dtype} != {out.dtype}:
        raise UnsupportedError("of such numbers")
    lies_across = b.strides[-1] != 1 and a.strides[-1] == 1 and len(out.sizes) == 2
    if lies_across and start == "0" and kind == "float" and m * (k + n) < k * n:
        return _turned(out, a, b)
    name = "product" if kind == "float" else "product_double"
    places = {}
    for word, ref in (("$r0", a), ("$r1", b), ("$w0", out)):
        own = f" + t * {ref.strides[0]}" if len(ref.sizes) == 3 else ""
        places[word] = f"{word} + {ref.offset}{own}"
    ins, words, scratch, before = [a, b], places["$r1"], 0, ""
    row, column = b.strides[-2:]
    if column != 1 and n != 1:
        scratch = k * n * out.dtype.itemsize
        words = f"({kind} *)$scratch"
        if row == 1 and kind == "float":
            before = f"transpose({n}, {k}, {places['$r1']}, {column}, {words}, {n}); "
        else:
            before = (
                f"for (long k = 0; k < {k}; k++) for (long n = 0; n < {n}; n++) "
                f"({words})[k * {n} + n] = ({places['$r1']})[k * {row} + n * {column}]; "
            )
        row = n
    source = "(void *)0"
    if bias is not None:
        ins.append(bias)
        source = f"$r2 + {bias.offset}"
    mode = {"0": "FROM_ZERO", "bias": "FROM_BIAS", "out": "FROM_OUTPUT"}[start]
    body = (
        f"{before}{name}({m}, {n}, {k}, {places['$r0']}, {a.strides[-2]}, {a.strides[-1]}, "
        f"{words}, {row}, {mode}, {source}, {places['$w0']}, {out.strides[-2]});"
    )
    if len(out.sizes) == 3:
        body = f"for (long t = 0; t < {out.sizes[0]}; t++) {{ {body} }}"
    return Kernel(ins, [out], body, scratch, start == "out", "product")


def _turned(out: Ref, a: Ref, b: Ref) -> Kernel:
    """The same by way of (AB)ᵀ = BᵀAᵀ: A and the result are copied and not B, which is larger."""
    (m, k), n = a.sizes, b.sizes[1]
    body = (
        f"float *turned = (float *)$scratch, *made = turned + {k * m}; "
        f"transpose({m}, {k}, $r0 + {a.offset}, {a.strides[0]}, turned, {m}); "
        f"product({n}, {m}, {k}, $r1 + {b.offset}, {b.strides[1]}, {b.strides[0]}, "
        f"turned, {m}, FROM_ZERO, (void *)0, made, {m}); "
        f"transpose({n}, {m}, made, {m}, $w0 + {out.offset}, {out.strides[0]});"
    )
    return Kernel([a, b], [out], body, 4 * m * (k + n))


@lowers("mm", "mv", "dot", "vdot")
def _mm(call: Call) -> list[Node]:
    a, b = (call.given[0], call.given[1])
    out = call.made[0]
    a = a[None] if a.dim() == 1 else a
    b = b[:, None] if b.dim() == 1 else b
    shape = (a.shape[0], b.shape[1])
    return [product(Ref.of(out.view(shape)), Ref.of(a), Ref.of(b))]


@lowers("addmm", "addmv")
def _addmm(call: Call) -> list[Node]:
    start, out = call["self"], call.made[0]
    a, b = (call["mat1"], call["mat2"]) if call.name == "addmm" else (call["mat"], call["vec"])
    if call.name == "addmv":
        b, start, out = b[:, None], start.expand(out.shape)[:, None], out[:, None]
    return _sum_of(Ref.of(out), Ref.of(start), Ref.of(a), Ref.of(b), call)


def _sum_of(out: Ref, start: Ref, a: Ref, b: Ref, call: Call) -> list[Node]:
    """β start + α A B."""
    alpha, beta = call["alpha"], call["beta"]
    start = start.broadcast(out.sizes)
    if alpha == 1 and beta == 1 and start.strides == (0, 1) and out.strides[1] == 1:
        row = Ref(start.buffer, start.dtype, start.offset, start.sizes[1:], (1,))
        return [product(out, a, b, "bias", row)]
    if alpha == 0:
        return [Map(out, [start], f"{literal(beta, out.c_type)} * $0", [out.c_type], out.c_type)]
    if beta == 0:
        before = Map(out, [], "0", [], out.c_type)
    else:
        share = literal(beta / alpha, out.c_type)
        text = "$0" if beta == alpha else f"{share} * $0"
        before = Map(out, [start], text, [out.c_type], out.c_type)
    after = Map(out, [out], f"{literal(alpha, out.c_type)} * $0", [out.c_type], out.c_type)
    return [before, product(out, a, b, "out"), *([] if alpha == 1 else [after])]


@lowers("bmm")
def _bmm(call: Call) -> list[Node]:
    return [product(target(call), Ref.of(call["self"]), Ref.of(call["mat2"]))]


@lowers("baddbmm")
def _baddbmm(call: Call) -> list[Node]:
    start, a, b = (Ref.of(call[key]) for key in ("self", "batch1", "batch2"))
    return _sum_of(target(call), start, a, b, call)


# Images: channels last (the decompositions see to it) ---------------------------------------------


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
    return f"static float scratch[{floats}] __attribute__((aligned(64))); {text}"


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
        made = f"conv_grad_weight({text}, {places}, (void *)0, scratch);"
        nodes.append(Kernel([x, dy], [dw], _grouped(call, there, made)))
    if db is not None:
        made = f"conv_grad_bias({text}, $r0 + {dy.offset} + O, $w0 + {db.offset} + O);"
        nodes.append(Kernel([dy], [db], _grouped(call, "1", made)))
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
