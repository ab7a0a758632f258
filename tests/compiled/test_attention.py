"""Attention, compiled: as torch fuses it, and in its layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from kit.programs import agree, case, numbers, slopes, trained
from kit.programs import one_thread as one_thread  # autouse, once it is here


def test_attention() -> None:
    """As torch fuses it, masked and not."""

    class Itself(nn.Module):
        """Attention of a sequence to itself."""

        def __init__(self, weights: bool) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
            self.weights = weights

        def forward(self, x: Tensor) -> Tensor:
            made: Tensor = self.attention(x, x, x, need_weights=self.weights)[0]
            return made

    of = functional.scaled_dot_product_attention
    q, k, v = numbers(2, 3, 5, 4), numbers(2, 3, 7, 4), numbers(2, 3, 7, 4)
    mask = torch.rand(5, 7) > 0.3
    mask[:, 0] = True
    agree(
        slopes("plain", of, q, k, v),
        slopes("masked", lambda q, k, v, mask: of(q, k, v, mask | (mask.sum(1) == 0)[:, None]),
               *(x.detach().clone() for x in (q, k, v)), mask),
        slopes("added", lambda q, k, v: of(q, k, v, torch.arange(35.0).view(5, 7).sin(), scale=0.3),
               *(x.detach().clone() for x in (q, k, v))),
        slopes("causal", lambda q: of(q, q, q, is_causal=True), q.detach().clone()),
        trained("MultiheadAttention", Itself(True), numbers(2, 5, 6)),
        trained("MultiheadAttention, fused", Itself(False), numbers(2, 5, 6)),
        case("MultiheadAttention, frozen", Itself(False).eval(), numbers(2, 5, 6)),
        case("encoder, frozen", nn.TransformerEncoderLayer(6, 2, 8, batch_first=True).eval(),
             numbers(2, 5, 6)),
        trained("encoder", nn.TransformerEncoderLayer(6, 2, 8, 0.0, batch_first=True),
                numbers(2, 5, 6)),
        rtol=1e-4,
    )  # fmt: skip
