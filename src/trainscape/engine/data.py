"""A dataset's arrays as scaled tensors, split into training, validation and test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from trainscape.cells.budget import validation_size
from trainscape.engine import streams
from trainscape.errors import UserError

if TYPE_CHECKING:
    from trainscape.datasets import Arrays
    from trainscape.workloads import Workload


@dataclass(frozen=True)
class Split:
    """Inputs ``x`` (N, …) and targets ``y`` (N, …)."""

    x: Tensor
    y: Tensor


@dataclass(frozen=True)
class Splits:
    """The three splits; ``val`` is empty without validation.

    ``fit`` is a random part of ``train``, as large as ``test``, to tell how well the training data
    itself is fitted. (Evenly spaced rows would not do: MNIST's even ones are harder than its odd.)
    """

    train: Split
    fit: Split
    val: Split
    test: Split

    def copy_(self, others: Splits) -> None:
        """Take the examples of other splits of the same sizes, in the memory that is there."""
        for own, other in zip(self._tensors(), others._tensors(), strict=True):
            own.copy_(other)

    def _tensors(self) -> list[Tensor]:
        splits = (self.train, self.fit, self.val, self.test)
        return [tensor for split in splits for tensor in (split.x, split.y)]


def prepare(
    arrays: Arrays, workload: Workload, validation: float, device: torch.device, seed: int = 0
) -> Splits:
    """Scale a dataset for ``workload`` and hold out the share ``validation`` of its training split.

    Every cell holds out the same examples: validation values are comparable across trials, unless
    their seeds hold out examples of their own.

    Args:
        arrays: the dataset.
        workload: says how inputs are scaled.
        validation: the share.
        device: where the splits are to lie.
        seed: draws the examples that are held out.

    Raises:
        UserError: ``mean`` or ``std`` is given for integers, which are not scaled.
    """
    for name in ("x_train", "x_test"):
        _check_scale(name, torch.as_tensor(getattr(arrays, name)).dtype, workload)
    x, y = scaled(arrays.x_train, workload, device), _targets(arrays.y_train, device)
    order = streams.permutation(len(y), seed, "validation")
    held = validation_size(len(y), validation)
    val, train = order[:held].sort().values.to(device), order[held:].sort().values.to(device)
    test = Split(scaled(arrays.x_test, workload, device), _targets(arrays.y_test, device))
    fit = order[held:][: len(test.y)].sort().values.to(device)
    return Splits(Split(x[train], y[train]), Split(x[fit], y[fit]), Split(x[val], y[val]), test)


def scaled(x: object, workload: Workload, device: torch.device) -> Tensor:
    """Inputs as float32: bytes to [0, 1], then (x − mean) / std. Integers (tokens) stay."""
    tensor = torch.as_tensor(x)
    if tensor.dtype == torch.uint8:
        tensor = tensor.float() / 255
    if not tensor.is_floating_point():
        return tensor.to(device)
    return ((tensor.float() - workload.mean) / workload.std).to(device)


def _check_scale(name: str, dtype: torch.dtype, workload: Workload) -> None:
    """Refuse ``mean`` and ``std`` of a workload whose inputs stay as they are."""
    scales = dtype == torch.uint8 or dtype.is_floating_point
    if not scales and (workload.mean, workload.std) != (0, 1):
        raise UserError(
            f"workload {workload.name!r}: mean and std are for floats and uint8; {name} of dataset "
            f"{workload.dataset!r} holds {str(dtype).removeprefix('torch.')}: convert it by "
            ".astype('float32')"
        )


def _targets(y: object, device: torch.device) -> Tensor:
    tensor = torch.as_tensor(y)
    return (tensor.float() if tensor.is_floating_point() else tensor.long()).to(device)
