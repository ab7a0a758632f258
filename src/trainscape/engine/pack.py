"""Train a pack: trials of one workload and batch size, in memory that stays where it is.

On a GPU all trials take a step at once, as one tensor program: every operation acts on each trial
by itself (batched products over the leading axis) or on each element. Whatever a step needs lies in
tensors, the number of the step among them, so the step is captured once and launched again and
again (:mod:`trainscape.engine.graph`). On a CPU one trial trains after the other, by a compiled
step (:mod:`trainscape.engine.lanes`). Models that torch runs one by one do so on both.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from trainscape.cells.cell import TrialRecord
from trainscape.engine import leaving, pulse, streams
from trainscape.engine.blame import blaming, rule_errors
from trainscape.engine.graph import Captured
from trainscape.engine.group import Group, norms_of
from trainscape.engine.model import Stack
from trainscape.engine.questions import Questions
from trainscape.engine.rates import Rates
from trainscape.engine.trial import METRICS, averages, scored, traced, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from trainscape.engine.data import Split
    from trainscape.engine.task import Task
    from trainscape.engine.trial import Trial
    from trainscape.engine.watch import Watch


class Pack:
    """Trials in training; :meth:`load` them, then :meth:`train`, as often as there are more.

    Args:
        task: what they share; its data lies on the device to train on.
        width: how many trials, T.
        kind: how their models run: as one program, or one by one.
    """

    def __init__(self, task: Task, width: int, kind: Callable[..., Stack] = Stack) -> None:
        self.task = task
        self.workload, self.splits, self.plan = task.workload, task.splits, task.plan
        self.device = device = task.splits.train.x.device
        pulse.doing(f"building {width} models of {task.workload.name}")
        with blaming(task):
            self.stack = kind(task.workload.build, width, task.splits.train.x[:2])
            self.questions = Questions(task, self.stack) if task.detailed else None
        self.batches: dict[int, Batches] = {}
        self.chunks: dict[int, Chunk] = {}
        self.trials: Sequence[Trial] = ()
        self.seed_of = torch.zeros(width, dtype=torch.int64, device=device)
        self.lr = torch.zeros(width, 1, dtype=self.stack.blocks[0].dtype, device=device)
        self.at = torch.zeros(1, dtype=torch.int64, device=device)  # the step within its epoch
        self.first = torch.zeros(1, dtype=torch.int64, device=device)  # the step its epoch began at
        self.loss_sum = torch.zeros(width, dtype=torch.float64, device=device)
        self.finite = torch.zeros(width, dtype=torch.int64, device=device)  # steps with such a sum
        # of every step of an epoch, where they may be traced; a trial's lie side by side
        self.losses_of = self.lr.new_zeros(width, self.plan.epoch).t()

    def load(self, trials: Sequence[Trial]) -> None:
        """Start with these trials, as many as the pack is wide.

        Args:
            trials: any; neighbours with equal optimizers are updated together.
        """
        self.trials = trials
        self.seeds = sorted({t.seed for t in trials})
        self.seed_of.copy_(torch.tensor([self.seeds.index(t.seed) for t in trials]))
        with blaming(self.task):
            self.stack.load([t.seed for t in trials], _distinct(trials))
        if self.questions:
            self.questions.begin([t.seed for t in trials])
        self.groups = self._groups()
        self.clips = any(trial.optimizer.clip_norm is not None for trial in trials)
        self.rates = Rates(trials, self.plan)
        self.keys = {
            layer: torch.tensor(
                [streams.derive(s, "dropout", layer) for s in self.seeds], device=self.device
            )
            for layer in self.stack.dropouts
        }
        size = len(self.splits.train.y)
        self.order = torch.zeros(len(self.seeds), size, dtype=torch.int64, device=self.device)
        # of the epoch's steps; a trial's lie side by side
        self.lrs = self.lr.new_zeros(len(trials), self.plan.epoch).t()
        self.captured: dict[object, Captured] = {}
        self.loss_sum.zero_()
        self.finite.zero_()
        self.loss_count = 0
        self.diverged_at = torch.zeros_like(self.finite)
        self.history: list[dict[str, list[float]]] = []
        self.epoch, self.done = range(0), 0
        self.traces: list[list[float]] = []  # the losses of a step that is traced
        self.paths = [self._weights()]

    def train(
        self, progress: Callable[[int], None] = lambda _: None, watch: Watch | None = None
    ) -> list[TrialRecord]:
        """Train to the end of the plan, or until all have diverged; every trial's record.

        Args:
            progress: called after every evaluation with the steps done.
            watch: keeps the trials' state from time to time, and brings it back.
        """
        with watch.over(self) if watch else nullcontext():
            for step in self.plan.evaluations[len(self.history) :]:
                self.advance(step, watch)
                pulse.doing(f"scoring after step {step} of {self.plan.total}")
                self.evaluate(step)
                self._look(step)
                progress(step)
                if bool((self.diverged_at[: self.stack.count] > 0).all()):
                    break
        self._keep_traces()
        return self.records()

    def advance(self, until: int, watch: Watch | None = None) -> None:
        """Train every trial on its next batches, until ``until`` steps are done."""
        for k in range(self.done, until):
            if watch:
                watch.look(self)
            self.step(k)
            pulse.stepped()

    def go_to(self, step: int) -> None:
        """Lay out the epoch of a step, as it is when that step (from 1) is done."""
        epoch, i = divmod(step - 1, self.plan.epoch)
        self._open(epoch)
        self.at.fill_(i + 1)
        self.done = step

    def step(self, k: int) -> None:
        """Train every trial on its next batch; ``k`` counts from 0."""
        epoch, i = divmod(k, self.plan.epoch)
        if i == 0:
            self._open(epoch)
        rest = self.plan.examples - i * self.plan.batch_size
        size = min(self.plan.batch_size, rest)
        if size not in self.batches:
            self.batches[size] = Batches(self, size)
        self._run(size, partial(self._step, self.batches[size]))
        self.loss_count += 1
        self.done = k + 1

    @torch.no_grad()
    def _step(self, batches: Batches) -> None:
        """A step, on the device alone: nothing here depends on the step but through tensors."""
        losses, *grads = batches.next()
        torch.index_select(self.lrs, 0, self.at, out=self.lr.view(1, -1))
        norms = norms_of(grads) if self.clips else None
        for group in self.groups:
            group.update(grads, self.lr, self.at, norms)
        if self.task.trace:
            self.losses_of.index_copy_(0, self.at, losses[None])
        self.loss_sum.add_(losses)
        self.finite.add_(self.loss_sum.isfinite())  # once not finite, a sum stays so
        self.at.add_(1)

    @torch.no_grad()
    def evaluate(self, step: int) -> None:
        """Add one entry to every trial's history, after ``step`` steps."""
        splits = scored(step, self.plan)
        values, finite = self._run(splits, partial(self._scores, splits))
        entry = {"train_loss": self.loss_sum / self.loss_count, **values}
        running = self.diverged_at == 0
        lost = running & ~self.loss_sum.isfinite()
        self.diverged_at[lost] = self.finite[lost] + 1
        self.diverged_at[running & ~lost & ~finite] = step
        self.history.append({name: found.tolist() for name, found in entry.items()})
        self.paths.append(self._weights())
        self.loss_sum.mul_(0)  # keeps what is not finite
        self.loss_count = 0
        self._follow_losses()

    def _look(self, step: int) -> None:
        """Ask detailed trials what they are asked beside their history, after ``step`` steps."""
        if self.questions is None:
            return
        with blaming(self.task):
            self.questions.look(step)
            if step == self.plan.total:
                with self._evaluated():
                    self.questions.score()

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
            trace = traced([losses[i] for losses in self.traces], self.task.trace, at or None)
            path = [weights[i] for weights in self.paths[: length + 1] if weights]
            record = TrialRecord(
                trial.seed, status, at or None, **history, trace=trace, path=path, noise=[]
            )
            records.append(self.questions.added(record, i) if self.questions else record)
        return records

    def _open(self, epoch: int) -> None:
        """Lay out what an epoch needs: each seed's order, and the rates of every step."""
        self._keep_traces()
        self.epoch = steps = range(epoch * self.plan.epoch, (epoch + 1) * self.plan.epoch)
        self.order.copy_(torch.stack([self.task.order(seed, epoch) for seed in self.seeds]))
        self.first.fill_(steps.start)
        self.at.zero_()
        self._set_rates()
        for group in self.groups:
            group.open(steps)

    def _keep_traces(self) -> None:
        """Keep the losses to be traced of the epoch that ends."""
        if every := self.task.trace:
            rows = slice(-self.epoch.start % every, self.done - self.epoch.start, every)
            self.traces += self.losses_of[rows].tolist()

    def _set_rates(self) -> None:
        """Lay out the rates of the epoch's steps."""
        rates = self.rates.of(self.epoch)
        self.lrs[: len(rates)].copy_(rates)

    def _follow_losses(self) -> None:
        """Let the schedules that follow the validation loss set the rates of what is left."""
        running = (self.diverged_at == 0).tolist()
        losses = {
            i: [entry["val_loss"][i] for entry in self.history]
            for i, trial in enumerate(self.trials[: self.stack.count])
            if running[i] and trial.schedule.reacts
        }
        if self.rates.follow(losses):
            self._set_rates()

    def _weights(self) -> list[list[float]]:
        """Every trial's parameters, if the workload's path is to be kept."""
        return self.stack.flat.tolist() if self.workload.path else []

    def _groups(self) -> list[Group]:
        """Runs of equal optimizers."""
        optimizers = [t.optimizer for t in self.trials]
        ends = [i for i in range(1, len(optimizers)) if optimizers[i] != optimizers[i - 1]]
        parts = map(slice, [0, *ends], [*ends, len(optimizers)])
        groups = []
        for part in parts:
            optimizer = optimizers[part.start]
            with rule_errors(optimizer):
                groups.append(Group(optimizer, part, self.stack, self.plan.epoch))
        return groups

    @torch.no_grad()
    def _scores(self, splits: Sequence[str]) -> tuple[dict[str, Tensor], Tensor]:
        """Each split's loss and metric (T,) float64, and which trials are finite in all."""
        found: dict[str, Tensor] = {}
        with self._evaluated():
            for name in splits:
                split: Split = getattr(self.splits, name)
                if len(split.y):
                    found[f"{name}_loss"], found[f"{name}_metric"] = self._score(split)
        numbers = (*(block.isfinite().all(1) for block in self.stack.blocks), *found.values())
        return found, torch.stack(
            [n if n.dtype == torch.bool else n.isfinite() for n in numbers]
        ).all(0)

    @contextmanager
    def _evaluated(self) -> Iterator[None]:
        """Have every model at the weights that it is to be scored at."""
        with torch.no_grad():
            replaced = [pair for group in self.groups for pair in group.swap()]
        try:
            yield
        finally:
            with torch.no_grad():
                for param, weights in replaced:
                    param.copy_(weights)

    def _score(self, split: Split) -> Sequence[Tensor]:
        """The loss and metric (T,) float64 of a split."""
        if self.workload.in_parts:
            return averages(split, self._chunk, torch.zeros_like(self.loss_sum))
        output = whole(split, lambda x, y: self._chunk(x, y)[0], axis=1)
        with blaming(self.task):
            return [value.double() for value in self.stack.judged(self.task, output, split.y)]

    def _chunk(self, x: Tensor, y: Tensor) -> Sequence[Tensor]:
        """What at most CHUNK examples come to (:meth:`Stack.values`)."""
        if self.device.type == "cpu":  # a GPU is done soon, and may be capturing this
            leaving.check()
        if len(y) not in self.chunks:
            self.chunks[len(y)] = Chunk(self, x, y)
        return self.chunks[len(y)].values(x, y)

    def _run(self, key: object, work: Callable[[], Any]) -> Any:
        """What the work returns, which is the same at every call with this key."""
        if not self.stack.together:
            return work()
        return self.captured.setdefault(key, Captured(self.device))(work)


class Batches:
    """Batches of one size, and the model's part of a step on them.

    Args:
        pack: whose trials train on them.
        size: examples a batch, B.
    """

    def __init__(self, pack: Pack, size: int) -> None:
        self.pack, self.size = pack, size
        self.train = pack.splits.train
        width, stack = pack.stack.width, pack.stack
        self.x, self.y = (
            of.new_empty(width * size, *of.shape[1:]) for of in (self.train.x, self.train.y)
        )
        self.masks = stack.open_masks(size)
        self.columns = torch.arange(size, device=pack.device)

    def next(self) -> Sequence[Tensor]:
        """The losses (T,) on the next batch of every trial, and the gradients of every block."""
        self._fill()
        x, y = (of.view(-1, self.size, *of.shape[1:]) for of in (self.x, self.y))
        with blaming(self.pack.task):
            return self.pack.stack.step(self.pack.task, x, y, self.masks)

    def _fill(self) -> None:
        """Gather each seed's rows once, then give every trial the rows and masks of its seed."""
        pack = self.pack
        columns = self.columns + pack.at * pack.plan.batch_size
        rows = pack.order.index_select(1, columns).index_select(0, pack.seed_of).view(-1)
        torch.index_select(self.train.x, 0, rows, out=self.x)
        torch.index_select(self.train.y, 0, rows, out=self.y)
        masks = pack.stack.masks(pack.keys, pack.first + pack.at, self.size)
        for name, mask in masks.items():
            torch.index_select(mask, 0, pack.seed_of, out=self.masks[name])


class Chunk:
    """Examples of one count that every trial is scored on.

    Args:
        pack: whose trials are scored.
        x: as many examples (N, …).
        y: their targets (N, …).
    """

    def __init__(self, pack: Pack, x: Tensor, y: Tensor) -> None:
        self.pack, self.x, self.y = pack, x.clone(), y.clone()

    def values(self, x: Tensor, y: Tensor) -> Sequence[Tensor]:
        """What these examples come to, until the next call."""
        self.x.copy_(x)
        self.y.copy_(y)
        with blaming(self.pack.task):
            return self.pack.stack.values(self.pack.task, self.x, self.y)


def _distinct(trials: Sequence[Trial]) -> int:
    """How many trials there are without those at the end that are one again and again."""
    count = len(trials)
    while count > 1 and trials[count - 2] is trials[-1]:
        count -= 1
    return count
