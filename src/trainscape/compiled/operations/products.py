"""Products of matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainscape.compiled.nodes import Kernel, Map, Ref, UnsupportedError, literal
from trainscape.compiled.operations._maps import target
from trainscape.compiled.operations._table import lowers

if TYPE_CHECKING:
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
    given = (
        f"{m}, {n}, {k}, {places['$r0']}, {a.strides[-2]}, {a.strides[-1]}, "
        f"{words}, {row}, {mode}, {source}, {places['$w0']}, {out.strides[-2]}"
    )
    body, rows = f"{before}{name}({given});", ""
    if len(out.sizes) == 3:
        body = f"for (long t = 0; t < {out.sizes[0]}; t++) {{ {body} }}"
    elif kind == "float" and start == "0" and not before:
        rows = f"product_rows({given}, $from, $to);"
    return Kernel(ins, [out], body, scratch, start == "out", "product", rows)


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
