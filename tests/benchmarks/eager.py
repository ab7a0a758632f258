"""The strongest plain loop: one model at a time, ``torch.optim``, data as tensors in memory.

Weights, data order and evaluations are those of our cells, so that both do equal work.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from trainscape import optimizers, schedules, workloads
from trainscape.cells.budget import Plan
from trainscape.engine import streams
from trainscape.schedules import Clock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trainscape.engine.data import Split, Splits
    from trainscape.optimizers import Optimizer
    from trainscape.workloads import Workload

VARIANTS = ("default", "foreach", "fused")  # torch.optim's implementations of one rule
CHUNK = 2048  # examples an evaluation holds at once
RACE = 60  # steps that decide which variant is fastest


@dataclass(frozen=True)
class Outcome:
    """What a plain loop made of a trial.

    Args:
        steps: optimizer steps taken.
        seconds: of training and evaluations, data and imports apart.
        val_loss: after the last step; None if it is not finite.
        startup: seconds from the start of the process to its first trial.
    """

    steps: int
    seconds: float
    val_loss: float | None
    startup: float = 0.0


class Loop:
    """One model in training.

    Args:
        workload: the model and loss.
        rule: the optimizer, by its counterpart in ``torch.optim``.
        lr: the learning rate.
        seed: decides the initial weights, as in our cells.
        device: where.
        variant: which of ``torch.optim``'s implementations.
        precision: ``bf16`` for autocast; else what torch is set to.

    Raises:
        ValueError: ``torch.optim`` has no such rule.
    """

    def __init__(
        self,
        workload: Workload,
        rule: Optimizer,
        lr: float,
        seed: int = 0,
        device: str = "cpu",
        variant: str = "default",
        precision: str = "fp32",
    ) -> None:
        self.workload = workload
        self.device = device
        self.bf16 = precision == "bf16"
        self.model = drawn(workload, seed).to(device).train()
        made = rule.reference(list(self.model.parameters()), lr)
        if made is None:
            raise ValueError(f"torch.optim has no {rule.name!r}")
        self.optimizer = made
        for group in self.optimizer.param_groups:
            if variant != "default":
                group["foreach"], group["fused"] = variant == "foreach", variant == "fused"

    def step(self, x: Tensor, y: Tensor) -> Tensor:
        """Train on a batch; its loss, which stays on the device."""
        self.optimizer.zero_grad()
        if self.bf16:
            with torch.autocast(self.device, dtype=torch.bfloat16):
                output = self.model(x).float()
        else:
            output = self.model(x)
        loss = self.workload.loss(output, y)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return loss.detach()

    @torch.no_grad()
    def score(self, split: Split) -> tuple[float, float]:
        """The mean loss and metric of a split."""
        self.model.eval()
        loss = metric = 0.0
        for x, y in zip(torch.split(split.x, CHUNK), torch.split(split.y, CHUNK), strict=True):
            output = self.model(x)
            loss += self.workload.loss(output, y).item() * len(y)
            metric += self.workload.metric.compute(output, y).item() * len(y)
        self.model.train()
        return loss / len(split.y), metric / len(split.y)


def drawn(workload: Workload, seed: int) -> nn.Module:
    """The model with the initial weights of our cells, its dropout that of ``torch.nn``."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(streams.derive(seed, "weights"))
        return workload.build()


def train(spec: Mapping[str, Any], seed: int, splits: Splits, variant: str = "default") -> Outcome:
    """Train one seed of a cell to its end, with all its evaluations.

    Args:
        spec: the cell (:meth:`trainscape.cells.cell.Cell.spec`).
        seed: the seed.
        splits: its data.
        variant: which of ``torch.optim``'s implementations.
    """
    start = time.perf_counter()
    workload = workloads.registry.get(spec["workload"])
    plan = plan_of(spec, splits)
    factors = made(schedules.registry, spec["schedule"]).table(Clock(plan.epoch, plan.total))
    loop = Loop(
        workload, made(optimizers.registry, spec["optimizer"]), spec["lr"], seed, variant=variant
    )
    torch.manual_seed(seed)  # dropout's masks
    evaluations = set(plan.evaluations)
    losses, val = torch.zeros(()), (math.nan, math.nan)
    for k in range(plan.total):
        epoch, i = divmod(k, plan.epoch)
        if i == 0:
            order = streams.permutation(plan.examples, seed, "order", epoch)
            xs = torch.split(splits.train.x[order], plan.batch_size)
            ys = torch.split(splits.train.y[order], plan.batch_size)
        for group in loop.optimizer.param_groups:
            group["lr"] = spec["lr"] * factors[k]
        losses += loop.step(xs[i], ys[i])
        if k + 1 in evaluations:
            val = loop.score(splits.val) if len(splits.val.y) else val
            loop.score(splits.test)
            losses.zero_().item()  # as one who reports the training loss, too
    loop.score(splits.fit)
    loss = val[0] if math.isfinite(val[0]) else None
    return Outcome(plan.total, time.perf_counter() - start, loss)


def plan_of(spec: Mapping[str, Any], splits: Splits) -> Plan:
    """The steps and evaluations of a cell."""
    size = len(splits.train.y)
    return Plan(size, spec["batch_size"], spec["budget"], spec["evaluate_every"])


def made(registry: Any, spec: Mapping[str, Any]) -> Any:
    """The optimizer or schedule that ``spec`` names, with its hyperparameters."""
    return registry.get(spec["name"])(**{k: v for k, v in spec.items() if k != "name"})


def fastest(
    workload: Workload, rule: Optimizer, x: Tensor, y: Tensor, precision: str = "fp32"
) -> str:
    """Which of ``torch.optim``'s implementations takes the least time on a batch."""
    device = x.device.type
    best: dict[str, float] = {}
    for variant in VARIANTS * 3:
        try:
            loop = Loop(workload, rule, 1e-6, 0, device, variant, precision)
            for steps in (3, RACE):  # the first to warm up
                start = time.perf_counter()
                for _ in range(steps):
                    loss = loop.step(x, y)
                loss.item()  # waits for a GPU
                taken = time.perf_counter() - start
        except RuntimeError:  # not every rule has each
            continue
        best[variant] = min(taken, best.get(variant, taken))
    return min(best, key=lambda variant: best[variant])
