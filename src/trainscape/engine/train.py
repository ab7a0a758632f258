"""Train a pack: all trials of one workload and batch size, step by step as one tensor program.

A trial's numbers do not depend on what it is trained with. Three rules keep that true on the CPU:
one thread and MKL's strict mode (:mod:`trainscape.engine.device`); every operation acts on each
trial by itself (batched products over the leading axis) or on each element; and where the last
elements of a tensor round otherwise, they are nobody's (:mod:`trainscape.engine.spares`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.func import vmap

from trainscape.cell import TrialRecord
from trainscape.engine import streams
from trainscape.engine.blame import blaming, blaming_rule
from trainscape.engine.model import Stack
from trainscape.engine.spares import spares
from trainscape.schedules import Clock, Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trainscape.budget import Plan
    from trainscape.engine.data import Split, Splits
    from trainscape.optimizers import Optimizer
    from trainscape.workloads import Workload

CHUNK = 256  # examples an evaluation holds at once; part of the numbers, since sums round per chunk
SCORED = ("fit", "val", "test")  # the splits that an evaluation scores
METRICS = ("train_loss", *(f"{split}_{of}" for split in SCORED for of in ("loss", "metric")))


@dataclass(frozen=True)
class Trial:
    """One training run: an optimizer, a peak lr, a schedule and a seed."""

    optimizer: Optimizer
    lr: float
    schedule: Schedule
    seed: int


class Pack:
    """The state of a pack while it trains; :func:`train` drives it.

    Args:
        trials: what to train, neighbours with equal optimizers being updated together.
        workload: the model, loss and metric.
        splits: the data, scaled, on the device to train on.
        plan: steps and evaluations.
    """

    def __init__(
        self, trials: Sequence[Trial], workload: Workload, splits: Splits, plan: Plan
    ) -> None:
        self.trials, self.workload, self.splits, self.plan = trials, workload, splits, plan
        self.device = splits.train.x.device
        self.seeds = sorted({t.seed for t in trials})
        self.seed_of = torch.tensor([self.seeds.index(t.seed) for t in trials], device=self.device)
        with blaming(workload, plan):
            self.stack = Stack.of(workload.build, [t.seed for t in trials], splits.train.x[:2])
        self.lr = self._rates(trials)
        self.groups = self._groups([t.optimizer for t in trials])
        self.keys = {
            layer: torch.tensor(
                [streams.derive(s, "dropout", layer) for s in self.seeds], device=self.device
            )
            for layer in self.stack.dropouts
        }
        self.loss_sum = torch.zeros(len(trials), dtype=torch.float64, device=self.device)
        self.loss_count = 0
        self.diverged_at = torch.zeros(len(trials), dtype=torch.int64, device=self.device)
        self.history: list[dict[str, list[float]]] = []

    def step(self, k: int) -> None:
        """Train every trial on its next batch; ``k`` counts from 0."""
        rows = self._batch(k)
        x, y = self.splits.train.x[rows][self.seed_of], self.splits.train.y[rows][self.seed_of]
        masks = self.stack.masks(self.keys, k, rows.shape[1])
        with blaming(self.workload, self.plan):
            picked = {name: mask[self.seed_of] for name, mask in masks.items()}
            losses = vmap(self.workload.loss)(self.stack.forward(x, picked, training=True), y)
            grad = self.stack.backward(losses)
        for optimizer, part, state in self.groups:
            with blaming_rule(optimizer, self.stack.flat):
                rates = self.lr[k, part, None]
                optimizer.update(self.stack.flat[part], grad[part], state, rates, k + 1)
        self._note(k, losses.detach())

    @torch.no_grad()
    def evaluate(self, step: int) -> None:
        """Add one entry to every trial's history, after ``step`` steps."""
        entry = {"train_loss": self.loss_sum / self.loss_count}
        for name in SCORED:
            split: Split = getattr(self.splits, name)
            if len(split.y):
                entry[f"{name}_loss"], entry[f"{name}_metric"] = self._score(split)
        finite = self.stack.flat.isfinite().all(1)
        for values in entry.values():
            finite &= values.isfinite()
        self.diverged_at[(self.diverged_at == 0) & ~finite] = step
        self.history.append({name: values.tolist() for name, values in entry.items()})
        self.loss_sum.zero_()
        self.loss_count = 0

    def records(self) -> list[TrialRecord]:
        """Every trial's record; a diverged trial's history ends at the last finite evaluation."""
        records = []
        for i, (trial, at) in enumerate(zip(self.trials, self.diverged_at.tolist(), strict=True)):
            length = sum(1 for s in self.plan.evaluations if s < at) if at else len(self.history)
            history = {
                name: [entry[name][i] for entry in self.history[:length] if name in entry]
                for name in METRICS
            }
            status = "diverged" if at else "ok"
            records.append(TrialRecord(trial.seed, status, at or None, **history))
        return records

    def _batch(self, k: int) -> Tensor:
        """The rows (S, B) of the training split that each seed uses at step ``k``."""
        epoch, i = divmod(k, self.plan.epoch)
        if i == 0:
            size = len(self.splits.train.y)
            orders = [streams.permutation(size, s, "order", epoch) for s in self.seeds]
            self.order = torch.stack(orders).to(self.device)
        return self.order[:, i * self.plan.batch_size : (i + 1) * self.plan.batch_size]

    def _note(self, k: int, losses: Tensor) -> None:
        self.loss_sum += losses
        self.loss_count += 1
        self.diverged_at[(self.diverged_at == 0) & ~losses.isfinite()] = k + 1

    def _score(self, split: Split) -> tuple[Tensor, Tensor]:
        """The mean loss and metric (T,) float64 over a split, by chunks."""
        width = len(self.seed_of)
        loss, metric = (
            torch.zeros(width, dtype=torch.float64, device=self.device) for _ in range(2)
        )
        for x, y in zip(torch.split(split.x, CHUNK), torch.split(split.y, CHUNK), strict=True):
            # expanded, never shared: one product over all trials would round by the pack's width
            xs, ys = x.expand(width, *x.shape), y.expand(width, *y.shape)
            with blaming(self.workload, self.plan):
                output = self.stack.forward(xs, {}, training=False)
                loss += vmap(self.workload.loss)(output, ys).double() * len(y)
                metric += vmap(self.workload.metric.compute)(output, ys).double() * len(y)
        return loss / len(split.y), metric / len(split.y)

    def _rates(self, trials: Sequence[Trial]) -> Tensor:
        """The learning rate of every step and trial (steps, T)."""
        clock = Clock(self.plan.epoch, self.plan.total)
        factors = {t.schedule: t.schedule.table(clock) for t in trials}
        rates = torch.tensor([factors[t.schedule] for t in trials], dtype=torch.float64)
        rates *= torch.tensor([t.lr for t in trials], dtype=torch.float64)[:, None]
        return rates.T.contiguous().to(self.device, self.stack.flat.dtype)

    def _groups(
        self, optimizers: list[Optimizer]
    ) -> list[tuple[Optimizer, slice, dict[str, Tensor]]]:
        """Runs of equal optimizers, each with its slice of the pack and its state."""
        groups = []
        start = 0
        for i, optimizer in enumerate(optimizers):
            if i + 1 == len(optimizers) or optimizers[i + 1] != optimizer:
                part = slice(start, i + 1)
                groups.append((optimizer, part, optimizer.init(self.stack.flat[part])))
                start = i + 1
        return groups


def train(
    trials: Sequence[Trial],
    workload: Workload,
    splits: Splits,
    plan: Plan,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> list[TrialRecord]:
    """Train the trials together and return their records, in order.

    Args:
        trials: at least one; any mix of optimizers, rates, schedules and seeds.
        workload: what they train on.
        splits: its data on the device to train on (:func:`trainscape.engine.data.prepare`).
        plan: steps and evaluations.
        progress: called after every evaluation with the steps done and in all.
    """
    pack, places = fit(trials, workload, splits, plan, progress)
    records = pack.records()
    return [records[place] for place in places]


def fit(
    trials: Sequence[Trial],
    workload: Workload,
    splits: Splits,
    plan: Plan,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> tuple[Pack, list[int]]:
    """Train as :func:`train` does; the pack, trained, and each trial's place in it."""
    together = sorted(range(len(trials)), key=lambda i: repr(trials[i].optimizer))
    ordered = [trials[i] for i in together]
    with blaming(workload, plan):
        ordered += ordered[-1:] * spares(len(trials), workload)
    pack = Pack(ordered, workload, splits, plan)
    evaluations = set(plan.evaluations)
    for k in range(plan.total):
        pack.step(k)
        if k + 1 in evaluations:
            pack.evaluate(k + 1)
            progress(k + 1, plan.total)
            if bool((pack.diverged_at > 0).all()):
                break
    return pack, [together.index(i) for i in range(len(trials))]
