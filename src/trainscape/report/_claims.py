"""The answers beyond the first paragraph, in the order in which they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trainscape.report._batches import batches, scaling
from trainscape.report._matters import importance, next_runs
from trainscape.report._optimizers import optimizers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from trainscape.report._claim import Claim


def claims(found: Mapping[str, Mapping[str, Any]]) -> list[Claim]:
    """What was found, workload by workload; nothing for questions that a study does not ask.

    Args:
        found: by workload, as :mod:`trainscape.answers` makes it.
    """
    makers: Sequence[Callable[[str, Mapping[str, Any]], Claim | None]] = (
        optimizers,
        scaling,
        batches,
        importance,
        next_runs,
    )
    made = [make(workload, own) for workload, own in found.items() for make in makers]
    return [claim for claim in made if claim is not None]
