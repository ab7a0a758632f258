"""Optimizers that a study names by import path: any ``torch.optim.Optimizer``.

They are no part of a registry and have no update rule of ours; a part of that kind is called
``torch``. Nothing here imports torch before a study names such an optimizer.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from trainscape.cells.cell import TORCH
from trainscape.cells.locate import locate
from trainscape.checks import plain
from trainscape.optimizers import Optimizer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import torch
    from torch import Tensor


@dataclass(frozen=True)
class Imported(Optimizer):
    """A ``torch.optim.Optimizer`` by its import path.

    Args:
        path: ``package.module.Class``.
        arguments: the hyperparameters that the study gives, as plain data.
    """

    name: ClassVar[str] = TORCH

    path: str
    arguments: Mapping[str, Any]

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> Imported:
        """The optimizer that a part's spec states."""
        path, ours = spec["torch"], ("name", "torch", "clip_norm")
        given = {key: value for key, value in spec.items() if key not in ours}
        # lists as tuples, which is what optimizers take for βs and the like
        made = {key: plain(f"{path}.{key}", value) for key, value in given.items()}
        return cls(path, made, clip_norm=spec.get("clip_norm"))

    def __post_init__(self) -> None:
        """Nothing is checked here: the class says itself what it takes."""

    def reference(self, params: Iterable[Tensor], lr: float) -> torch.optim.Optimizer:
        """The optimizer itself, at the learning rate ``lr``."""
        made: torch.optim.Optimizer = locate(self.path)(params, lr=lr, **self.arguments)
        return made

    def __str__(self) -> str:
        return self.path


def needs_closure(optimizer: torch.optim.Optimizer) -> bool:
    """Whether a step evaluates the model by itself, as L-BFGS's does."""
    taken = inspect.signature(optimizer.step).parameters.get("closure")
    return taken is not None and taken.default is inspect.Parameter.empty


def switch(optimizer: torch.optim.Optimizer, training: bool) -> None:
    """Bring an optimizer that holds two sets of weights (Schedule-Free) to the one that is due."""
    change = getattr(optimizer, "train" if training else "eval", None)
    if callable(change):
        change()
