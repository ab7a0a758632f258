"""What a schedule is: a pure function of the step that multiplies the peak learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

from trainscape.checks import declared, hold, refusal
from trainscape.errors import UserError
from trainscape.schedules._duration import Duration, parse, steps
from trainscape.user_lines import telling

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Clock:
    """How long a training run is, in optimizer steps.

    Args:
        epoch: steps in one pass over the training split.
        total: steps in the whole run.
    """

    epoch: int
    total: int

    def steps(self, duration: str) -> Fraction:
        """A duration such as ``"30 epochs"``, ``"100 steps"`` or ``"10%"`` of the run, in steps.

        Raises:
            UserError: it is none of these, or zero.

        >>> Clock(epoch=40, total=200).steps("1.5 epochs")
        Fraction(60, 1)
        """
        try:
            number, unit = parse(str(duration))
        except ValueError as error:
            raise UserError(f"{duration!r} {error}") from None
        units = {"s": Fraction(1), "e": Fraction(self.epoch), "%": Fraction(self.total, 100)}
        return number * units[unit]

    def elapsed(self, step: int, every: str, *, whole: bool = False) -> float:
        """How many times the duration ``every`` has passed at ``step``; ``whole`` rounds down.

        >>> Clock(epoch=40, total=200).elapsed(50, "1 epoch")
        1.25
        """
        times = step / self.steps(every)  # exact: as a float 66 / 1.1 is 59.99…, which rounds down
        return float(math.floor(times) if whole else times)


@dataclass(frozen=True)
class Schedule:
    """A learning-rate schedule; the dataclass fields of a subclass are its hyperparameters.

    A field's type says what it takes, with the interval of a number beside it:
    ``gamma: Annotated[float, "(0, 1]"] = 0.1`` (:mod:`trainscape.checks`).

    Args:
        warmup: a duration over which the rate first rises linearly from near 0 to the peak; the
            schedule proper then runs over what is left. ``None`` starts at the peak.
    """

    name: ClassVar[str]
    warmup: Duration | None = None

    def __post_init__(self) -> None:
        """Refuse hyperparameters that are not what their fields declare."""
        hold(self)

    def shape(self, step: int, clock: Clock) -> float:
        """The factor at ``step`` (counted from 0), without warm-up. Subclasses define it."""
        raise TypeError(f"schedule {self.name!r} defines no shape")

    def feedback(self, losses: Sequence[float]) -> float:
        """A further factor, that follows from the validation losses so far. 1 for most schedules.

        Args:
            losses: of all evaluations so far, the last one last; at least one.
        """
        return 1.0

    @property
    def reacts(self) -> bool:
        """Whether the rate follows the validation loss, not the step alone."""
        return type(self).feedback is not Schedule.feedback

    @property
    def reacts_after(self) -> int:
        """The fewest evaluations after which :meth:`feedback` may be another than 1."""
        return 1

    def least(self, key: str) -> int:
        """The fewest steps for the duration ``key``; one that is shorter leaves no trace.

        A warm-up of one step would run that step at the peak, as without any.
        """
        return 2 if key == "warmup" else 1

    def factor(self, step: int, clock: Clock) -> float:
        """The factor on the peak rate at ``step`` (counted from 0), warm-up included.

        Raises:
            UserError: the warm-up leaves no step of the run, or the factor is no rate.
        """
        rise = self._rise(clock)
        if step < rise:
            return (step + 1) / rise
        try:
            factor = self.shape(step - rise, replace(clock, total=clock.total - rise))
        except OverflowError:
            factor = math.inf
        if not 0 <= factor < math.inf:
            raise UserError(
                f"{self.name}: the factor at step {step} is {factor}; "
                "choose hyperparameters that keep it finite and not negative"
            )
        return factor

    def check(self, clock: Clock) -> None:
        """Refuse a schedule that does not fit the run, from its durations, first and last step.

        Raises:
            UserError: a duration is shorter than :meth:`least`, or as :meth:`factor`.
        """
        with telling(f"schedule {self.name!r}"):
            self._check_durations(clock)
            for step in (0, clock.total - 1):
                self.factor(step, clock)

    def table(self, clock: Clock) -> list[float]:
        """The factor of every step of the run; raises as :meth:`check`."""
        with telling(f"schedule {self.name!r}"):
            self._check_durations(clock)
            return [self.factor(step, clock) for step in range(clock.total)]

    def _rise(self, clock: Clock) -> int:
        """The steps of warm-up."""
        rise = round(clock.steps(self.warmup)) if self.warmup is not None else 0
        if rise and rise >= clock.total:
            why = (
                f"is {rise} steps of a run of {clock.total}; choose fewer than {clock.total} steps"
            )
            raise refusal(self, "warmup", why)
        return rise

    def _check_durations(self, clock: Clock) -> None:
        """Refuse durations that would round to nothing."""
        self._check_least("warmup", clock)
        after = replace(clock, total=clock.total - self._rise(clock))
        kind: Any = type(self)
        for key, hint in declared(kind).items():
            if hint in (Duration, Duration | None) and key != "warmup":
                self._check_least(key, after)

    def _check_least(self, key: str, clock: Clock) -> None:
        """Refuse a duration with too few steps; those of a warm-up are whole."""
        duration, least, total = getattr(self, key), self.least(key), clock.total
        if duration is None:
            return
        exact = clock.steps(duration)
        if (round(exact) if key == "warmup" else exact) >= least:
            return
        if least > total:
            advice = "choose a longer run"
        else:
            advice = f"choose {steps(least)!r}, or '{-(-100 * least // total)}%' or more"
        why = f"is {steps(float(exact))} of a run of {total}, and needs {least} or more; {advice}"
        raise refusal(self, key, why)
