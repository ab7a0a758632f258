"""What an update rule must agree with: its counterpart in torch, or a file here of its name."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from trainscape.optimizers import Optimizer

ORACLES = Path(__file__).parent


def oracle(
    optimizer: Optimizer, params: Sequence[Tensor], lr: float, folder: Path = ORACLES
) -> torch.optim.Optimizer:
    """The implementation that ``optimizer`` must agree with, in training; fails without one.

    Args:
        optimizer: the rule with its hyperparameters.
        params: what the implementation updates.
        lr: its learning rate.
        folder: where files are looked for, each with ``reference(optimizer, params, lr)``.
    """
    found = optimizer.reference(params, lr)
    if found is not None:
        return found
    path = folder / f"{optimizer.name}.py"
    if not path.is_file():
        pytest.fail(f"{optimizer.name!r} has no reference() and no oracle at {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = module.reference(optimizer, params, lr)
    assert isinstance(made, torch.optim.Optimizer)
    return made
