"""What each schedule is compared with.

Offers: :data:`ORACLES`, torch's counterparts, and :func:`rates`, what one of them does;
:data:`WRITTEN_OUT`, factors worked by hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch.optim import lr_scheduler as theirs

Oracle = Callable[[torch.optim.Optimizer, int], theirs.LRScheduler]


def after(o: torch.optim.Optimizer, steps: int, then: theirs.LRScheduler) -> theirs.LRScheduler:
    """The peak for so many steps, then another of torch's schedulers."""
    peak = theirs.ConstantLR(o, 1.0, total_iters=steps)
    return theirs.SequentialLR(o, [peak, then], milestones=[steps])


def cyclic(o: torch.optim.Optimizer, up: int, down: int | None, **rest: Any) -> theirs.LRScheduler:
    """Torch's cyclical rates from 0.1 to 1, without its momentum's cycle."""
    return theirs.CyclicLR(o, 0.1, 1.0, up, down, cycle_momentum=False, **rest)


def cycle(
    o: torch.optim.Optimizer, total: int, anneal: Literal["cos", "linear"] = "cos", **rest: Any
) -> theirs.LRScheduler:
    """Torch's one cycle to a peak of 1, without its momentum's."""
    return theirs.OneCycleLR(
        o, 1.0, total_steps=total, anneal_strategy=anneal, cycle_momentum=False, **rest
    )


# Ours, its hyperparameters, and torch's counterpart over a run of ``total`` steps.
ORACLES: dict[str, tuple[str, dict[str, Any], Oracle]] = {
    "constant": ("constant", {}, lambda o, _: theirs.LambdaLR(o, lambda _: 1.0)),
    "step": ("step", {"every": "9 steps", "gamma": 0.3}, lambda o, _: theirs.StepLR(o, 9, 0.3)),
    "step by epochs": ("step", {"every": "2 epochs"}, lambda o, _: theirs.StepLR(o, 14, 0.1)),
    "exponential": (
        "exponential",
        {"rate": 0.95, "every": "1 step"},
        lambda o, _: theirs.ExponentialLR(o, 0.95),
    ),
    "exponential, an epoch in even parts": (
        "exponential",
        {"rate": 0.5, "every": "1 epoch"},
        lambda o, _: theirs.ExponentialLR(o, 0.5 ** (1 / 7)),
    ),
    "exponential, staircase": (
        "exponential",
        {"rate": 0.5, "every": "1 epoch", "staircase": True},
        lambda o, _: theirs.StepLR(o, 7, 0.5),
    ),
    "inverse_time": (
        "inverse_time",
        {"rate": 0.5, "every": "3 steps"},
        lambda o, _: theirs.LambdaLR(o, lambda k: 1 / (1 + 0.5 * k / 3)),
    ),
    "inverse_time, staircase": (
        "inverse_time",
        {"rate": 0.5, "every": "3 steps", "staircase": True},
        lambda o, _: theirs.LambdaLR(o, lambda k: 1 / (1 + 0.5 * (k // 3))),
    ),
    "linear": (
        "linear",
        {"final": 0.2},
        lambda o, total: theirs.LinearLR(o, 1.0, 0.2, total_iters=total),
    ),
    "linear to nothing": (
        "linear",
        {},
        lambda o, total: theirs.LinearLR(o, 1.0, 0.0, total_iters=total),
    ),
    "cosine": (
        "cosine",
        {"final": 0.05},
        lambda o, total: theirs.CosineAnnealingLR(o, total, eta_min=0.05),
    ),
    "cosine to nothing": ("cosine", {}, lambda o, total: theirs.CosineAnnealingLR(o, total)),
    "polynomial": (
        "polynomial",
        {"power": 0.9},
        lambda o, total: theirs.PolynomialLR(o, total, power=0.9),
    ),
    "polynomial, falling early": (
        "polynomial",
        {"power": 3},
        lambda o, total: theirs.PolynomialLR(o, total, power=3),
    ),
    "halving": ("halving", {"every": "2 epochs"}, lambda o, _: theirs.StepLR(o, 14, 0.5)),
    "warm_restarts": (
        "warm_restarts",
        {"first": "9 steps", "final": 0.05},
        lambda o, _: theirs.CosineAnnealingWarmRestarts(o, 9, eta_min=0.05),
    ),
    "warm_restarts, ever longer": (
        "warm_restarts",
        {"first": "1 epoch", "growth": 3},
        lambda o, _: theirs.CosineAnnealingWarmRestarts(o, 7, 3),
    ),
    "wsd, linear": (
        "wsd",
        {"decay": "30 steps", "form": "linear", "final": 0.1},
        lambda o, total: after(o, total - 30, theirs.LinearLR(o, 1.0, 0.1, total_iters=30)),
    ),
    "wsd, cosine": (
        "wsd",
        {"decay": "3 epochs", "form": "cosine"},
        lambda o, total: after(o, total - 21, theirs.CosineAnnealingLR(o, 21)),
    ),
    "wsd, 1-sqrt": (
        "wsd",
        {"decay": "100%"},
        lambda o, total: theirs.LambdaLR(o, lambda k: 1 - (k / total) ** 0.5),
    ),
    "cyclical": (
        "cyclical",
        {"rise": "9 steps", "base": 0.1},
        lambda o, _: cyclic(o, 9, None),
    ),
    "cyclical, halving, quick to fall": (
        "cyclical",
        {"rise": "9 steps", "fall": "1 epoch", "base": 0.1, "mode": "triangular2"},
        lambda o, _: cyclic(o, 9, 7, mode="triangular2"),
    ),
    "cyclical, exponential": (
        "cyclical",
        {"rise": "5 steps", "fall": "8 steps", "base": 0.1, "mode": "exp_range", "gamma": 0.7},
        lambda o, _: cyclic(o, 5, 8, mode="exp_range", gamma=0.7 ** (1 / 13)),
    ),
    "one_cycle": ("one_cycle", {}, lambda o, total: cycle(o, total)),
    "one_cycle, straight": (
        "one_cycle",
        {"initial": 0.2, "final": 0.01, "anneal": "linear"},
        lambda o, total: cycle(o, total, "linear", div_factor=5, final_div_factor=20),
    ),
    "one_cycle, three phases": (
        "one_cycle",
        {"rise": "40%", "three_phase": True},
        lambda o, total: cycle(o, total, pct_start=0.4, three_phase=True),
    ),
    "one_cycle, three straight phases": (
        "one_cycle",
        {"three_phase": True, "anneal": "linear"},
        lambda o, total: cycle(o, total, "linear", three_phase=True),
    ),
}


def rates(oracle: Oracle, total: int) -> list[float]:
    """What torch's scheduler makes of a learning rate of 1, at every step."""
    optimizer = torch.optim.SGD([torch.zeros(1, dtype=torch.float64)], 1.0)
    scheduler = oracle(optimizer, total)
    found = []
    for _ in range(total):
        found.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return found


# The factors of some steps of a run of 40 steps, 10 an epoch: worked by hand.
WRITTEN_OUT: list[tuple[str, dict[str, Any], dict[int, float]]] = [
    ("constant", {}, {0: 1, 39: 1}),
    ("step", {"every": "1 epoch", "gamma": 0.5}, {0: 1, 9: 1, 10: 0.5, 19: 0.5, 39: 0.125}),
    ("step", {"every": "50%", "gamma": 0.1}, {19: 1, 20: 0.1, 39: 0.1}),
    ("step", {"every": "0.25 epochs", "gamma": 0.5}, {2: 1, 3: 0.5, 4: 0.5, 5: 0.25, 8: 0.125}),
    ("exponential", {"rate": 0.25, "every": "1 epoch"}, {0: 1, 5: 0.5, 10: 0.25, 30: 1 / 64}),
    (
        "exponential",
        {"rate": 0.25, "every": "1 epoch", "staircase": True},
        {0: 1, 5: 1, 10: 0.25, 39: 1 / 64},
    ),
    ("inverse_time", {"rate": 2, "every": "1 epoch"}, {0: 1, 5: 0.5, 10: 1 / 3, 30: 1 / 7}),
    (
        "inverse_time",
        {"rate": 2, "every": "1 epoch", "staircase": True},
        {0: 1, 9: 1, 10: 1 / 3, 39: 1 / 7},
    ),
    ("linear", {}, {0: 1, 10: 0.75, 39: 0.025}),
    ("linear", {"final": 0.5}, {0: 1, 10: 0.875, 20: 0.75}),
    ("cosine", {}, {0: 1, 10: 0.5 + 0.5**1.5, 20: 0.5, 30: 0.5 - 0.5**1.5}),
    ("cosine", {"final": 0.2}, {0: 1, 20: 0.6}),
    ("polynomial", {}, {0: 1, 10: 0.5625, 20: 0.25, 39: 1 / 1600}),
    ("polynomial", {"power": 0.5, "final": 0.5}, {0: 1, 30: 0.75}),
    ("halving", {"every": "1 epoch"}, {0: 1, 9: 1, 10: 0.5, 19: 0.5, 39: 0.125}),
    ("halving", {}, {0: 1, 39: 1}),  # of four epochs
    ("warm_restarts", {}, {0: 1, 5: 0.5, 9: 0.5 - math.cos(math.pi / 10) / 2, 10: 1, 35: 0.5}),
    ("warm_restarts", {"first": "1 epoch", "growth": 2}, {5: 0.5, 10: 1, 20: 0.5, 30: 1}),
    ("wsd", {}, {0: 1, 32: 1, 34: 0.5, 36: 1 - 0.5**0.5}),
    ("wsd", {"decay": "1 epoch", "form": "linear"}, {30: 1, 31: 0.9, 39: 0.1}),
    ("wsd", {"decay": "50%", "form": "cosine", "final": 0.2}, {20: 1, 30: 0.6}),
    ("wsd", {"decay": "50%", "form": "linear", "warmup": "10%"}, {0: 0.25, 3: 1, 22: 1, 31: 0.5}),
    ("cyclical", {}, {0: 0.25, 2: 0.625, 4: 1, 6: 0.625, 8: 0.25, 36: 1}),
    (
        "cyclical",
        {"rise": "8 steps", "fall": "2 steps", "base": 0, "mode": "triangular2"},
        {0: 0, 4: 0.5, 8: 1, 9: 0.5, 10: 0, 14: 0.25, 18: 0.5, 28: 0.25, 38: 0.125},
    ),
    (
        "cyclical",
        {"rise": "10 steps", "base": 0.5, "mode": "exp_range", "gamma": 0.25},
        {0: 0.5, 10: 0.75, 20: 0.5, 30: 0.5 + 0.5**4},
    ),
    ("one_cycle", {"rise": "11 steps", "initial": 0}, {0: 0, 5: 0.5, 10: 1, 39: 4e-6}),
    (
        "one_cycle",
        {"rise": "25%", "initial": 0.1, "final": 0, "anneal": "linear", "three_phase": True},
        {0: 0.1, 3: 0.4, 9: 1, 12: 0.7, 18: 0.1, 25: 1 / 15, 39: 0},
    ),
    # the peak at the run's last step, where torch divides by zero, and as early as it can be
    ("one_cycle", {"rise": "100%", "initial": 0, "anneal": "linear"}, {0: 0, 13: 1 / 3, 39: 1}),
    (
        "one_cycle",
        {"rise": "2 steps", "final": 0, "anneal": "linear"},
        {1: 1, 20: 0.5, 39: 0},
    ),
    ("plateau", {}, {0: 1, 39: 1}),
    # 4 steps up, then the line over the other 36
    ("linear", {"warmup": "10%"}, {0: 0.25, 1: 0.5, 3: 1, 4: 1, 22: 0.5}),
    ("linear", {"warmup": "2 epochs"}, {0: 0.05, 19: 1, 20: 1, 30: 0.5}),
    ("constant", {"warmup": "2 steps"}, {0: 0.5, 1: 1, 2: 1}),
]
