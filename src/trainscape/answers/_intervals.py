"""What a cell comes to, with its intervals, as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trainscape.statistics.intervals import both, over_examples, over_seeds, wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trainscape.analysis import Cells

    Floats = NDArray[np.float64]

DIGITS = 6  # of what is written: more would differ between machines' logarithms


def rounded(value: float) -> float | None:
    """A number as it is written; None for one that is not finite."""
    return round(float(value), DIGITS) + 0.0 if np.isfinite(value) else None


def of_seeds(cells: Cells, index: int, split: str, among: int = 1) -> dict[str, float | None]:
    """The mean over seeds of a cell's metric, and the 95% interval for new seeds.

    Args:
        cells: all that were trained on these seeds.
        index: of the cell.
        split: ``val`` or ``test``.
        among: from how many cells it was chosen by this split.
    """
    values = cells.values(f"{split}_metric")
    low, high = over_seeds(values, cells.scale(split), among=among)
    return {
        "mean": rounded(values[index].mean()),
        "low": rounded(low[index]),
        "high": rounded(high[index]),
    }


def of_test(cells: Cells, index: int, outcomes: Floats | None) -> dict[str, float | None]:
    """As :func:`of_seeds`, and the 95% interval for new seeds and new test examples at once.

    Args:
        cells: all that were trained on these seeds.
        index: of the cell.
        outcomes: each test example's metric, its mean over seeds, (N,); None where it is not known.
            Then Wilson's interval takes the place of what examples would tell, of shares.
    """
    found = of_seeds(cells, index, "test")
    mean, scale = float(cells.values("test_metric")[index].mean()), cells.scale("test")
    share = scale.kind == "logit"
    if outcomes is not None:
        data = over_examples(outcomes, share)
    elif share:
        data = wilson(mean, cells.test)
    else:
        data = (np.nan, np.nan)
    seeds = (_number(found["low"]), _number(found["high"]))
    low, high = both(mean, seeds, data) if np.isfinite(seeds).all() else data
    return {
        **found,
        "examples_low": rounded(data[0]),
        "examples_high": rounded(data[1]),
        "new_low": rounded(low),
        "new_high": rounded(high),
    }


def _number(value: float | None) -> float:
    return np.nan if value is None else value
