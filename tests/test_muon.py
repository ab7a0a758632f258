"""Muon: its iteration, and torch's own."""

from __future__ import annotations

import pytest
import torch

from trainscape.optimizers import registry
from trainscape.optimizers._newton_schulz import orthogonal


@pytest.mark.parametrize("shape", [(4, 12, 10), (1, 10, 12), (3, 8, 8)])
def test_newton_schulz_makes_singular_values_about_one(shape: tuple[int, ...]) -> None:
    """Singular vectors stay, and singular values above 1% of the norm end between 0.67 and 1.21."""
    generator = torch.Generator().manual_seed(0)
    u, s, v = torch.linalg.svd(torch.randn(shape, generator=generator, dtype=torch.float64), False)
    s = s.clamp_min(0.1)
    made = orthogonal(u @ s.diag_embed() @ v, (3.4445, -4.775, 2.0315), 5, 1e-7)
    turned = u.mT @ made @ v.mT
    values = turned.diagonal(dim1=1, dim2=2)
    torch.testing.assert_close(turned, values.diag_embed(), rtol=0, atol=1e-10)
    assert values.min() > 0.67
    assert values.max() < 1.21


def test_muon_is_torch_muon_but_for_bfloat16() -> None:
    """On matrices ``torch.optim.Muon`` takes our steps, to the precision of its products."""
    rule = registry.get("muon")(weight_decay=0.1)  # type: ignore[call-arg]
    ours = torch.randn(3, 12, 10, generator=torch.Generator().manual_seed(0))
    theirs = [torch.nn.Parameter(w.clone()) for w in ours]
    torch_muon = torch.optim.Muon(theirs, 0.1, weight_decay=0.1)
    state, lr, start = rule.init(ours), torch.full((3, 1, 1), 0.1), ours.clone()
    for step in range(1, 6):
        grad = torch.randn(ours.shape, generator=torch.Generator().manual_seed(step))
        for w, g in zip(theirs, grad, strict=True):
            w.grad = g.clone()
        rule.update(ours, grad, state, lr, rule.now(step, ours))
        torch_muon.step()  # type: ignore[no-untyped-call]
    moved = ours - start
    error = (ours - torch.stack([w.detach() for w in theirs])).norm() / moved.norm()
    assert error < 0.02
