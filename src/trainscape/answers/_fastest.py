"""The setting that reaches the target soonest, and what accuracy can be had in what time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainscape.analysis import AXES, key, metric

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trainscape.analysis import Row

MEASURED = ("optimizer", "batch_size")  # cells that share these share their step time


def fastest(rows: Sequence[Row]) -> dict[str, Any] | None:
    """The setting with the least time to target, and whether it is told from all others.

    It is called fastest (``parts``) if its interval lies below that of every other setting. Where
    two settings share their measured step time, the intervals of their steps to target are compared
    instead, for an error of the step time moves both. That all comparisons must come out alike
    needs no correction for their number: the claim is wrong only if one that should not have come
    out did (Berger, Multiparameter hypothesis testing and acceptance sampling, Technometrics 1982).

    Args:
        rows: of one workload, as :func:`trainscape.analysis.timed` makes them. Cells count whose
            target was reached by more than half of the seeds, and whose step time is known.

    Returns:
        ``cell``, ``digest``; ``seconds`` and ``steps``, each ``median``, ``low`` and ``high``;
        ``parts``; ``others``, how many other settings count, and ``count``, how many of these
        cannot be told apart from it. An end is null where the interval is open, both where there is
        none: such settings never part, nor does one with no other. None where nothing was measured
        or no cell counts.
    """
    known = [row for row in rows if row.get("time_to_target_s") is not None]
    if not known:
        return None
    known.sort(key=lambda row: (row["time_to_target_s"], *key(row)))
    first, *rest = known
    close = sum(not _later(row, first) for row in rest)
    times = ("time_to_target_s", "time_low_s", "time_high_s")
    steps = ("steps_to_target", "steps_low", "steps_high")
    ends = ("median", "low", "high")
    return {
        "cell": {axis: first[axis] for axis in AXES[1:]},
        "digest": first["digest"],
        "seconds": {end: first[name] for end, name in zip(ends, times, strict=True)},
        "steps": {end: first[name] for end, name in zip(ends, steps, strict=True)},
        "parts": bool(rest) and not close and first["time_high_s"] is not None,
        "others": len(rest),
        "count": close,
    }


def pareto(
    rows: Sequence[Row], confirmed: Mapping[tuple[object, ...], float]
) -> tuple[list[str], str | None]:
    """The cells for which no other is both sooner at the target and better on test data.

    It is a front of the estimates: noise moves cells on and off it. Of cells that are equal in both
    all are on it.

    Args:
        rows: as for :func:`fastest`, with ``digest``, ``steps_to_target`` and ``test_metric_mean``.
        confirmed: the mean test metric over fresh seeds, by :func:`trainscape.analysis.key`. It
            counts for cells that have it; else the grid's own mean does.

    Returns:
        The digests, the soonest first, and what soon is counted by: ``seconds``, or ``steps`` where
        no cell that reached the target was timed. None where there is no cell.
    """
    reached = [row for row in rows if row["steps_to_target"] is not None]
    by = "seconds" if any(row.get("time_to_target_s") is not None for row in reached) else "steps"
    cost = {"seconds": "time_to_target_s", "steps": "steps_to_target"}[by]
    points = [
        (row[cost], value, row)
        for row in reached
        if row[cost] is not None
        and (value := confirmed.get(key(row), row["test_metric_mean"])) is not None
    ]
    if not points:
        return [], None
    sign = 1 if metric(rows[0]["workload"]).direction == "max" else -1
    points.sort(key=lambda point: (point[0], -sign * point[1], *key(point[2])))
    front: list[tuple[float, float, Row]] = []
    for point in points:
        last = front[-1] if front else None
        if last is None or sign * point[1] > sign * last[1] or point[:2] == last[:2]:
            front.append(point)
    return [row["digest"] for _, _, row in front], by


def _later(row: Row, first: Row) -> bool:
    """Whether a setting's interval lies above the first one's."""
    names = ("steps_low", "steps_high") if _shared(row, first) else ("time_low_s", "time_high_s")
    low, high = row[names[0]], first[names[1]]
    return low is not None and high is not None and bool(low > high)


def _shared(row: Row, first: Row) -> bool:
    return key(row, MEASURED) == key(first, MEASURED)
