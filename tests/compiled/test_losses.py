"""Losses, compiled: with every reduction."""

from __future__ import annotations

import torch
from torch.nn import functional

from kit.programs import agree, case, numbers, places, slopes
from kit.programs import one_thread as one_thread  # autouse, once it is here


def test_losses() -> None:
    """With every reduction, and by both operands."""
    f, kinds = functional, ("mean", "sum", "none")
    classes, weights = torch.tensor([1, 4, 2, 2]), torch.rand(5)
    cases = []
    for kind in kinds:
        cases += [
            slopes(f"cross entropy {kind}",
                   lambda x, y, kind=kind: f.cross_entropy(x, y, reduction=kind),
                   numbers(4, 5), classes.clone()),
            slopes(f"smoothed {kind}", lambda x, y, kind=kind: f.cross_entropy(
                   x, y, ignore_index=2, reduction=kind, label_smoothing=0.1),
                   numbers(4, 5), classes.clone()),
            slopes(f"weighted {kind}", lambda x, y, kind=kind: f.cross_entropy(
                   x, y, weights, reduction=kind), numbers(4, 5), classes.clone()),
            slopes(f"images {kind}", lambda x, y, kind=kind: f.cross_entropy(
                   x, y, reduction=kind), numbers(2, 5, 3, 2), places(5, 2, 3, 2)),
        ]  # fmt: skip
        for name in ("mse", "l1", "smooth_l1", "huber"):
            cases.append(
                slopes(f"{name} {kind}", lambda x, y, name=name, kind=kind: getattr(
                       f, f"{name}_loss")(x, y, reduction=kind), numbers(4, 5), numbers(4, 5))
            )  # fmt: skip
        cases += [
            slopes(f"logits {kind}", lambda x, y, kind=kind: f.binary_cross_entropy_with_logits(
                   x, (y > 0).float(), reduction=kind), 9 * numbers(4, 5), places(2, 4, 5)),
            slopes(f"bce {kind}", lambda x, y, kind=kind: f.binary_cross_entropy(
                   x.sigmoid(), (y > 0).float(), reduction=kind), numbers(4, 5), places(2, 4, 5)),
            slopes(f"kl {kind}", lambda x, y, kind=kind: f.kl_div(
                   x.log_softmax(1), y.softmax(1), reduction=kind.replace("mean", "batchmean")),
                   numbers(4, 5), numbers(4, 5)),
        ]  # fmt: skip
    agree(
        *cases,
        slopes("beta", lambda x, y: (f.smooth_l1_loss(x, y, beta=0.3),
               f.huber_loss(x, y, delta=0.3)), numbers(4, 5), numbers(4, 5)),
        slopes("nothing counts", lambda x, y: f.cross_entropy(x, y * 0 + 2, ignore_index=2),
               numbers(4, 5), classes.clone()),
        slopes("probabilities", lambda x, y: f.cross_entropy(x, y.softmax(1)), numbers(4, 5),
               numbers(4, 5)),
        slopes("squeezed", lambda x, y: (x.squeeze(-1) - y).square().mean(), numbers(4, 1),
               numbers(4)),
        case("accuracy", lambda x, y: ((x.argmax(1) == y).float().mean(), (x.argmax(1) != y).sum()),
             numbers(9, 5), places(5, 9)),
    )  # fmt: skip
