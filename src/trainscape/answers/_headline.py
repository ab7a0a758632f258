"""The few numbers that commits are compared by: ``results/metrics.json``."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, Any

from trainscape.analysis import overall

if TYPE_CHECKING:
    from collections.abc import Mapping


def headline(found: Mapping[str, Any]) -> dict[str, float | None]:
    """About ten numbers of a workload, under the same keys whatever its best cell is.

    The test metric has its own name, ``accuracy`` or another.

    Args:
        found: as :func:`trainscape.answers.answer` makes it.
    """
    chosen, failures = found["chosen"] or {}, found["failures"]
    test, validation = chosen.get("test", {}), chosen.get("validation", {})
    trials, name = failures["trials"], found["metric"]["name"].replace(" ", "_")
    lost = failures["failed"]
    return {
        name: test.get("mean"),
        f"{name}_low": test.get("low"),
        f"{name}_high": test.get("high"),
        "validation": validation.get("mean"),
        "steps_to_target": chosen.get("steps_to_target"),
        "tied_cells": len(found["tied"]),
        "failed_share": None if lost is None else round(lost / trials, 4),
        "diverged_share": round(failures["diverged"] / trials, 4),
        "alpha": _alpha(found),
    }


def _alpha(found: Mapping[str, Any]) -> float | None:
    """The mean over optimizers of the exponent of lr ∝ batch^α."""
    known = [row["exponent"] for row in overall(found["scaling"]) if row["exponent"] is not None]
    return round(fmean(known), 4) if known else None
