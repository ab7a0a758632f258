"""Decay on a plateau: the rate drops when the validation loss has not fallen for a while.

The one schedule that is no function of the step alone: each trial's rate follows its own losses.

Source: no paper: ``torch.optim.lr_scheduler.ReduceLROnPlateau`` with ``mode="min"`` and ``eps=0``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from trainscape.checks import refusal
from trainscape.schedules import Clock, Schedule, register

if TYPE_CHECKING:
    from collections.abc import Sequence


@register("plateau")
@dataclass(frozen=True)
class Plateau(Schedule):
    """γ^n, and never below f, after n plateaus of the validation loss.

    A loss is better than the best b so far if it is below b · (1 − t) (rel) or b − t (abs), with
    t = ``threshold``; one that is not finite is not better. A plateau is more than ``patience``
    evaluations in a row without a better one. An evaluation comes every ``evaluate_every`` passes
    over the data, whatever the batch size; those of a warm-up count, too.

    Args:
        gamma: γ, what each plateau multiplies the rate by.
        patience: evaluations without a better loss that are put up with.
        threshold: t, what is too small to be better.
        threshold_mode: whether t is a share of the loss (rel) or a loss (abs).
        cooldown: evaluations after a drop that do not count as bad ones.
        final: f, the share of the peak below which the rate never drops.

    >>> [Plateau(patience=1).feedback([1.0, 0.5, 0.6, 0.5][:n]) for n in (1, 2, 3, 4)]
    [1.0, 1.0, 1.0, 0.1]
    """

    gamma: Annotated[float, "(0, 1)"] = 0.1
    patience: Annotated[int, "[0, inf)"] = 2
    threshold: Annotated[float, "[0, inf)"] = 1e-4
    threshold_mode: Literal["rel", "abs"] = "rel"
    cooldown: Annotated[int, "[0, inf)"] = 0
    final: Annotated[float, "[0, 1]"] = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.threshold_mode == "rel" and self.threshold >= 1:
            raise refusal(self, "threshold", "is out of range; choose a number in [0, 1)")

    @property
    def reacts_after(self) -> int:
        return self.patience + 2  # the first loss is the best so far

    def shape(self, step: int, clock: Clock) -> float:
        return 1.0

    def feedback(self, losses: Sequence[float]) -> float:
        factor, best, bad, rest = 1.0, math.inf, 0, 0
        for loss in losses:
            if self._better(loss, best):
                best, bad = loss, 0
            else:
                bad += 1
            if rest:
                rest, bad = rest - 1, 0
            if bad > self.patience:
                factor = max(factor * self.gamma, self.final)
                rest, bad = self.cooldown, 0
        return factor

    def _better(self, loss: float, best: float) -> bool:
        if self.threshold_mode == "rel":
            return loss < best * (1 - self.threshold)
        return loss < best - self.threshold
