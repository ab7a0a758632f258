"""Sums and their like, compiled: over every set of axes, of several layouts."""

from __future__ import annotations

import itertools
import math

import torch
from torch.nn import functional

from kit.programs import LAST, agree, case, numbers
from kit.programs import one_thread as one_thread  # autouse, once it is here


def test_sums_and_such() -> None:
    """Over every set of axes, kept or not, of several layouts."""
    cases = []
    for name, x in {
        "plain": numbers(3, 1, 37),
        "last": numbers(2, 5, 3, 3).contiguous(memory_format=LAST),
    }.items():
        dims = [d for n in range(1, x.dim() + 1) for d in itertools.combinations(range(x.dim()), n)]
        for how in ("sum", "mean", "amax", "var"):
            many = [
                lambda x, how=how, d=d, k=k: getattr(x, how)(d, keepdim=k)
                for d, k in itertools.product([*dims[::2], (-1,)], (False, True))
            ]
            cases.append(
                case(f"{how} {name}", lambda x, many=many: [of(x) for of in many], x.clone())
            )
    views = {
        "slice": lambda x: x[1:, ::3],
        "turned": lambda x: x.t(),
        "expanded": lambda x: x[:, :1].expand(5, 40),
        "column": lambda x: x[:, 3],
        "number": lambda x: x[2, 3],
    }
    for name, view in views.items():
        cases.append(
            case(f"whole {name}", lambda x, view=view: [getattr(view(x), how)() for how in
                 ("sum", "mean", "amax", "amin", "prod", "max", "min")], numbers(5, 40))
        )  # fmt: skip
    ties = torch.tensor([[1.0, 3.0, 3.0], [math.nan, 1.0, math.nan], [-math.inf, -math.inf, 0.0]])
    agree(
        *cases,
        case("best", lambda x: (x.argmax(1), x.argmin(0), x.max(0), x.min(1), x.argmax(),
             x.argmax(1, keepdim=True), x.t().argmax(-1)), numbers(5, 7)),
        case("ties", lambda x: (x.argmax(1), x.max(1), x.min(1), x.amax(0), x.argmin(1)), ties),
        case("truths", lambda x: ((x > 0).any(), (x > 0).all(1), (x > 1).any(0, keepdim=True),
             x.any(), x.all(1), x.any((0, 1)), x.all(), x.any(0), x.argmin(),
             (x > 0).float().mean(), (x.argmax(1) == 3).sum()), numbers(5, 7)),
        case("norms", lambda x: (x.norm(), x.norm(dim=1), x.norm(1, 0), x.norm(math.inf),
             torch.ops.aten.norm.Scalar(x, 1),
             torch.linalg.vector_norm(x, 2, (0, 1), True), functional.normalize(x)), numbers(5, 7)),
        case("spread", lambda x: (x.std(), x.std(0), x.var(1, unbiased=False), x[:1].var(1),
             *torch.var_mean(x, 1), *torch.std_mean(x, 0), x.logsumexp(1), x.t().logsumexp((0, 1))),
             numbers(5, 7)),
        case("type", lambda x: (x.sum(0, dtype=torch.float64), x.mean(dtype=torch.float64),
             x.double().sum(), x.double().mean(1), x.long().sum(1), x.long().prod(0)),
             numbers(5, 7).double().float()),
        case("logsumexp", lambda x: x.logsumexp(0), torch.tensor([-math.inf, -math.inf])),
    )  # fmt: skip
