"""What did not come to anything: trials without a finite end, and trials that learned nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainscape.analysis import grouped

if TYPE_CHECKING:
    from trainscape.analysis import Cells


def failures(cells: Cells) -> dict[str, Any]:
    """How many trials diverged, failed (no better than chance) or did not fit, overall and by axis.

    A trial that diverged counts as such alone. ``failed`` is null where the workload does not say
    what chance is.
    """
    rows = [row for trials in cells.trials for row in trials]
    known = any(row["failed"] is not None for row in rows)
    return {
        "trials": len(rows),
        "diverged": sum(row["status"] == "diverged" for row in rows),
        "oom": sum(row["status"] == "oom" for row in rows),
        "failed": sum(row["failed"] == 1 for row in rows) if known else None,
        "by_optimizer": {
            own[0]["optimizer"]: {
                "trials": len(own),
                "diverged": sum(row["status"] == "diverged" for row in own),
                "failed": sum(row["failed"] == 1 for row in own) if known else None,
            }
            for own in grouped(rows, ("optimizer",))
        },
    }
