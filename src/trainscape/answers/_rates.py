"""The metric over learning rates, as a picture of an optimizer shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trainscape.answers._intervals import rounded

if TYPE_CHECKING:
    from trainscape.analysis import Cells
    from trainscape.statistics.forgiving import Basin


def over_rates(cells: Cells, batch_size: int, basin: Basin | None) -> dict[str, Any]:
    """An optimizer's validation metric at each rate, and which rates are within the margin.

    Each rate is shown with the schedule whose mean is best there. A rate at which every schedule
    has a seed without a value has none.

    Args:
        cells: the optimizer's cells.
        batch_size: at which it is best.
        basin: the rates that are as good as the best at this batch size.
    """
    own = [i for i, row in enumerate(cells.rows) if row["batch_size"] == batch_size]
    values, sign = cells.values("val_metric"), cells.scale().sign
    rates = []
    for lr in sorted({cells.rows[i]["lr"] for i in own}):
        known = [i for i in own if cells.rows[i]["lr"] == lr and np.isfinite(values[i]).all()]
        best = max(known, key=lambda i: sign * values[i].mean(), default=None)
        rates.append({"lr": lr, **_spread(cells, values, best)})
    ends = ("low", "high", "open_low", "open_high")
    return {
        "batch_size": batch_size,
        "rates": rates,
        **{end: None if basin is None else _end(getattr(basin, end)) for end in ends},
    }


def _spread(cells: Cells, values: Any, index: int | None) -> dict[str, Any]:
    """Schedule, mean, least and most over the seeds of a cell; None for no cell."""
    if index is None:
        return dict.fromkeys(("schedule", "mean", "least", "most"))
    own = values[index]
    return {
        "schedule": cells.rows[index]["schedule"],
        **{name: rounded(of(own)) for name, of in (("mean", np.mean), ("least", np.min))},
        "most": rounded(own.max()),
    }


def _end(value: float | bool) -> float | bool:
    """An end of the basin to four digits: more would differ between machines' logarithms."""
    return value if isinstance(value, bool) else float(f"{value:.4g}")
