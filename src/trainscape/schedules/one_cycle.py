"""One cycle: up to the peak early in the run, then down far below where it began.

Source: L. N. Smith and N. Topin, Super-convergence: very fast training of neural networks using
large learning rates, 2018, https://arxiv.org/abs/1708.07120; it is
``torch.optim.lr_scheduler.OneCycleLR`` without the momentum's cycle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Literal

from trainscape.checks import refusal
from trainscape.schedules import Clock, Duration, Schedule, register


@register("one_cycle")
@dataclass(frozen=True)
class OneCycle(Schedule):
    """From i = ``initial`` to 1 in ``rise``, then to f = ``final`` at the run's last step.

    With ``three_phase`` it goes from 1 back to i in as long, and from there to f. Every leg from a
    to b is b + (a − b) · (1 + cos(πx)) / 2 (cosine) or a + (b − a) · x (linear), x being the share
    of it that is over. The peak is the rise's last step: a rise of 30 steps peaks at step 29.

    Args:
        rise: the duration up to the peak.
        initial: i, the share of the peak that the run starts at.
        final: f, the share of the peak at the last step.
        anneal: the form of every leg, by name.
        three_phase: whether the way down mirrors the rise first, as in Smith's own policy.

    >>> line = OneCycle(rise="21 steps", initial=0, anneal="linear")
    >>> [line.shape(step, Clock(epoch=10, total=100)) for step in (0, 5, 20)]
    [0.0, 0.25, 1.0]
    """

    rise: Duration = "30%"
    initial: Annotated[float, "[0, 1]"] = 0.04
    final: Annotated[float, "[0, 1]"] = 4e-6
    anneal: Literal["cosine", "linear"] = "cosine"
    three_phase: bool = False

    def least(self, key: str) -> int:
        return 2  # the last step of the rise is at the peak

    def shape(self, step: int, clock: Clock) -> float:
        start, low = Fraction(0), self.initial
        for end, high in self._legs(clock):
            if step <= end:
                return self._between(low, high, start, end, step)
            start, low = end, high
        return self.final

    def _legs(self, clock: Clock) -> list[tuple[Fraction, float]]:
        """Where every leg ends: the step and the factor."""
        rise = clock.steps(self.rise)
        most = (clock.total + 1) // 2 if self.three_phase else clock.total
        if rise > most:
            again = ", and as many down again," if self.three_phase else ""
            why = f"is {float(rise):g} steps{again} of {clock.total}; choose at most {most} steps"
            raise refusal(self, "rise", why)
        peak = max(rise - 1, Fraction(0))  # a rise of less than a step starts at the peak
        mirror = [(2 * peak, self.initial)] if self.three_phase else []
        return [(peak, 1.0), *mirror, (Fraction(clock.total - 1), self.final)]

    def _between(self, low: float, high: float, start: Fraction, end: Fraction, step: int) -> float:
        """The factor at ``step`` of the leg from ``low`` at ``start`` to ``high`` at ``end``."""
        if step == end:
            return high
        over = float((step - start) / (end - start))
        left = 1 - over if self.anneal == "linear" else (1 + math.cos(math.pi * over)) / 2
        return high + (low - high) * left
