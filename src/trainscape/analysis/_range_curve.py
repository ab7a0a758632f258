"""A learning-rate range test -> its smoothed curve, and the rate that the curve suggests.

The rule: of the smoothed loss on logarithmic axes, the rate at which it falls most steeply, before
its minimum. Sources: Smith 2017, "Cyclical Learning Rates for Training Neural Networks", section
3.3, for the test; fastai's ``lr_find`` for the smoothing, where the curve ends, the steps that are
passed over, and the steepest descent. fastai looks at the loss itself; why its logarithm is taken
here, with numbers: docs/method.md.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from trainscape.analysis._summary import grouped
from trainscape.analysis._trials import axes
from trainscape.hashing import SHORT
from trainscape.results.tables import frame, records

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from trainscape.results.cell_files import Entry

COLUMNS = ("workload", "optimizer", "batch_size", "digest", "lr", "loss")
SMOOTHING = 0.98  # the share of the mean before that each step keeps
STOP = 3.0  # the curve ends where it has risen by this multiple of its minimum: to four times it
DIGITS = 6  # of a rate: powers differ in the last between machines
FALL = 0.1  # a curve that falls by less than this share of its start suggests nothing


@dataclass(frozen=True)
class RangeCurve:
    """The smoothed training loss of a range test, the mean over its seeds.

    Args:
        rates: the learning rate of every step, at equal ratios.
        losses: the smoothed loss of these steps.
        first: the first step that counts: before it, the mean still holds few losses.
    """

    rates: list[float]
    losses: list[float]
    first: int

    @property
    def minimum(self) -> int | None:
        """The step with the least loss; None if the curve ends before any counts."""
        steps = range(self.first, len(self.losses))
        return min(steps, key=self.losses.__getitem__, default=None)

    def suggestion(self) -> float | None:
        """The rate of the steepest descent, None if the loss does not fall.

        That is the least (ln L(k+1) − ln L(k−1)) of all steps k up to the minimum. Where a loss is
        not above zero it has no logarithm: then L itself is taken.
        """
        end = self.minimum
        if end is None or self._fall(end) < FALL * abs(self.losses[self.first]):
            return None
        heights = self.losses
        if min(heights) > 0:
            heights = [math.log(loss) for loss in heights]
        steps = range(self.first + 1, end)
        steepest = min(steps, key=lambda k: heights[k + 1] - heights[k - 1], default=None)
        return None if steepest is None else self.rates[steepest]

    def _fall(self, end: int) -> float:
        return self.losses[self.first] - self.losses[end]


def range_curve(entry: Entry) -> RangeCurve:
    """The curve of a range test.

    Each seed's losses are smoothed, then the seeds' mean is taken step by step. It ends with the
    seed that ended first (a rate that loses a seed is none to use), and after the first
    step at which it is four times its minimum so far.

    Args:
        entry: a range test, with its record.
    """
    cell = entry.cell
    smoothed = [smooth(trial.trace) for trial in entry.record.trials]
    means = [statistics.fmean(losses) for losses in zip(*smoothed, strict=False)]
    least = list(accumulate(means, min))
    risen = (k for k, low in enumerate(least) if means[k] - low > STOP * abs(low))
    losses = means[: next(risen, len(means)) + 1]
    ratio = cell.schedule.params["rate"]
    rates = [float(f"{cell.lr * ratio**k:.{DIGITS}g}") for k in range(len(losses))]
    return RangeCurve(rates, losses, cell.budget["steps"] // 10)


def range_curves(entries: Iterable[Entry]) -> pd.DataFrame:
    """One row per step of every range test's curve that counts (``results/range-curves.csv``).

    Args:
        entries: the study's range tests.
    """
    rows = []
    for entry in entries:
        curve = range_curve(entry)
        test = {**axes(entry.cell), "digest": entry.record.digest[:SHORT]}
        points = zip(curve.rates[curve.first :], curve.losses[curve.first :], strict=True)
        rows += [{**test, "lr": rate, "loss": loss} for rate, loss in points]
    return frame(rows, COLUMNS)


def read_curves(table: pd.DataFrame) -> dict[str, RangeCurve]:
    """The curves by the short digest of their test, every step of which counts.

    Args:
        table: as :func:`range_curves` makes it; a test whose curve ends too early has no row.
    """
    return {
        rows[0]["digest"]: RangeCurve([r["lr"] for r in rows], [r["loss"] for r in rows], 0)
        for rows in grouped(records(table), ("digest",))
    }


def smooth(losses: Sequence[float]) -> list[float]:
    """The exponential moving average, without its bias towards zero.

    aₖ = β aₖ₋₁ + (1 − β) Lₖ with a₀ = 0, over 1 − βᵏ: the correction of Adam's moments (Kingma and
    Ba 2015, section 3).

    >>> smooth([2.0, 2.0])
    [2.0, 2.0]
    """
    found, mean, weight = [], 0.0, 0.0
    for loss in losses:
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
        weight = SMOOTHING * weight + (1 - SMOOTHING)
        found.append(mean / weight)
    return found
