"""What a workload's model gives for an example, to check labels by; no number depends on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from trainscape.cells import labels
from trainscape.datasets import Arrays, Values, registry
from trainscape.engine.data import scaled
from trainscape.engine.model import build

if TYPE_CHECKING:
    from torch import Tensor

    from trainscape.workloads import Workload


def check_labels(workload: Workload, arrays: Arrays) -> tuple[int, ...] | None:
    """Refuse labels that do not fit the workload's model.

    Args:
        workload: what is to train.
        arrays: its data.

    Returns:
        What the model gives for one example, as :func:`of_example`; None of a workload that does
        not classify, too.

    Raises:
        UserError: as :func:`trainscape.cells.labels.check`.
    """
    if not workload.classifies:
        return None
    outputs = of_example(workload, arrays.x_train[:2])
    values = {name: Values.of(getattr(arrays, name)) for name in labels.ARRAYS}
    labels.check(workload, registry.get(workload.dataset), values, outputs)
    return outputs


def of_example(workload: Workload, x: object) -> tuple[int, ...] | None:
    """The shape of what the model gives for one example.

    Args:
        workload: whose model.
        x: some of its dataset's inputs (N, …).

    Returns:
        The shape; None where the model cannot be run: training says why, with its line.
    """
    cpu = torch.device("cpu")
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            model = build(workload.build, 0).eval()
            output: Tensor = model(scaled(x, workload, cpu))
    except Exception:  # a user's model may raise anything
        return None
    return tuple(output.shape[1:]) or None
