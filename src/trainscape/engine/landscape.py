"""The training loss at any values of a workload's parameters: the landscape below a path."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from trainscape import workloads

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from trainscape.datasets import Arrays

    Points = NDArray[np.float64]


def heights(workload: str, arrays: Arrays, points: Points) -> Points:
    """The training loss (N,) of the workload's model at every point (N, D) of its parameters.

    Args:
        workload: its name.
        arrays: its dataset.
        points: values of all parameters, in the order in which a trial's ``path`` holds them.
    """
    import torch
    from torch.func import functional_call

    from trainscape.engine.data import prepare

    task = workloads.registry.get(workload)
    model = task.build()
    train = prepare(arrays, task, 0, torch.device("cpu")).train
    shapes = {name: param.shape for name, param in model.named_parameters()}

    def loss(flat: torch.Tensor) -> torch.Tensor:
        parts = torch.split(flat, [prod(shape) for shape in shapes.values()])
        named = {name: part.view(shapes[name]) for name, part in zip(shapes, parts, strict=True)}
        return task.loss(functional_call(model, named, (train.x,)), train.y)

    flats = torch.as_tensor(points, dtype=torch.float32)
    try:
        found = torch.func.vmap(loss)(flats)
    except RuntimeError:  # a model that takes one set of values at a time
        with torch.no_grad():
            found = torch.stack([loss(flat) for flat in flats])
    made: Points = found.double().numpy()
    return made
