"""Gradients, compiled: of what no layer or loss has taken through autograd already."""

from __future__ import annotations

import torch
from torch.nn import functional

from kit.programs import agree, numbers, places, slopes
from kit.programs import one_thread as one_thread  # autouse, once it is here


def test_slopes_of_everything_else() -> None:
    """What autograd makes of the operations on places, sums and products."""
    i, j = places(4, 6), places(5, 6)
    agree(
        slopes("places", lambda x: (x[i], x[:, j], x[i, j], x.gather(1, j[None, :3].expand(4, 3)),
               x.index_select(0, i), x[1:, ::2], x[2], x.diagonal()), numbers(4, 5)),
        slopes("sums", lambda x: (x.sum(0), x.mean(), x.amax(1), x.max(0)[0], x.norm(),
               x.norm(dim=0), x.var(1), x.std(), x.logsumexp(0), x.cumsum(1)), numbers(4, 5)),
        slopes("joined", lambda x: (torch.cat([x, x * 2], 1), torch.stack([x, x]), x.repeat(2, 2),
               x.flip(0), x.roll(1, 0), functional.pad(x, (1, 2)), x.tril(), x.chunk(2, 1)[0]),
               numbers(4, 5)),
        slopes("products", lambda x, y: (x @ y, x @ y[:, 0], torch.einsum("ij,jk->ik", x, y),
               x[None] @ y, torch.addmm(x[:, :3], x, y, beta=0.5)), numbers(4, 5), numbers(5, 3)),
        slopes("elements", lambda x, y: (x * y, x / (y.abs() + 1), torch.where(x > 0, x, y),
               x.exp(), (x.abs() + 1).log(), x.clamp(-1, 1), torch.maximum(x, y), x.sin() * x.cos(),
               x**3, (x * x + 1).sqrt(), x.lerp(y, 0.3), x.addcmul(x, y), x.erf(), x.abs() ** 1.5,
               x.masked_fill(x > 1, 0), (x.abs() + 1).rsqrt(), x.sign() * x,
               x.expand(2, 4, 5)),
               numbers(4, 5), numbers(5)),
        slopes("no slope", lambda x: (x.sgn() + x, x.round() * x), numbers(4, 5)),
        slopes("in place", lambda x: (x * 2).add_(x).mul_(x).relu_(), numbers(4, 5)),
    )  # fmt: skip
