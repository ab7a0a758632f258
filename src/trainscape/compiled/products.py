"""The table of operations, continued: products of matrices, convolutions and pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from trainscape.compiled.lowering import copied, literal, lowers, target
from trainscape.compiled.nodes import Kernel, Map, Ref, UnsupportedError

if TYPE_CHECKING:
    from torch import Tensor

    from trainscape.compiled.call import Call
    from trainscape.compiled.nodes import Node


def product(out: Ref, a: Ref, b: Ref, start: str = "0", bias: Ref | None = None) -> Kernel:
    """``out`` (M, N) from A (M, K) and B (K, N).

    Args:
        out: where it goes.
        a: A.
        b: B.
        start: what sums start from: ``0``, ``bias`` or ``out``.
        bias: (N,), broadcast.
    """
    (m, k), n = a.sizes, b.sizes[1]
    if out.strides[1] != 1 and n != 1:
        if out.strides[0] != 1 or start == "bias":
            raise UnsupportedError("into such memory")
        return product(out.seen([1, 0]), b.seen([1, 0]), a.seen([1, 0]), start)
    kind = out.c_type
    if kind not in ("float", "double") or {a.dtype, b.dtype} != {out.dtype}:
        raise UnsupportedError("of such numbers")
    name = "product" if kind == "float" else "product_double"
    ins, words, scratch, before = [a, b], f"$r1 + {b.offset}", 0, ""
    row = b.strides[0]
    if b.strides[1] != 1 and n != 1:
        scratch = k * n * out.dtype.itemsize
        words, row = f"({kind} *)$scratch", n
        if b.strides[0] == 1 and kind == "float":
            before = f"transpose({n}, {k}, $r1 + {b.offset}, {b.strides[1]}, {words}, {n}); "
        else:
            element = f"$r1[{b.at(['k', 'n'])}]"
            before = (
                f"for (long k = 0; k < {k}; k++) for (long n = 0; n < {n}; n++) "
                f"(({kind} *)$scratch)[k * {n} + n] = {element}; "
            )
    source = "(void *)0"
    if bias is not None:
        ins.append(bias)
        source = f"$r2 + {bias.offset}"
    mode = {"0": "FROM_ZERO", "bias": "FROM_BIAS", "out": "FROM_OUTPUT"}[start]
    body = (
        f"{before}{name}({m}, {n}, {k}, $r0 + {a.offset}, {a.strides[0]}, {a.strides[1]}, "
        f"{words}, {row}, {mode}, {source}, $w0 + {out.offset}, {out.strides[0]});"
    )
    return Kernel(ins, [out], body, scratch, start == "out", "product")


@lowers("mm", "mv", "dot")
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
    a, b = (call.of.get(key) for key in (("mat1", "mat2") if call.name == "addmm" else ("mat", "vec")))
    if call.name == "addmv":
        b, out, start = b[:, None], out[:, None], start[:, None]
    return _sum_of(Ref.of(out), Ref.of(start), Ref.of(a), Ref.of(b), call)


def _sum_of(out: Ref, start: Ref, a: Ref, b: Ref, call: Call) -> list[Node]:
    """β start + α A B."""
    alpha, beta = call["alpha"], call["beta"]
    start = start.broadcast(out.sizes)
    if alpha == 1 and beta == 1 and start.strides == (0, 1) and out.strides[1] == 1:
        row = Ref(start.buffer, start.dtype, start.offset, start.sizes[1:], (1,))
        return [product(out, a, b, "bias", row)]
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
    a, b, out = call["self"], call["mat2"], call.made[0]
    return [product(*map(Ref.of, of)) for of in zip(out, a, b, strict=True)]


@lowers("baddbmm")
def _baddbmm(call: Call) -> list[Node]:
    out = call.made[0]
    start = call["self"].expand(out.shape)
    many = zip(out, start, call["batch1"], call["batch2"], strict=True)
    return [node for of in many for node in _sum_of(*map(Ref.of, of), call)]


# Images: channels last (the decompositions see to it) ------------------------------------------------


def _axes(x: Ref, y: Ref) -> str:
    """The strides of images that go in and of those that come out, in C."""
    strides = [*(x.strides[k] for k in (0, 2, 3)), *(y.strides[k] for k in (0, 2, 3))]
    return ", ".join(map(str, strides))


def _conv(x: Ref, w: Ref, y: Ref, call: Call) -> tuple[str, str, str]:
    """A convolution in C, and the floats of scratch that its three directions need."""
    if call["transposed"] or call["groups"] != 1 or len(x.sizes) != 4:
        raise UnsupportedError("of this form")
    if {of.dtype for of in (x, w, y)} != {torch.float32}:
        raise UnsupportedError("of such numbers")
    (b, ci, ih, iw), (co, _, kh, kw) = x.sizes, w.sizes
    pairs = [tuple(call[key]) * (2 if len(call[key]) == 1 else 1) for key in (
        "stride", "padding", "dilation")]
    (sh, sw), (ph, pw), (dh, dw) = pairs
    taps = w.strides[3] if kw > 1 else w.strides[2]
    row = w.strides[1] if ci > 1 else taps if kh * kw > 1 else co
    shape = f"{b}, {ih}, {iw}, {ci}, {co}, {kh}, {kw}, {sh}, {sw}, {ph}, {pw}, {dh}, {dw}"
    text = f"(struct conv){{{shape}, {_axes(x, y)}, {row}}}"
    there = f"CONV_SCRATCH({b}, {ih}, {iw}, {ci}, {ph}, {pw})"
    back = f"CONV_GRAD_INPUT_SCRATCH({shape})"
    return text, there, back


def _with_scratch(floats: str, call: str) -> str:
    return f"static float scratch[{floats}] __attribute__((aligned(64))); {call}"


@lowers("convolution")
def _convolution(call: Call) -> list[Node]:
    x, w, y = Ref.of(call["input"]), Ref.of(call["weight"]), target(call)
    text, there, _ = _conv(x, w, y, call)
    ins, start = [x, w], "FROM_ZERO, (void *)0"
    if call["bias"] is not None:
        bias = Ref.of(call["bias"])
        ins, start = [*ins, bias], f"FROM_BIAS, $r2 + {bias.offset}"
    made = f"conv_forward({text}, $r0 + {x.offset}, $r1 + {w.offset}, {start}, $w0 + {y.offset}, "
    return [Kernel(ins, [y], _with_scratch(there, f"{made}scratch);"), doing="convolution")]


@lowers("convolution_backward")
def _convolution_backward(call: Call) -> list[Node]:
    dy, x, w = (Ref.of(call[key]) for key in ("grad_output", "input", "weight"))
    text, there, back = _conv(x, w, dy, call)
    nodes: list[Node] = []
    dx, dw, db = (None if made is None else Ref.of(made) for made in call.out)
    if dx is not None and call["output_mask"][0]:
        made = f"conv_grad_input({text}, $r0 + {dy.offset}, $r1 + {w.offset}, $w0 + {dx.offset}, "
        nodes.append(Kernel([dy, w], [dx], _with_scratch(back, f"{made}scratch);")))
    if dw is not None and call["output_mask"][1]:
        places = f"$r0 + {x.offset}, $r1 + {dy.offset}, $w0 + {dw.offset}"
        made = f"conv_grad_weight({text}, {places}, (void *)0, scratch);"
        nodes.append(Kernel([x, dy], [dw], _with_scratch(there, made)))
    if db is not None and call["output_mask"][2]:
        made = f"conv_grad_bias({text}, $r0 + {dy.offset}, $w0 + {db.offset});"
        nodes.append(Kernel([dy], [db], made))
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
