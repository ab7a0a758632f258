"""Trials added to the end of a pack so that no other trial's last bits depend on its width."""

from __future__ import annotations

from torch import nn

from trainscape.engine.model import MaskedDropout, build
from trainscape.workloads import Workload

# torch's CPU loops take 32 numbers at a time (AVX-512; AVX2: 16) and what is left one by one, with
# other code: sigmoid, SiLU, ELU, softplus and BatchNorm round the two differently (measured).
BLOCK = 32

# Made of these alone, a model rounds alike in both: measured bit for bit at widths 2 to 33.
EXACT = (
    nn.Conv2d,
    nn.Flatten,
    nn.Linear,
    nn.MaxPool2d,
    nn.ReLU,
    nn.Sequential,
    nn.Unflatten,
    MaskedDropout,
)


def spares(trials: int, workload: Workload) -> int:
    """How many trials to add to a pack of ``trials``.

    One, if the pack has one: it would take another path through the matrix library. For models
    whose arithmetic is not known to be exact, as many as keep the last ``BLOCK`` − 1 numbers of any
    tensor from the real trials, or round the pack up to whole blocks, whichever is less.
    """
    model = build(workload.build, seed=0)
    standard = workload.loss is Workload.loss and workload.metric is Workload.metric
    if standard and all(type(module) in EXACT for module in model.modules()):
        return 1 if trials == 1 else 0
    # what a trial holds of an activation or a statistic is no narrower than a layer's bias
    narrowest = min(p.numel() for p in model.parameters())
    return max(1 if trials == 1 else 0, min(-(-(BLOCK - 1) // narrowest), -trials % BLOCK))
