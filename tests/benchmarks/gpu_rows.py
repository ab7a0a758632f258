"""The rows of a check: what was compared, whether it holds, and the largest difference."""

from __future__ import annotations

import math
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import torch

from trainscape.cells.outcomes import unpacked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.gpu_trials import Shape
    from trainscape.cells.cell import TrialRecord

TOLERANCE = 2e-3  # relative: float32 over some dozens of steps
TESTED = 290  # examples whose outcomes are compared: two chunks


def curves(what: str, both: Sequence[tuple[TrialRecord, TrialRecord]]) -> dict[str, Any]:
    """A row on how far the loss curves of records on the CPU and on the device part."""
    pairs = [
        (a, b)
        for x, y in both
        for name in ("train_loss", "val_loss", "test_loss")
        # one that diverges on the device has no value where the CPU has one
        for a, b in zip_longest(getattr(x, name), getattr(y, name), fillvalue=math.inf)
    ]
    said = f"{len(pairs)} losses, tolerance {TOLERANCE:g} relative"
    return _agree("CPU and GPU curves agree", what, pairs, said, 1e-2)


def noises(
    at: str, what: str, both: Sequence[tuple[TrialRecord, TrialRecord]], more: str = ""
) -> dict[str, Any]:
    """A row on how far the noise in such records parts."""
    pairs = [
        pair
        for x, y in both
        for one, other in zip_longest(x.noise, y.noise, fillvalue=(math.inf, math.inf))
        for pair in zip(one, other, strict=True)
    ]
    said = f"{len(pairs)} mean squares, tolerance {TOLERANCE:g} relative{more}"
    return _agree(f"CPU and GPU noise of gradients agrees{at}", what, pairs, said)


def outcomes(at: str, what: str, both: Sequence[tuple[TrialRecord, TrialRecord]]) -> dict[str, Any]:
    """A row that counts the test examples that come out the same in such records."""
    found = [[unpacked(record.outcomes, TESTED) for record in pair] for pair in both]
    same = [a == b for x, y in found for a, b in zip_longest(x, y)]
    right = sum(sum(y) for _, y in found)
    return {
        "check": f"CPU and GPU outcomes of examples agree{at}",
        "what": what,
        "holds": all(same) and len(same) == TESTED * len(both),
        "largest": None,
        "detail": f"{sum(same)} of {len(same)}, {right:.0f} right on the GPU",
    }


def _agree(
    check: str, what: str, pairs: Sequence[tuple[float, float]], detail: str, least: float = 1e-9
) -> dict[str, Any]:
    """A row on how far pairs of numbers part, relative to the first, which counts as ``least``."""
    each = [abs(a - b) / max(abs(a), least) for a, b in pairs]
    apart = max(each, default=math.inf) if all(map(math.isfinite, each)) else math.inf
    return {
        "check": check,
        "what": what,
        "holds": apart <= TOLERANCE,
        "largest": _finite(apart),
        "detail": detail,
    }


def alike(
    check: str, shape: Shape, width: int, one: torch.Tensor, other: torch.Tensor
) -> dict[str, Any]:
    """A row that counts the trials whose final weights are equal bit for bit."""
    same = sum(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    said = f"{same} of {len(one)} trials have equal weights"
    return row(check, shape, width, same == len(one), one, other, said)


def row(
    check: str,
    shape: Shape,
    width: int,
    holds: bool,
    one: torch.Tensor,
    other: torch.Tensor,
    detail: str,
) -> dict[str, Any]:
    """A row on the weights of two packs."""
    return {
        "check": check,
        "what": f"{shape.workload}, width {width}",
        "holds": holds,
        "largest": _finite((one - other).abs().max().item()),
        "detail": detail,
    }


def _finite(largest: float) -> float | None:
    """A difference as JSON knows it; None where one side is no number."""
    return largest if math.isfinite(largest) else None
