"""Products of matrices and vectors, compiled."""

from __future__ import annotations

import torch

from kit.programs import agree, case, numbers
from kit.programs import one_thread as one_thread  # autouse, once it is here


def test_products() -> None:
    """Of matrices and vectors as they come, transposed, sliced, expanded, and of doubles."""
    a, b = numbers(3, 5), numbers(5, 7)
    agree(
        case("mm", lambda a, b: (a @ b, b.t() @ a.t(), a @ b[:, ::2], a[:, 1:] @ b[1:], a[:1] @ b,
             a @ b[:, :1], (b.t() @ a.t()).t() + 1), a, b),
        case("expanded", lambda a, b: (a[:1].expand(4, 5) @ b, a @ b[:, :1].expand(5, 3)),
             a.clone(), b.clone()),
        case("vectors", lambda a, b: (a @ b[:, 0], a[0] @ b, a[0] @ b[:, 1], a[0].outer(b[0]),
             torch.addmv(a[:, 0], a, b[:, 0])), a.clone(), b.clone()),
        case("doubles", lambda a, b: (a @ b, b.t() @ a.t(), a @ b[:, ::2], a @ b[:, 0]),
             a.double(), b.double()),
        case("addmm", lambda a, b, c: (torch.addmm(c, a, b), torch.addmm(c[0], a, b),
             torch.addmm(c, a, b, beta=0.5, alpha=2), torch.addmm(c, a, b, beta=0),
             torch.addmm(c, a, b, alpha=0), torch.addmm(c[:, :1], a, b), torch.addmm(c[0, 0], a, b),
             c.clone().addmm_(a, b), torch.addmm(c[0, ::2], a, b[:, :4])),
             a.clone(), b.clone(), numbers(3, 7)),
        case("bmm", lambda a, b: (a @ b, b.mT @ a.mT, a[:1] @ b, a @ b[0], a.flip(0) @ b[:, :, ::2],
             a.transpose(0, 1) @ b[:1].expand(3, 5, 7)), numbers(2, 3, 5), numbers(2, 5, 7)),
        case("baddbmm", lambda a, b, c: (torch.baddbmm(c, a, b), torch.baddbmm(c[0, 0], a, b),
             torch.baddbmm(c, a, b, beta=0.5, alpha=2)),
             numbers(2, 3, 5), numbers(2, 5, 7), numbers(2, 3, 7)),
        case("einsum", lambda a, b: (torch.einsum("ij,jk->ki", a, b),
             torch.einsum("bi,bj->bij", a, a), torch.einsum("ij->j", a),
             torch.einsum("ij,ij->", a, a), torch.tensordot(a, b, 1)), a.clone(), b.clone()),
        case("out", lambda a, b, c: torch.mm(a, b, out=c), a.clone(), b.clone(), numbers(3, 7)),
        case("four axes", lambda a, b: a @ b, numbers(2, 3, 4, 5), numbers(3, 5, 2)),
    )  # fmt: skip
