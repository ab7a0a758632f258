"""Activations, compiled: at random numbers and at the edges of their pieces."""

from __future__ import annotations

import torch
from torch import nn

from kit.programs import agree, numbers, slopes, trained
from kit.programs import one_thread as one_thread  # autouse, once it is here


def test_activations() -> None:
    """At random numbers, and where their pieces meet."""
    kinds = (
        *("ReLU", "ReLU6", "LeakyReLU", "ELU", "CELU", "SELU", "GELU", "SiLU", "Mish", "Tanh"),
        *("Sigmoid", "LogSigmoid", "Softplus", "Softsign", "Hardtanh", "Hardsigmoid", "Hardswish"),
        *("Tanhshrink", "Softshrink", "Hardshrink", "PReLU", "Softmin"),
    )
    cases = [
        trained(kind, getattr(nn, kind)(*((1,) if kind == "Softmin" else ())), 3 * numbers(5, 6))
        for kind in kinds
    ]
    at = torch.tensor([0.0, -0.0, 3.0, -3.0, 1.0, -1.0, 0.5, -0.5, 6.0, 30.0, -30.0, 21.0])
    agree(
        *cases,
        *(
            slopes(f"{kind} at its edges", lambda x, kind=kind: getattr(nn, kind)()(x), at.clone())
            for kind in kinds if kind not in ("PReLU", "Softmin")
        ),
        trained("GELU tanh", nn.GELU("tanh"), numbers(5, 6)),
        trained("GLU", nn.GLU(1), numbers(5, 6)),
        trained("PReLU of channels", nn.PReLU(3), numbers(2, 3, 4)),
        trained("Softmax", nn.Softmax(0), numbers(5, 6)),
        trained("LogSoftmax", nn.LogSoftmax(-1), 20 * numbers(2, 3, 6)),
        trained("Softmax2d", nn.Softmax2d(), numbers(2, 3, 4, 4)),
        trained("inplace", nn.Sequential(nn.Linear(6, 5), nn.ReLU(True)), numbers(5, 6)),
        trained("SELU, ELU in place", nn.Sequential(nn.Linear(6, 5), nn.ELU(inplace=True)),
                numbers(5, 6)),
    )  # fmt: skip
