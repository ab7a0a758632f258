"""How long a trial trains and when it is evaluated: pure arithmetic on sizes.

Evaluations fall at equal counts of training examples for every batch size, so that a learning
curve, and with it steps_to_target, is sampled equally finely whatever the batch size.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Plan:
    """The steps of one trial.

    Args:
        examples: how many an epoch trains on: the training split after validation is taken out, or
            as many of it as fill whole batches where the last one is dropped.
        batch_size: examples a step; the last batch of an epoch may be smaller.
        budget: ``{"epochs": n}`` or ``{"steps": n}``.
        evaluate_every: epochs' examples between evaluations.
    """

    examples: int
    batch_size: int
    budget: Mapping[str, int]
    evaluate_every: float

    @classmethod
    def of(cls, spec: Mapping[str, Any], examples: int) -> Plan:
        """The plan of a cell.

        Args:
            spec: the cell as plain data (``Cell.spec``).
            examples: size of the dataset's training split, before validation is taken out.
        """
        trained = examples - validation_size(examples, spec["validation"])
        if spec.get("last_batch") == "drop":
            trained -= trained % spec["batch_size"]
        return cls(trained, spec["batch_size"], spec["budget"], spec["evaluate_every"])

    @property
    def epoch(self) -> int:
        """Steps in an epoch."""
        return -(-self.examples // self.batch_size)

    @property
    def total(self) -> int:
        """Steps in the whole run."""
        return (
            self.budget["steps"] if "steps" in self.budget else self.budget["epochs"] * self.epoch
        )

    def seen(self, step: int) -> int:
        """Training examples used after ``step`` steps."""
        epochs, rest = divmod(step, self.epoch)
        return epochs * self.examples + min(rest * self.batch_size, self.examples)

    @property
    def meets_single(self) -> bool:
        """Whether a batch holds one example alone, which BatchNorm cannot train on."""
        last = min(self.epoch, self.total)  # of an epoch's steps; those before it are alike
        return 1 in (self.seen(1), self.seen(last) - self.seen(last - 1))

    @cached_property
    def evaluations(self) -> list[int]:
        """The steps after which to evaluate: the first at or past every interval, and the last.

        Rising and never 0; intervals that pass within one step are evaluated once. The interval is
        taken as written (0.1 is a tenth), so that no rounding shifts an evaluation.
        """
        every = Fraction(repr(self.evaluate_every)) * self.examples
        steps: list[int] = []
        step = 0
        while True:
            passed = self.seen(step) // every
            step = self._first_at((passed + 1) * every)
            if step >= self.total:
                return [*steps, self.total]
            steps.append(step)

    def _first_at(self, wanted: Fraction) -> int:
        """The first step after which at least ``wanted`` examples have been used."""
        epochs, rest = divmod(wanted, self.examples)
        return epochs * self.epoch - (-rest // self.batch_size)


def validation_size(examples: int, share: float) -> int:
    """How many of ``examples`` the validation split takes."""
    return round(examples * share)
