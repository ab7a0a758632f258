"""The best cell so far, for the words of a run: a look at cell files as they finish, no claim."""

from __future__ import annotations

import json
from collections import deque
from pathlib import Path
from statistics import fmean
from time import monotonic
from typing import TYPE_CHECKING

from trainscape import workloads
from trainscape.numerals import in_unit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trainscape.pipeline.layout import Layout

BUDGET = 0.02  # seconds that a look may take; a cell's file takes 0.3 ms


class Leader:
    """Keeps the cell of each workload with the best mean over seeds of the validation metric.

    Cells that were there before are looked at, too, a few at a time. Cells that are damaged, or not
    well at the end with every seed, do not count; nor do range tests and fresh seeds.

    Args:
        layout: the study.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._waiting: deque[str] | None = None
        self._best: dict[str, tuple[float, str]] = {}  # by workload, the mean and the cell's words
        self._latest = ""  # the workload of the cell that was looked at last

    def __call__(self, finished: Iterable[str]) -> str:
        """Look at what there is to look at, for a moment; the best in words, empty for none.

        Args:
            finished: files that have come since the last call.
        """
        if self._waiting is None:
            self._waiting = deque(file for file in self._layout.cells if Path(file).exists())
        # what has just come is looked at first
        self._waiting.extendleft(file for file in finished if file in self._layout.cells)
        end = monotonic() + BUDGET
        while self._waiting and monotonic() < end:
            self._look(self._waiting.popleft())
        if self._latest not in self._best:
            return ""
        mean, words = self._best[self._latest]
        metric = workloads.registry.get(self._latest).metric
        return f"best so far {in_unit(mean, metric.unit, named=True)}: {words}"

    def _look(self, file: str) -> None:
        cell = self._layout.cells[file]
        try:
            trials = json.loads(Path(file).read_text(encoding="utf-8"))["trials"]
            good = all(trial["status"] == "ok" for trial in trials)
            mean = fmean(trial["val_metric"][-1] for trial in trials) if good else None
        except (OSError, ValueError, LookupError, TypeError):  # its stage will say what is wrong
            return
        self._latest = cell.workload
        if mean is None:
            return
        metric = workloads.registry.get(cell.workload).metric
        held = self._best.get(cell.workload)
        if held is None or not metric.better(held[0], mean):
            several = len(self._layout.study.workloads) > 1
            words = str(cell) if several else str(cell).removeprefix(f"{cell.workload} ")
            self._best[cell.workload] = mean, words
