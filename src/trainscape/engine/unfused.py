"""Train trials one by one with any ``torch.optim.Optimizer``: a plain loop.

A trial meets the weights, batches and dropout masks that it would meet in a pack, and its numbers
depend on no other trial. What fused training gains is lost: a trial costs a loop of its own.
"""

from __future__ import annotations

import gc
import random
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from trainscape.cells.cell import TrialRecord
from trainscape.cells.imported import Imported, needs_closure, switch
from trainscape.engine import backend, pulse, streams
from trainscape.engine.blame import blaming, rule_error
from trainscape.engine.detail import (
    batch,
    finite,
    has_noise,
    noise_alone,
    noise_together,
    outcomes,
)
from trainscape.engine.model import build, drawn, dropout_masks, dropouts_of, state_of
from trainscape.engine.task import trials
from trainscape.engine.trial import (
    METRICS,
    averages,
    judges,
    outputs,
    progress_of_part,
    scored,
    single,
    traced,
    whole,
)
from trainscape.memory import out_of_memory
from trainscape.schedules import Clock
from trainscape.user_lines import telling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from trainscape.engine.checkpoint import Keeper
    from trainscape.engine.data import Split
    from trainscape.engine.task import Task
    from trainscape.engine.trial import Trial
    from trainscape.engine.watch import Watch


class Unfused:
    """Trains any number of trials of one task, each by itself.

    Args:
        task: what they share.
        apart: whether a detailed trial's gradients are taken example by example, as they can be of
            any model; else together, which is quicker.
    """

    def __init__(self, task: Task, apart: bool = True) -> None:
        self.task, self.apart = task, apart

    @property
    def backend(self) -> str:
        """The arithmetic that decides last bits."""
        return backend.name(self.task.splits.train.x.device)

    def trials(self, spec: Mapping[str, Any]) -> list[Trial]:
        """A cell's trials, one per seed, by the class that its optimizer names."""
        return trials(spec, Imported.of(spec["optimizer"]))

    def train(
        self,
        trials: Sequence[Trial],
        progress: Callable[[int], None],
        keeper: Keeper | None = None,
    ) -> Iterator[list[TrialRecord]]:
        """Train the trials in their order; a record at a time.

        Args:
            trials: any; their optimizers give a ``reference``.
            progress: called after every evaluation with the steps done, of all trials.
            keeper: keeps what is in training.
        """
        for i, trial in enumerate(trials):
            try:
                with out_of_memory():
                    part = progress_of_part(progress, i * self.task.plan.total)
                    watch = keeper.watch([trial], self.backend) if keeper else None
                    record = Single(self.task, trial, self.apart).train(part, watch)
            except torch.OutOfMemoryError:
                record = TrialRecord.untrained(trial.seed, "oom")
            if record.status == "oom":
                gc.collect()  # an error's frames hold what they held, and each other
            yield [record]


class Single:
    """A trial in training.

    Args:
        task: the workload, its data and plan.
        trial: what to train.
        apart: as above.
    """

    def __init__(self, task: Task, trial: Trial, apart: bool = True) -> None:
        self.task, self.trial, self.apart = task, trial, apart
        self.workload, self.splits, self.plan = task.workload, task.splits, task.plan
        self.device = task.splits.train.x.device
        pulse.doing(f"building a model of {task.workload.name}")
        with blaming(self.task):
            self.dropouts = dropouts_of(build(self.workload.build, 0), self.splits.train.x[:2])
            self.model = build(self.workload.build, trial.seed).to(self.device)
        self.params = [param for param in self.model.parameters() if param.requires_grad]
        keys = {layer: streams.derive(trial.seed, "dropout", layer) for layer in self.dropouts}
        self.keys = {layer: torch.tensor([keys[layer]], device=self.device) for layer in keys}
        _seed(streams.derive(trial.seed, "optimizer"))  # some draw numbers
        self.optimizer = _optimizer(trial, self.params)
        self.factors = trial.schedule.table(Clock(self.plan.epoch, self.plan.total))
        self.scale = 1.0  # of the rate, by a schedule that follows the validation loss
        self.order, self.done = torch.zeros(0), 0
        self.loss_sum = torch.zeros((), dtype=torch.float64, device=self.device)
        self.finite = torch.zeros(
            (), dtype=torch.int64, device=self.device
        )  # steps with such a sum
        self.loss_count = 0
        self.refused = False  # to go on, by the optimizer, over a loss that is not finite
        self.diverged_at: int | None = None
        self.history: dict[str, list[float]] = {name: [] for name in METRICS}
        self.trace: list[Tensor] = []
        self.path = [self._weights()]
        self.noisy = task.detailed and has_noise(task)
        self.noise: list[list[float]] = []
        self.outcomes: str | list[float] = ""

    def train(self, progress: Callable[[int], None], watch: Watch | None = None) -> TrialRecord:
        """Train to the end of the plan, or until the trial has diverged; its record.

        Args:
            progress: called after every evaluation with the steps done.
            watch: keeps the trial's state from time to time, and brings it back.
        """
        evaluations = set(self.plan.evaluations)
        self._mode(training=True)
        with watch.over(self) if watch else nullcontext():
            while self.done < self.plan.total:
                if watch:
                    watch.look(self)
                k = self.done
                self.step(k)
                pulse.stepped()
                if k + 1 in evaluations or self.refused:
                    pulse.doing(f"scoring after step {k + 1} of {self.plan.total}")
                    self.evaluate(k + 1)
                    progress(k + 1)
                    if self.diverged_at:
                        break
                    with blaming(self.task):
                        self._look(k + 1)
                self.done = k + 1
        status = "diverged" if self.diverged_at else "ok"
        losses = [loss.item() for loss in self.trace]
        trace = traced(losses, self.task.trace, self.diverged_at)
        path = [weights for weights in self.path if weights]
        return TrialRecord(
            self.trial.seed,
            status,
            self.diverged_at,
            **self.history,
            trace=trace,
            path=path,
            outcomes=self.outcomes,
            noise=finite(self.noise),
        )

    def go_to(self, step: int) -> None:
        """Lay out the epoch of a step (from 1), which is done."""
        self.order = self._order((step - 1) // self.plan.epoch)
        self.done = step

    def step(self, k: int) -> None:
        """Train on the next batch; ``k`` counts from 0."""
        x, y = self._batch(k)
        lr = self.trial.lr * self.scale * self.factors[k]
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        losses: list[Tensor] = []  # one; more where the optimizer tries other weights

        def closure() -> Tensor:
            self.optimizer.zero_grad()
            with torch.enable_grad(), blaming(self.task):
                loss = self._loss(x, y, checked=k == 0)
                loss.backward()  # type: ignore[no-untyped-call]
            if self.trial.optimizer.clip_norm is not None:
                clip_grad_norm_(self.params, self.trial.optimizer.clip_norm)
            losses.append(loss.detach())
            return loss

        try:
            if needs_closure(self.optimizer):
                self.optimizer.step(closure)  # type: ignore[arg-type]
            else:
                closure()
                self.optimizer.step()
        except Exception as error:
            self.refused = bool(losses) and not losses[0].isfinite()
            if not self.refused:
                raise rule_error(self.trial.optimizer, error) from error
        if self.task.trace and k % self.task.trace == 0:
            self.trace.append(losses[0])
        self.loss_sum += losses[0]
        self.finite += self.loss_sum.isfinite()  # once not finite, a sum stays so
        self.loss_count += 1

    @torch.no_grad()
    def evaluate(self, step: int) -> None:
        """Add one entry to the history, after ``step`` steps, or see that it has diverged."""
        if not self.loss_sum.isfinite():
            self.diverged_at = int(self.finite) + 1
            return
        self._mode(training=False)
        entry = {"train_loss": self.loss_sum / self.loss_count}
        for name in scored(step, self.plan):
            split = getattr(self.splits, name)
            if len(split.y):
                entry[f"{name}_loss"], entry[f"{name}_metric"] = self._score(split)
        if not all(bool(n.isfinite().all()) for n in (*self.params, *entry.values())):
            self.diverged_at = step
            return
        for name, value in entry.items():
            self.history[name].append(value.item())
        self._mode(training=True)
        self.path.append(self._weights())
        if self.trial.schedule.reacts:
            with telling(f"schedule {self.trial.schedule.name!r}"):
                self.scale = self.trial.schedule.feedback(self.history["val_loss"])
        self.loss_sum.zero_()
        self.loss_count = 0

    def _look(self, step: int) -> None:
        """Ask a detailed trial what it is asked beside its history, after ``step`` steps."""
        if self.noisy:
            x, y = batch(self.task, self.trial.seed)
            self.noise.append(self._noise(x, y))
            self.model.train()
        if self.task.detailed and step == self.plan.total:
            self._mode(training=False)
            with torch.no_grad():
                found = outcomes(self.task, lambda x: [self._outputs(x)])
            self.outcomes = found[0] if found else ""

    def _noise(self, x: Tensor, y: Tensor) -> list[float]:
        """The noise of the gradients of examples (n, …)."""
        if self.apart:
            return noise_alone(self.task, self.model, self.params, x, y)
        held = {name: tensor[None] for name, tensor in state_of(self.model).items()}
        names = [name for name, param in self.model.named_parameters() if param.requires_grad]
        params = {name: held.pop(name) for name in names}
        made = noise_together(self.task, self.model, params, held, x[None], y[None])
        found: list[float] = made[0].tolist()
        return found

    def _batch(self, k: int) -> tuple[Tensor, Tensor]:
        """The examples of a step; the dropouts get their masks for it."""
        epoch, i = divmod(k, self.plan.epoch)
        if i == 0:
            self.order = self._order(epoch)
        rows = self.order[i * self.plan.batch_size :][: self.plan.batch_size]
        step = torch.tensor([k], device=self.device)
        masks = dropout_masks(self.dropouts, self.keys, step, len(rows), self.params[0].dtype)
        for name, mask in masks.items():
            self.model.get_submodule(name).mask = mask[0]
        return self.splits.train.x[rows], self.splits.train.y[rows]

    def _order(self, epoch: int) -> Tensor:
        return self.task.order(self.trial.seed, epoch).to(self.device)

    def _loss(self, x: Tensor, y: Tensor, checked: bool) -> Tensor:
        """The loss of a batch; where ``checked``, a model that draws random numbers is refused."""
        before = drawn(self.device) if checked else None
        of = self.workload.loss
        loss = single("loss", of, of(self._outputs(x), y))
        if before is not None and before != drawn(self.device):
            raise RuntimeError("random operation")  # as vmap says of it in a pack
        return loss

    def _score(self, split: Split) -> Sequence[Tensor]:
        """The loss and metric of a split, float64."""
        with blaming(self.task):
            if self.workload.in_parts:
                zero = torch.zeros_like(self.loss_sum)
                return averages(split, lambda x, y: self._judged(self._outputs(x), y), zero)
            output = whole(split, lambda x, _: self._outputs(x), axis=0)
            return [value.double() for value in self._judged(output, split.y)]

    def _judged(self, output: Tensor, y: Tensor) -> list[Tensor]:
        """The loss and metric of outputs; functions that no pack could run may return a number."""
        return [
            single(name, of, torch.as_tensor(of(output, y), device=self.device))
            for name, of in judges(self.workload).items()
        ]

    def _outputs(self, x: Tensor) -> Tensor:
        return outputs(partial(self.model, x), self.task.precision, self.device)

    def _weights(self) -> list[float]:
        """The parameters, if the workload's path is to be kept."""
        kept = self.params if self.workload.path else []
        return [value for param in kept for value in param.flatten().tolist()]

    def _mode(self, training: bool) -> None:
        self.model.train(training)
        try:
            switch(self.optimizer, training)
        except Exception as error:
            raise rule_error(self.trial.optimizer, error) from error


def _optimizer(trial: Trial, params: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
    try:
        made = trial.optimizer.reference(params, trial.lr)
    except Exception as error:
        raise rule_error(trial.optimizer, error) from error
    if made is None:
        raise TypeError(f"{trial.optimizer} has no counterpart in torch.optim")
    return made


def _seed(seed: int) -> None:
    """Seed every generator that an optimizer may draw from: no trial depends on the one before."""
    random.seed(seed)
    np.random.seed(seed % (1 << 32))
    torch.manual_seed(seed)
