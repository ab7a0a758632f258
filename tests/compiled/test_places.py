"""Places, compiled: gather, scatter, indices, joins, frames; and none outside memory."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from kit.programs import agree, case, numbers, places, run_on
from kit.programs import one_thread as one_thread  # autouse, once it is here
from trainscape.compiled.programs import compiled


def test_parts_and_places() -> None:
    """Rows and columns that data names, and tensors put together from others."""
    x = numbers(4, 5)
    agree(
        case("gather", lambda x, i: x.gather(1, i), x, places(5, 4, 3)),
        case("gather rows", lambda x, i: x.t().gather(-2, i), x.clone(), places(5, 2, 4)),
        case("scatter", lambda x, i: (x.scatter(1, i, 7), x.scatter(1, i, x * 2)), x.clone(),
             torch.rand(4, 5).argsort(1)[:, :3].contiguous()),
        case("scatter_add", lambda x, i: x.scatter_add(0, i, x), x.clone(), places(4, 2, 5)),
        case("index", lambda x, i, j: (x[i], x[:, i], x[i, j], x[i[:, None], j], x[None, :, j],
             x[-i - 1]), x.clone(), places(4, 6), places(5, 6)),
        case("select", lambda x, i: (x.index_select(0, i), x.index_select(-1, i[1:])), x.clone(),
             places(4, 6)),
        case("put", lambda x, i, j, y: (x.index_put((i, j), y, True), x.index_put_((i,), y[:1])),
             x.clone(), places(4, 6), places(5, 6), numbers(6)),
        case("put columns", lambda x, i, y: torch.ops.aten.index_put(x, [None, i], y, True),
             x.clone(), places(5, 3), numbers(3)),
        case("put by mask", lambda x: x.__setitem__(x > 0, 0.0), x.clone()),
        case("add", lambda x, i: (x.index_add(0, i, x), x.index_copy(0, i[:1], x[:1])), x.clone(),
             places(4, 4)),
        case("copy to number", lambda x, i, y: x.index_copy_(0, i, y[None]), numbers(5),
             places(5), torch.tensor(3.0)),
        case("embed", lambda w, i: functional.embedding(i, w), numbers(7, 3), places(7, 2, 3)),
        case("embed int32", lambda w, i: (functional.embedding(i, w), w.index_select(0, i[0])),
             numbers(7, 3), places(7, 2, 3).int()),
        case("join", lambda x: (torch.cat([x, x[:1]]), torch.cat([x, x.double()], -1),
             torch.stack([x, x + 1], 1), torch.stack([x[0], x[1]], -1)), x.clone()),
        case("repeat", lambda x: (x.repeat(2, 1, 3), x.t().repeat(1, 2), x[:, :1].expand(4, 3) + 1,
             x.repeat_interleave(2, 1), x.tile(2)), x.clone()),
        case("frame", lambda x: (functional.pad(x, (1, 2, 0, 1), value=2.0),
             functional.pad(x, (-1, 2)), functional.pad(x, (1, -2, -1, 0))), x.clone()),
        case("triangle", lambda x: (x.tril(), x.triu(1), x.tril(-1), x.t().triu()), x.clone()),
        case("cumsum", lambda x: (x.cumsum(0), x.cumsum(-1), x.t().cumsum(1)), x.clone()),
        case("turn", lambda x: (x.flip(0, 1), x.roll(2), x.roll((1, -1), (0, 1)), x.movedim(0, 1)),
             x.clone()),
        case("diagonal", lambda x: (x.diagonal(1), x[0].diag_embed(), x[0].diag(), x.mT + 1),
             x.clone()),
        case("split", lambda x: (*x.split([2, 3], 1), *x.chunk(2), *x.unbind(1)), x.clone()),
    )  # fmt: skip


def test_no_place_outside_memory_is_read_or_written() -> None:
    """Indices that data holds may be wrong: it is told, and what they would read is NaN or 0."""
    x, i = torch.ones(8, 5), torch.zeros(6, dtype=torch.int64)
    y, n = torch.zeros(8, 5), torch.ones(8, dtype=torch.int64)
    rows = torch.zeros(6, 5)
    found = [torch.zeros(6, 5) for _ in range(3)] + [torch.zeros(6, 1)]
    counts, table = torch.ones(6, dtype=torch.int64), torch.zeros(8, 5)

    def work() -> None:
        found[0].copy_(x.index_select(0, i))
        found[1].copy_(x[i])
        found[2].copy_(functional.embedding(i, x))
        found[3].copy_(x.gather(0, i[:, None]))
        counts.copy_(n[i])
        y.index_put_((i,), rows, accumulate=True).index_add_(0, i, rows)
        y.index_copy_(0, i[:1], rows[:1])
        y.scatter_(0, i[:, None], 2.0).scatter_add_(0, i[:, None], rows)
        table.copy_(torch.ops.aten.embedding_dense_backward(rows, i, 8, -1, False))
        functional.nll_loss(y, i[:1].expand(8))

    roles = {"x": x, "i": i, "y": y, "n": n, "rows": rows, "counts": counts, "table": table}
    roles |= {f"found {k}": of for k, of in enumerate(found)}
    program = compiled(work, roles)
    guarded = {name: torch.full((64, *of.shape), 5).to(of.dtype) for name, of in roles.items()}
    for name, of in roles.items():
        guarded[name][32] = of
    guarded["rows"][32] = 1
    for wrong in (8, 40, -41, 2**40, -(2**62)):
        guarded["i"][32] = wrong
        with pytest.raises(IndexError, match=f"index {wrong} is out of bounds"):
            run_on(program, {name: of[32] for name, of in guarded.items()})
        for name, of in guarded.items():
            assert (of[:32] == 5).all(), name
            assert (of[33:] == 5).all(), name
        for k in range(4):
            assert guarded[f"found {k}"][32].isnan().all()
        assert (guarded["counts"][32] == 0).all()
        assert (guarded["y"][32] == 0).all()
        assert (guarded["table"][32] == 0).all()
