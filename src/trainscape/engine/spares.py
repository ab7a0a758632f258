"""Trials added to the end of a pack so that no other trial's last bits depend on its width."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainscape.engine.model import MaskedDropout, build
from trainscape.engine.tape import Recorder
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

# These make an example's statistics by one code wherever it lies (measured in the same way).
ROW_BY_ROW = {torch.ops.aten.native_layer_norm.default, torch.ops.aten.native_group_norm.default}


def spares(trials: int, workload: Workload, examples: Tensor) -> int:
    """How many trials to add to a pack of ``trials``.

    One, if the pack has one: it would take another path through the matrix library. For models,
    losses and metrics whose arithmetic is not known to be exact, as many as keep the last ``BLOCK``
    − 1 numbers of any tensor from the real trials, or round the pack up to whole blocks, whichever
    is less.

    Args:
        trials: how many there are.
        workload: what they train.
        examples: some inputs (B, …), two if there are as many.
    """
    pair = 1 if trials == 1 else 0
    model = build(workload.build, seed=0)
    used = workload.loss, workload.metric.compute
    own = used != (Workload.loss, Workload.metric.compute)
    if not own and all(map(_exact, model.modules())):
        return pair
    # of a loss or metric a trial holds one number
    held = 1 if own else _fewest_numbers(model, examples)
    return max(pair, min(-(-(BLOCK - 1) // held), -trials % BLOCK))


def _exact(module: nn.Module) -> bool:
    """Whether a module is of an exact kind, and computes what its kind does and nothing else."""
    changed = (
        module._forward_hooks,
        module._forward_pre_hooks,
        module._backward_hooks,
        module._backward_pre_hooks,
        "forward" in vars(module),
    )
    return type(module) in EXACT and not any(changed)


def _fewest_numbers(model: nn.Module, examples: Tensor) -> int:
    """The least count of numbers that a trial holds of any tensor, at a batch of one example."""
    with torch.no_grad(), Recorder() as recorder:
        model.train()(examples.cpu())
    made = [
        out
        for call in recorder.calls
        for out in call.makes()[: 1 if call.func in ROW_BY_ROW else None]
        if out.is_floating_point()
    ]
    batch = len(examples)
    counts: list[int] = [
        # as many for each example; what a batch has once, such as its statistics, stays whole
        out.numel() // batch if out.shape[:1].numel() % batch == 0 else out.numel()
        for out in made
    ]
    return max(1, min([*counts, *(param.numel() for param in model.parameters())]))
