"""Learning-rate range tests as cells: the rate rises at every step, and the loss is traced.

A range test is trained, named and kept like any other cell. Its schedule rises exponentially from
the lowest rate to the highest, and its training loss is recorded at every step; a loss that is not
finite ends the trace.

Source: L. N. Smith, Cyclical learning rates for training neural networks, 2017,
https://arxiv.org/abs/1506.01186, section 3.3, where the rate rises linearly. That it rises
geometrically, so that every decade has as many steps, is fastai's ``lr_find``.
"""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from trainscape.cells.cell import Part
from trainscape.schedules.exponential import Exponential

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trainscape.cells.cell import Cell
    from trainscape.study import RangeTest

FOLDER = "range"  # beside ``cells/``
DIGITS = 12  # of the ratio of two rates: logarithms differ in the last between machines


def cells(grid: Iterable[Cell], test: RangeTest) -> list[Cell]:
    """One range test for each workload, optimizer and batch size of a grid, in its order.

    Args:
        grid: the study's cells, which say seeds, validation split and precision.
        test: how the rates rise.
    """
    if not test.enabled:
        return []
    first: dict[tuple[object, ...], Cell] = {}
    for cell in grid:
        first.setdefault((cell.workload, cell.optimizer.label, cell.batch_size), cell)
    rising = _rising_schedule(test)
    return [
        replace(
            cell,
            lr=test.low,
            schedule=rising,
            budget={"steps": test.steps},
            evaluate_every=float(test.steps),  # no step sees more than all examples: the end alone
            trace_every=1,
        )
        for cell in first.values()
    ]


def _rising_schedule(test: RangeTest) -> Part:
    """The schedule from low to high: low · rᵏ at step k, r = (high / low)^(1 / (steps − 1))."""
    decades = math.log10(test.high) - math.log10(test.low)
    ratio = float(f"{10 ** (decades / (test.steps - 1)):.{DIGITS}g}")
    return Part(Exponential.name, asdict(Exponential(rate=ratio, every="1 steps")), FOLDER)
