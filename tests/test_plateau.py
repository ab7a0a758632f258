"""The schedule that follows the validation loss, against torch's ReduceLROnPlateau."""

from __future__ import annotations

import math
from typing import Any, Literal

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.optim.lr_scheduler import ReduceLROnPlateau

from trainscape.schedules import Clock, registry

# near one another, so that thresholds matter; and what a run that goes wrong brings
LOSSES = st.lists(
    st.sampled_from([1.0, 0.999, 0.99, 0.95, 0.9, 0.5, 0.0, -1.0, math.nan, math.inf, -math.inf])
    | st.floats(-2, 2),
    min_size=1,
    max_size=40,
)


def plateau(**hyperparameters: Any) -> Any:
    """The schedule with these hyperparameters."""
    return registry.get("plateau")(**hyperparameters)


def factors(schedule: Any, losses: list[float]) -> list[float]:
    """The factor after each evaluation."""
    return [schedule.feedback(losses[: n + 1]) for n in range(len(losses))]


@settings(deadline=None)  # the machine may be busy
@given(
    losses=LOSSES,
    gamma=st.floats(0.1, 0.9),
    patience=st.integers(0, 4),
    threshold=st.sampled_from([0.0, 1e-4, 0.05, 0.5]),
    mode=st.sampled_from(["rel", "abs"]),
    cooldown=st.integers(0, 3),
    final=st.sampled_from([0.0, 0.05, 1.0]),
)
@example([math.nan] * 9, 0.5, 2, 1e-4, "rel", 0, 0.0)
@example([1.0] * 20, 0.5, 0, 0.0, "abs", 2, 0.05)
def test_every_evaluation_agrees_with_torch(
    losses: list[float],
    gamma: float,
    patience: int,
    threshold: float,
    mode: Literal["rel", "abs"],
    cooldown: int,
    final: float,
) -> None:
    """After any losses, finite or not, the factor is what torch's scheduler leaves of 1."""
    optimizer = torch.optim.SGD([torch.zeros(1)], 1.0)
    theirs = ReduceLROnPlateau(
        optimizer, "min", gamma, patience, threshold, mode, cooldown, min_lr=final, eps=0
    )
    expected = []
    for loss in losses:
        theirs.step(loss)
        expected.append(float(optimizer.param_groups[0]["lr"]))
    ours = plateau(
        gamma=gamma,
        patience=patience,
        threshold=threshold,
        threshold_mode=mode,
        cooldown=cooldown,
        final=final,
    )
    assert factors(ours, losses) == expected


@pytest.mark.parametrize(
    ("hyperparameters", "losses", "expected"),
    [
        # the third bad evaluation in a row is one too many for a patience of two
        ({}, [1, 1, 1, 1, 1], [1, 1, 1, 0.1, 0.1]),
        ({"patience": 0, "gamma": 0.5}, [1, 0.5, 0.5, 0.4, 0.6], [1, 1, 0.5, 0.5, 0.25]),
        ({"patience": 1}, [1, 2, 0.5, 2, 0.4, 2], [1] * 6),
        ({"patience": 0, "gamma": 0.5, "cooldown": 2}, [1] * 6, [1, 0.5, 0.5, 0.5, 0.25, 0.25]),
        ({"patience": 0, "gamma": 0.5, "final": 0.3}, [1] * 4, [1, 0.5, 0.3, 0.3]),
        # 0.95 is better than 1 by a twentieth: too little for a tenth of it, or for 0.1
        ({"patience": 0, "threshold": 0.1}, [1, 0.95, 0.89], [1, 0.1, 0.1]),
        (
            {"patience": 0, "threshold": 0.1, "threshold_mode": "abs"},
            [0.3, 0.25, 0.15],
            [1, 0.1, 0.1],
        ),
    ],
)
def test_factors_are_as_worked_by_hand(
    hyperparameters: dict[str, Any], losses: list[float], expected: list[float]
) -> None:
    """Losses written out have the factors that follow on paper."""
    assert factors(plateau(**hyperparameters), losses) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("name", registry.names())
def test_only_plateau_reacts(name: str) -> None:
    """What reacts is known beforehand, and what does not heeds no loss."""
    schedule = registry.get(name)()
    assert schedule.reacts == (name == "plateau")
    assert (schedule.feedback([1.0, 2.0, 3.0, 4.0]) == 1) == (name != "plateau")


def test_the_step_alone_changes_nothing() -> None:
    """Without losses the rate stays at the peak, after a warm-up if there is one."""
    clock = Clock(epoch=10, total=40)
    assert plateau(warmup="4 steps").table(clock) == [0.25, 0.5, 0.75, *[1.0] * 37]
