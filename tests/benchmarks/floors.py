"""The least time that a training step can take, from the shapes of its layers.

Arithmetic: the products of linear and convolutional layers, forward and backward; all else is left
out. Memory: every weight, gradient, state, input and activation once in and once out, as when each
stood in one kernel alone and nothing stayed in a cache between two kernels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from trainscape.engine.model import build

if TYPE_CHECKING:
    from benchmarks.ceilings import Ceilings
    from trainscape.optimizers import Optimizer
    from trainscape.workloads import Workload

FLOAT = 4  # bytes
VIEWS = (nn.Flatten, nn.Unflatten, nn.Identity)


@dataclass(frozen=True)
class Work:
    """What one model's step takes.

    Args:
        flops: floating-point operations of the products.
        bytes: moved to and from memory.
    """

    flops: float
    bytes: float

    def seconds(self, ceilings: Ceilings, width: int, precision: str = "fp32") -> dict[str, float]:
        """The floors (seconds) of a step of ``width`` models, and the larger one."""
        arithmetic = width * self.flops / ceilings.flops[precision]
        memory = width * self.bytes / ceilings.copy(width * self.bytes)
        floors = {"arithmetic_floor_s": arithmetic, "memory_floor_s": memory}
        return {**floors, "floor_s": max(floors.values())}


def work(workload: Workload, rule: Optimizer, example: Tensor, batch: int) -> Work:
    """What a step of one model takes.

    Args:
        workload: the model.
        rule: its optimizer, whose states are moved too.
        example: one input (1, …).
        batch: examples a step.
    """
    model = build(workload.build, 0).eval()
    products: list[float] = []
    outputs: list[int] = []

    def note(layer: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        if not isinstance(layer, VIEWS):
            outputs.append(output.numel())
        if isinstance(layer, nn.Linear | nn.Conv2d):
            # weight.numel() × places: each output is a product with its share of the weights
            places = output.numel() // layer.weight.shape[0]
            products.append(2.0 * layer.weight.numel() * places)

    for layer in model.modules():
        if not list(layer.children()):
            layer.register_forward_hook(note)
    with torch.no_grad():
        model(example.cpu())
    # forward, gradient of the weights, gradient of the inputs; the first layer needs none of those
    flops = batch * (3 * sum(products) - products[0])
    weights = sum(p.numel() for p in model.parameters())
    states = len(rule.init(torch.zeros(1)))
    moved = weights * 2 * (2 + states) + batch * (example.numel() + 2 * sum(outputs))
    return Work(flops, FLOAT * moved)
