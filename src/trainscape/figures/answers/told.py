"""What pictures of answers tell of all that was found. Imports nothing that draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainscape.numerals import hundredths, number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trainscape.analysis import Row

LEAST = 0.01  # of what matters: a component with less everywhere is left out


def shown(fits: Sequence[Row]) -> list[Row]:
    """For each optimizer the row that tells most."""
    found: dict[str, Row] = {}
    for row in fits:
        rank = row["critical"] is None, row["warning"] is not None
        other = found.setdefault(row["optimizer"], row)
        if rank < (other["critical"] is None, other["warning"] is not None):
            found[row["optimizer"]] = row
    return list(found.values())


def words(row: Row) -> str:
    """B_crit with its interval; without a fit, what is known of it."""
    low, high = row["low"], row["high"]
    if low and high is not None:
        bounds = f"{_whole(low)} to {_whole(high)}"
    elif low:
        bounds = f"≥ {_whole(low)}"
    else:
        bounds = "no bounds" if high is None else f"≤ {_whole(high)}"
    if row["critical"] is None:
        return f"B_crit {bounds}" if low or high is not None else "B_crit: not known"
    return f"B_crit = {_whole(row['critical'])} ({bounds})"


def alpha(row: Row) -> str:
    """α of lr ∝ batch^α with its interval."""
    if row["exponent"] is None:
        return "α: not known"
    low, high = (None if row[end] is None else hundredths(row[end]) for end in ("low", "high"))
    known = [f"≥ {low}"] * bool(low) + [f"≤ {high}"] * bool(high) or ["no bounds"]
    bounds = f"{low} to {high}" if low and high else known[0]
    return f"α = {hundredths(row['exponent'])} ({bounds})"


def _whole(size: float) -> str:
    """A batch size; two digits where it is small."""
    return number(round(size)) if size >= 10 else number(size, 2)


def components(rows: Sequence[Row]) -> list[str]:
    """The components that have a share worth a row, in the order of the greatest of each."""
    most: dict[str, float] = {}
    for row in rows:
        most[row["component"]] = max(row["share"], most.get(row["component"], 0.0))
    return sorted((name for name, share in most.items() if share >= LEAST), key=lambda n: -most[n])


def over_rates(found: Mapping[str, Any]) -> dict[str, Row]:
    """For each optimizer the rates at its best batch size; none of one of which nothing is known.

    Args:
        found: as :mod:`trainscape.answers` makes it.
    """
    if not found["optimizers"]:
        return {}
    rows = {(row["optimizer"], row["batch_size"]): row for row in found["sensitivity"]}
    places = [(row["optimizer"], row["cell"]["batch_size"]) for row in found["optimizers"]]
    return {place[0]: rows[place] for place in places if place in rows}
