"""Small data, models and packs that the engine's tests share."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from kit.registries import kept
from trainscape import optimizers, schedules, workloads
from trainscape.cells import plugins
from trainscape.cells.budget import Plan
from trainscape.datasets import Arrays
from trainscape.engine import device
from trainscape.engine.data import prepare
from trainscape.engine.fused import Fused
from trainscape.engine.lanes import Lanes
from trainscape.engine.task import Task
from trainscape.engine.trial import Trial
from trainscape.workloads import Metric, Workload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from trainscape.cells.cell import TrialRecord
    from trainscape.engine.model import Stack
    from trainscape.engine.pack import Pack

CPU = device.choose("cpu")
OPTIMIZERS = optimizers.registry.names()


def images(
    examples: int, side: int = 8, classes: int = 10, test: int = 20, colours: int = 0
) -> Arrays:
    """Noisy copies of one random image per class, ``side`` pixels wide and high."""
    generator = np.random.default_rng(0)
    classes_of = generator.integers(0, classes, examples + test)
    shape = (side, side, colours) if colours else (side, side)
    shown = generator.integers(0, 160, (classes, *shape))[classes_of]
    x = (shown + generator.integers(0, 96, shown.shape)).astype(np.uint8)
    y = classes_of.astype(np.int64)
    return Arrays(x[:examples], y[:examples], x[examples:], y[examples:])


def line(examples: int = 50, test: int = 20) -> Arrays:
    """Inputs (N, 3) float64 and targets (N,) float64, a linear function of them."""
    x = np.random.default_rng(1).normal(size=(examples + test, 3))
    y = x @ np.array([1.0, -2.0, 0.5]) + 0.25
    return Arrays(x[:examples], y[:examples], x[examples:], y[examples:])


def odd(activation: Callable[[], nn.Module] = nn.ReLU) -> nn.Module:
    """Layers of 37, 23 and 33: no width fills whole vectors."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, 37),
        activation(),
        nn.Linear(37, 23),
        activation(),
        nn.Linear(23, 33),
        activation(),
        nn.Linear(33, 10),
    )


def silu() -> nn.Module:
    """As :func:`odd`, with an activation whose vector and scalar code round differently."""
    return odd(nn.SiLU)


def dropout() -> nn.Module:
    """Dropout of whole channels and of single features."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 8)),
        nn.Conv2d(1, 5, 3),
        nn.ReLU(),
        nn.Dropout2d(0.3),
        nn.Flatten(),
        nn.Linear(180, 37),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(37, 10),
    )


def mse(output: Tensor, target: Tensor) -> Tensor:
    """The mean squared error of outputs (B, 1) against targets (B,)."""
    return (output.squeeze(-1) - target).square().mean()


def named(build: Callable[[], nn.Module], name: str = "example") -> Workload:
    """A workload of ``build`` that no registry knows."""
    return Workload(name, "digits", build, target=0.9, std=16 / 255)


def regression() -> Workload:
    """Linear regression, judged by its mean squared error."""
    return Workload(
        "regression",
        "line",
        lambda: nn.Linear(3, 1),
        target=0.01,
        loss=mse,
        metric=Metric("MSE", "min", "", mse),
    )


@cache
def batch_norm() -> Workload:
    """The workload of ``plugins/batch_norm.py``; what it registers is forgotten again."""
    with kept(workloads.registry):
        plugins.load([str(Path(__file__).parents[1] / "plugins" / "batch_norm.py")])
        return workloads.registry.get("batch-norm")


def trial(
    optimizer: str = "adam", lr: float = 0.01, seed: int = 0, schedule: str = "cosine"
) -> Trial:
    """A trial with default hyperparameters."""
    made = optimizers.registry.get(optimizer)()
    return Trial(made, lr, schedules.registry.get(schedule)(), seed)


def task(
    workload: Workload,
    arrays: Arrays,
    batch_size: int = 16,
    budget: Mapping[str, int] | None = None,
    validation: float = 0.1,
    every: float = 1.0,
) -> Task:
    """A task on the CPU; two epochs unless told."""
    splits = prepare(arrays, workload, validation, CPU)
    plan = Plan(len(splits.train.y), batch_size, budget or {"epochs": 2}, every)
    return Task(workload, splits, plan)


@dataclass(frozen=True)
class Trained:
    """A trial after training: its record, and the bits of its weights and buffers as hashes.

    A diverged trial has none: where all have diverged, training stops, at a step that depends on
    the pack.
    """

    record: TrialRecord
    weights: str | None
    buffers: dict[str, str]


def train(
    trials: Sequence[Trial], of: Task, progress: Callable[[int], None] = lambda _: None
) -> list[TrialRecord]:
    """Train the trials together, as a user's run does; their records in their order."""
    order = _order(trials)
    parts = Fused(of, None).train([trials[i] for i in order], progress)
    records = dict(zip(order, (record for part in parts for record in part), strict=True))
    return [records[i] for i in range(len(trials))]


def packed(
    trials: Sequence[Trial], of: Task, kind: Callable[[Task, int], Pack] = Lanes
) -> tuple[Pack, list[int]]:
    """A pack of the trials, trained, and each trial's place in it.

    Args:
        trials: any.
        of: what they share.
        kind: makes the pack: by a compiled step, as on any CPU, or ``Pack``, as on a GPU.
    """
    order = _order(trials)
    pack = kind(of, len(trials))
    pack.load([trials[i] for i in order])
    pack.train()
    return pack, [order.index(i) for i in range(len(trials))]


def _order(trials: Sequence[Trial]) -> list[int]:
    """The trials' places, those of equal optimizers side by side: they are updated together."""
    return sorted(range(len(trials)), key=lambda i: repr(trials[i].optimizer))


def trained(
    trials: Sequence[Trial], of: Task, kind: Callable[[Task, int], Pack] = Lanes
) -> list[Trained]:
    """Train the trials as one pack; what each of them is at the end. Arguments as above."""
    pack, places = packed(trials, of, kind)
    records = pack.records()
    return [_trained(records[i], pack.stack, i) for i in places]


def _trained(record: TrialRecord, stack: Stack, i: int) -> Trained:
    if record.status == "diverged":
        return Trained(record, None, {})
    buffers = {name: bits(buffer[i]) for name, buffer in stack.buffers.items()}
    return Trained(record, bits(stack.flat[i]), buffers)


def bits(tensor: Tensor) -> str:
    """A hash of the tensor's bytes, so that failures stay short."""
    return hashlib.sha256(tensor.detach().contiguous().numpy().tobytes()).hexdigest()[:12]


def weights(
    of: Task, trials: Sequence[Trial], kind: Callable[[Task, int], Pack] = Lanes
) -> list[dict[str, Tensor]]:
    """Each trial's parameters and buffers by name, after training together."""
    pack, places = packed(trials, of, kind)
    state = {**pack.stack.params, **pack.stack.buffers}
    return [{name: tensor.detach()[i] for name, tensor in state.items()} for i in places]


def seeded(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    """Standard normal numbers, always the same."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
