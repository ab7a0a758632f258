"""The trials of one workload as arrays: a row for each cell, a column for each seed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from trainscape.analysis._best import metric
from trainscape.analysis._summary import grouped
from trainscape.results.tables import AXES, Row, records
from trainscape.statistics.scores import Scale, scale

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from trainscape.workloads import Metric

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cells:
    """Cells of one workload.

    Args:
        trials: by cell, one row of trials.csv for each seed.
        validation: how many examples the validation split has.
        test: how many the test split has.
    """

    trials: list[list[Row]]
    validation: int
    test: int

    @classmethod
    def of(cls, trials: pd.DataFrame, validation: int, test: int) -> Cells:
        """The cells of a table like trials.csv, in its order."""
        return cls(grouped(records(trials), AXES), validation, test)

    def __len__(self) -> int:
        return len(self.trials)

    @property
    def judged(self) -> Metric:
        """The workload's metric."""
        return metric(self.trials[0][0]["workload"])

    @property
    def rows(self) -> list[Row]:
        """What each cell is: its axes, steps and digest."""
        return [rows[0] for rows in self.trials]

    @property
    def seeds(self) -> int:
        """How many seeds every cell has."""
        return len(self.trials[0])

    @cached_property
    def complete(self) -> NDArray[np.bool_]:
        """Which cells came to their end with every seed, none of them no better than chance."""
        good = [
            all(row["status"] == "ok" and row["val_metric"] is not None for row in rows)
            for rows in self.trials
        ]
        return np.array(good, dtype=bool) & ~self.failed.any(1)

    @cached_property
    def failed(self) -> NDArray[np.bool_]:
        """Which trials ended no better than chance, (C, S)."""
        return np.array([[row["failed"] == 1 for row in rows] for rows in self.trials], dtype=bool)

    def values(self, name: str) -> Floats:
        """A column of the table, (C, S), NaN for null."""
        return np.array(
            [[np.nan if row[name] is None else row[name] for row in rows] for rows in self.trials],
            dtype=np.float64,
        )

    def scale(self, split: str = "val") -> Scale:
        """The scale that the metric of a split is compared on: ``val`` or ``test``."""
        examples = self.validation if split == "val" else self.test
        judged = self.judged
        values = self.values(f"{split}_metric")
        return scale(judged.unit, judged.direction, values, examples)

    def among(self, chosen: Sequence[int]) -> Cells:
        """Some of the cells."""
        return Cells([self.trials[i] for i in chosen], self.validation, self.test)
