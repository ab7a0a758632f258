"""What is timed on any device: a pack that steps on, the eager loop beside it, and a row of both.

Needs torch and numpy alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from benchmarks import ceilings, clock, synthetic
from benchmarks.eager import Loop, fastest
from benchmarks.floors import work
from trainscape import optimizers, schedules, workloads
from trainscape.cells.budget import Plan
from trainscape.engine.lanes import Lanes
from trainscape.engine.pack import Pack
from trainscape.engine.task import Task
from trainscape.engine.trial import Trial

if TYPE_CHECKING:
    from benchmarks.ceilings import Ceilings
    from benchmarks.clock import Times
    from benchmarks.floors import Work
    from trainscape.engine.data import Splits

# So low that weights stay where they were drawn: a time must not depend on how far training got.
LR = 1e-6
STEPS = 8  # an epoch of synthetic data, at least
COLUMNS = {
    "workload": "workload",
    "optimizer": "optimizer",
    "batch_size": "batch",
    "width": "trials a pack",
    "step_us": "µs a step, median",
    "rate": "model-steps/s",
    "rate_best": "best round",
    "eager_rate": "eager model-steps/s",
    "ratio": "× eager",
    "arithmetic_us": "arithmetic floor, µs",
    "memory_us": "memory floor, µs",
    "percent": "% of the larger floor",
}


@dataclass(frozen=True)
class Case:
    """What is timed at several widths."""

    workload: str
    optimizer: str
    batch_size: int
    widest: int


def row(
    case: Case, width: int, step: Times, eager: Times, needs: Work, limits: Ceilings, precision: str
) -> dict[str, Any]:
    """A width's numbers beside the eager loop's and the floors."""
    floors = needs.seconds(limits, width, precision)
    return {
        "workload": case.workload,
        "optimizer": case.optimizer,
        "batch_size": case.batch_size,
        "width": width,
        "precision": precision,
        "step": step.plain(),
        "eager_step": eager.plain(),
        **floors,
        "flops_per_model_step": needs.flops,
        "bytes_per_model_step": needs.bytes,
        "step_us": step.median * 1e6,
        "rate": width / step.median,
        "rate_best": width / step.min,
        "eager_rate": 1 / eager.median,
        "ratio": width * eager.median / step.median,
        "arithmetic_us": floors["arithmetic_floor_s"] * 1e6,
        "memory_us": floors["memory_floor_s"] * 1e6,
        "percent": 100 * floors["floor_s"] / step.median,
    }


class Stepper:
    """A pack on synthetic data that steps on and on.

    Args:
        case: what to train.
        width: trials.
        on: where.
        precision: of the arithmetic.
    """

    def __init__(self, case: Case, width: int, on: torch.device, precision: str = "fp32") -> None:
        workload = workloads.registry.get(case.workload)
        splits = data(case, on)
        self.plan = Plan(len(splits.train.y), case.batch_size, {"epochs": 4}, 1.0)
        self.pack = pack_on(on, precision)(Task(workload, splits, self.plan, precision), width)
        rule = optimizers.registry.get(case.optimizer)()
        constant = schedules.registry.get("constant")()
        self.pack.load([Trial(rule, LR * (1 + i), constant, i % 3) for i in range(width)])
        self.device = on.type
        self._steps(1)  # compiles: a block's length is reckoned from later ones

    def __call__(self, count: int) -> float:
        """The seconds of that many steps."""
        return clock.timed(lambda: self._steps(count))

    def _steps(self, count: int) -> None:
        while count:
            self.pack.done %= self.plan.total
            now = min(count, self.plan.total - self.pack.done)
            self.pack.advance(self.pack.done + now)
            count -= now
        ceilings.synchronize(self.device)


def pack_on(on: torch.device, precision: str) -> type[Pack]:
    """How trials train on a device: one after the other by a compiled step, or as one program."""
    return Lanes if on.type == "cpu" and precision == "fp32" else Pack


def data(case: Case, on: torch.device) -> Splits:
    """Synthetic data of whole batches only, so that every step is the same."""
    workload = workloads.registry.get(case.workload)
    count = case.batch_size * max(STEPS, 512 // case.batch_size)
    return synthetic.splits(workload, count, 16, on)


def needs(case: Case) -> Work:
    """What a model-step of a case takes at least."""
    example = data(case, torch.device("cpu")).train.x[:1]
    rule = optimizers.registry.get(case.optimizer)()
    return work(workloads.registry.get(case.workload), rule, example, case.batch_size)


class EagerStepper:
    """The eager loop on batches of the same data, over and over.

    Args:
        case: what to train.
        on: where.
        precision: of the arithmetic.
    """

    def __init__(self, case: Case, on: torch.device, precision: str = "fp32") -> None:
        workload = workloads.registry.get(case.workload)
        rule = optimizers.registry.get(case.optimizer)()
        train = data(case, on).train
        xs, ys = (torch.split(of, case.batch_size) for of in (train.x, train.y))
        self.batches = list(zip(xs, ys, strict=True))
        self.variant = fastest(workload, rule, *self.batches[0], precision)
        self.loop = Loop(workload, rule, LR, 0, on.type, self.variant, precision)

    def __call__(self, count: int) -> float:
        """The seconds of that many steps."""
        return clock.timed(lambda: self._steps(count))

    def _steps(self, count: int) -> None:
        for k in range(count):
            self.loop.step(*self.batches[k % len(self.batches)])
        ceilings.synchronize(self.loop.device)
