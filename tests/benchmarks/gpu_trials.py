"""What is trained on a GPU to check it: trials of every rule, on small made-up data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks import synthetic
from trainscape import optimizers, schedules, workloads
from trainscape.cells.budget import Plan
from trainscape.engine.pack import Pack
from trainscape.engine.task import Task
from trainscape.engine.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from trainscape.cells.cell import TrialRecord

# rates at which each rule learns and none is near divergence
RATES = {"sgd": 0.1, "momentum": 0.03, "nesterov": 0.03, "adagrad": 0.02}
RATE = 0.002
RULES = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw")


@dataclass(frozen=True)
class Shape:
    """A workload in few steps.

    Args:
        workload: its name.
        batch_size: examples a step.
        examples: in the training split.
        epochs: passes over them.
    """

    workload: str
    batch_size: int
    examples: int
    epochs: int


SHAPES = (
    Shape("digits-mlp", 16, 120, 4),
    Shape("digits-cnn", 16, 120, 4),
    Shape("mnist-cnn", 16, 72, 3),
)


class Bench:
    """A shape's data on a device, on which packs of any trials are trained.

    Args:
        shape: what to train.
        on: where.
        test: examples in the test split.
    """

    def __init__(self, shape: Shape, on: torch.device, test: int = 40) -> None:
        workload = workloads.registry.get(shape.workload)
        share = 1 / 4  # of the examples that are made, for validation
        count = round(shape.examples / (1 - share))
        splits = synthetic.splits(workload, count, test, on, share)
        plan = Plan(len(splits.train.y), shape.batch_size, {"epochs": shape.epochs}, 0.5)
        self.task = Task(workload, splits, plan)

    def train(self, trials: Sequence[Trial]) -> tuple[list[TrialRecord], torch.Tensor, Pack]:
        """Records, final weights (T, P) on the CPU and the pack, trained as one."""
        pack = Pack(self.task, len(trials))
        pack.load(trials)
        return pack.train(), pack.stack.flat.cpu(), pack


def trial(rule: str, seed: int = 0, factor: float = 1.0) -> Trial:
    """A trial with default hyperparameters at a rate that the rule learns at."""
    made = optimizers.registry.get(rule)()
    return Trial(made, factor * RATES.get(rule, RATE), schedules.registry.get("cosine")(), seed)


def crowd(width: int) -> list[Trial]:
    """Different trials of every rule, neighbours of equal rules together."""
    made = [trial(RULES[i % len(RULES)], i % 3, 1 - i / (2 * width)) for i in range(width)]
    return sorted(made, key=lambda one: repr(one.optimizer))
