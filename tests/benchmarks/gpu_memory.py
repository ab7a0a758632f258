"""What happens when a pack does not fit: it is trained in halves, and no trial is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from benchmarks.gpu_trials import Bench, Shape, crowd
from trainscape.engine.fused import Fused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainscape.cells.cell import TrialRecord
    from trainscape.engine.trial import Trial

SHAPE = Shape("mnist-mlp", 64, 192, 1)
ALLOWED = 256 << 20  # bytes beyond what is taken already


def halving(on: torch.device, width: int) -> list[dict[str, Any]]:
    """A pack of ``width`` on a GPU that is allowed little memory: the width it comes down to."""
    trials = crowd(width)
    torch.cuda.empty_cache()
    taken = torch.cuda.memory_reserved()
    _, whole = torch.cuda.mem_get_info()
    torch.cuda.set_per_process_memory_fraction((taken + ALLOWED) / whole)
    try:
        limit, records = _trained(on, trials, width)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        torch.cuda.empty_cache()
    statuses = sorted({record.status for record in records})
    return [
        {
            "check": "a pack that does not fit is trained in halves",
            "what": f"{SHAPE.workload}, width {width}, {ALLOWED >> 20} MiB allowed",
            "holds": limit < width and len(records) == width and "oom" not in statuses,
            "largest": None,
            "detail": f"came down to width {limit}; {len(records)} records: {', '.join(statuses)}",
        }
    ]


def _trained(
    on: torch.device, trials: Sequence[Trial], width: int
) -> tuple[int, list[TrialRecord]]:
    fused = Fused(Bench(SHAPE, on).task, width)
    records = [record for part in fused.train(trials, lambda _: None) for record in part]
    return fused.limit, records
