"""The learning rates of a pack: each trial's peak rate times the factor of its schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from trainscape.schedules import Clock
from trainscape.user_lines import telling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trainscape.cells.budget import Plan
    from trainscape.engine.trial import Trial


class Rates:
    """The rates of every trial at every step.

    Args:
        trials: whose rates; T of them.
        plan: how many steps there are.
    """

    def __init__(self, trials: Sequence[Trial], plan: Plan) -> None:
        clock = Clock(plan.epoch, plan.total)
        schedules = list(dict.fromkeys(trial.schedule for trial in trials))
        self.trials = trials
        self.factors = torch.tensor([s.table(clock) for s in schedules], dtype=torch.float64)
        self.rows = [schedules.index(trial.schedule) for trial in trials]  # of the factors
        self.peaks = torch.tensor([trial.lr for trial in trials], dtype=torch.float64)
        self.scale = torch.ones(len(trials), dtype=torch.float64)  # by the validation losses

    def of(self, steps: range) -> Tensor:
        """The rate of each of these steps and each trial, (steps, T) float64."""
        factors = self.factors[:, steps.start : steps.stop][self.rows]
        return (factors * (self.peaks * self.scale)[:, None]).T

    def follow(self, losses: Mapping[int, Sequence[float]]) -> bool:
        """Let the schedules that follow the validation loss change the rates of what is left.

        Args:
            losses: the validation losses so far of the trials that train on, by their places.

        Returns:
            Whether any rate has changed.
        """
        before = self.scale.clone()
        for i, values in losses.items():
            schedule = self.trials[i].schedule
            with telling(f"schedule {schedule.name!r}"):
                self.scale[i] = schedule.feedback(values)
        return not torch.equal(before, self.scale)
