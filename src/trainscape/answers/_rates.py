"""The metric over learning rates, at every batch size of every optimizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trainscape.answers._intervals import rounded
from trainscape.statistics.best import DIGITS
from trainscape.statistics.forgiving import basins

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from trainscape.answers._laid import Laid
    from trainscape.statistics.forgiving import Basin

    Floats = NDArray[np.float64]


def over_rates(grid: Mapping[str, Laid], margin: float) -> list[dict[str, Any]]:
    """For each optimizer and batch size the validation metric at each rate, and how far it holds.

    Each rate is shown with the schedule whose mean over seeds is best there; of equal ones it is
    the first by name. A rate at which every schedule has a seed without a value has none.
    ``width`` are the rates within the margin of the best, null where no rate has a value; ``best``
    is the rate of the best mean, of equal ones the lowest.

    Args:
        grid: the cells of each optimizer.
        margin: what makes no difference in practice, in the metric's unit.
    """
    found = []
    for name, own in grid.items():
        values, sign = own.values("val_metric"), own.cells.scale().sign
        widths = basins(values.mean(-1), np.array(own.rates), margin, sign)
        for size, at_size, width in zip(own.sizes, values, widths, strict=True):
            rates = [_at_rate(own, at_size[:, k], k, sign) for k in range(len(own.rates))]
            known = [rate for rate in rates if rate["mean"] is not None]
            best = max(known, key=lambda rate: sign * rate["mean"], default=None)
            found.append(
                {
                    "optimizer": name,
                    "batch_size": size,
                    "width": None if width is None else ends(width),
                    "best": None if best is None else best["lr"],
                    "rates": rates,
                }
            )
    return found


def ends(width: Basin) -> dict[str, float | bool]:
    """The rates within the margin as plain data.

    To four digits: more would differ between machines' logarithms. ``open_low`` and ``open_high``
    say that the grid ends before these rates do.
    """
    return {
        **{end: float(f"{getattr(width, end):.4g}") for end in ("low", "high")},
        "open_low": width.open_low,
        "open_high": width.open_high,
    }


def _at_rate(own: Laid, values: Floats, rate: int, sign: int) -> dict[str, Any]:
    """Schedule, mean, least and most over the seeds (H, S) of the best schedule; None for none."""
    means = sign * values.mean(1)
    if not np.isfinite(means).any():
        return {"lr": own.rates[rate], **dict.fromkeys(("schedule", "mean", "least", "most"))}
    # rounded: a sum's last bits do not choose between equal schedules
    best = int(np.nanargmax(means.round(DIGITS)))
    return {
        "lr": own.rates[rate],
        "schedule": own.schedules[best],
        "mean": rounded(values[best].mean()),
        "least": rounded(values[best].min()),
        "most": rounded(values[best].max()),
    }
