"""Optimizer against optimizer, with each of them as the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainscape.answers._intervals import rounded
from trainscape.statistics.versus import versus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trainscape.analysis import Cells


def against(
    final: Cells, places: Mapping[str, int], margin: float
) -> dict[str, list[dict[str, Any]]]:
    """For each optimizer as the reference, all others: difference of the test metric and verdict.

    Differences are paired by seed; above zero the other is better than the reference. The
    intervals of one reference hold for all its comparisons at once
    (:mod:`trainscape.statistics.versus`). Each such family holds by itself: who looks at several
    references has more chances to meet an interval that misses. A pair may have another interval,
    and so another verdict, in the family of the other reference, since each has a quantile of its
    own.

    Args:
        final: the cells that are compared.
        places: by optimizer, its cell among these.
        margin: what makes no difference in practice, in the metric's unit.
    """
    values, scale = final.values("test_metric"), final.scale("test")
    found = {}
    for reference in sorted(places):
        # by name: the order of a study's list decides no random number
        names = [reference, *sorted(places.keys() - {reference})]
        pairs = {
            names[pair.first]: pair
            for pair in versus(values[[places[n] for n in names]], scale, margin, reference=0)
        }
        found[reference] = [
            {
                "optimizer": name,
                "difference": {
                    "mean": rounded(pairs[name].difference),
                    "low": rounded(pairs[name].low),
                    "high": rounded(pairs[name].high),
                },
                "verdict": pairs[name].verdict,
            }
            for name in names[1:]
            if name in pairs
        ]
    return found
