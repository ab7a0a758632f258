"""The answers beyond the first paragraph, in the order in which they are read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from trainscape.report._batches import batches, scaling
from trainscape.report._matters import importance, next_runs
from trainscape.report._optimizers import optimizers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from trainscape.report._claim import Claim
    from trainscape.report._sections import Image


def claims(
    found: Mapping[str, Mapping[str, Any]],
    images: Mapping[tuple[str, str], Sequence[Image]] | None = None,
) -> list[Claim]:
    """What was found, workload by workload; nothing for questions that a study does not ask.

    Args:
        found: by workload, as :mod:`trainscape.answers` makes it.
        images: the pictures, by workload and kind of claim.
    """
    makers: Sequence[Callable[[str, Mapping[str, Any]], Claim | None]] = (
        optimizers,
        scaling,
        batches,
        importance,
        next_runs,
    )
    made = [make(workload, own) for workload, own in found.items() for make in makers]
    known = images or {}
    return [
        replace(claim, images=known.get((claim.workload, claim.kind), ()))
        for claim in made
        if claim is not None
    ]
