"""Train a pack by a compiled step: one trial after the other, each in the core's cache.

A trial's step is C (:mod:`trainscape.compiled`): it takes the trial's next examples and makes its
gradients; the update rule, a program of its own, takes these. They run for many steps of one trial,
then for the next trial.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from trainscape.compiled.nodes import Roles, UnsupportedError
from trainscape.compiled.programs import Program, compiled, places_of, roles_of, shared
from trainscape.engine import pulse
from trainscape.engine.blame import blaming
from trainscape.engine.group import clip, norms_of
from trainscape.engine.laid import Laid, masks_of
from trainscape.engine.pack import Pack
from trainscape.engine.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainscape.compiled.programs import Addresses
    from trainscape.engine.group import Group
    from trainscape.engine.task import Task
    from trainscape.engine.trial import Trial
    from trainscape.engine.watch import Watch
    from trainscape.optimizers import Optimizer

PATIENCE = 0.25  # seconds that a call into a program is to take: between calls Python is heard
ROUND = 1.0  # seconds until all trials are to be at one step again, where they can be kept


class Lanes(Pack):
    """Trials in training, one after the other.

    Args:
        task: what they share; its data lies on the CPU.
        width: how many trials at most, T.
        like: another pack of the task, whose programs it uses, too.
    """

    stack: Laid
    template: Template

    def __init__(self, task: Task, width: int, like: Lanes | None = None) -> None:
        super().__init__(task, width, partial(Laid, like=None if like is None else like.stack))
        self.ats = torch.zeros(width, 1, dtype=torch.int64)  # each trial's step within its epoch
        self.template = Template.of(self) if like is None else like.template
        self.pace = 0.0  # seconds a step

    def prepare(self, optimizer: Optimizer) -> None:
        """Compile all that a trial with an optimizer needs.

        Raises:
            UnsupportedError: something in it has no entry in the tables of operations.
            NoCompiler: there is none.
            CompileError: the compiler failed.
        """
        rule = self._rule(optimizer)
        for size in dict.fromkeys(self._sizes()):
            self._program(size, rule)
        if not self.template.scored:
            self.stack.load([0] * self.stack.width, 1)
            for split in (self.splits.val, self.splits.test, self.splits.fit):
                if len(split.y):
                    self._score(split)
            if self.questions:
                self.questions.begin([0])
                self.questions.look(0)
                self.questions.score()
            self.template.scored = True

    def _sizes(self) -> list[int]:
        """The sizes of batches."""
        full, last = divmod(self.plan.examples, self.plan.batch_size)
        met = last and self.plan.total >= self.plan.epoch  # a short plan ends before it
        return [self.plan.batch_size] * bool(full) + [last] * bool(met)

    def _rule(self, optimizer: Optimizer) -> Rule:
        rules, template = self.template.rules, self.template
        if optimizer not in rules:
            pulse.doing(f"compiling the update rule of {optimizer}")
            try:
                rules[optimizer] = Rule(optimizer, self.stack.lane, template.grads, template.rate)
            except UnsupportedError as error:
                raise UnsupportedError(f"in its update rule, {error}") from error
        return rules[optimizer]

    def load(self, trials: Sequence[Trial]) -> None:
        super().load(trials)
        self.ats.zero_()
        self.calls: dict[int, list[Call]] = {}

    def go_to(self, step: int) -> None:
        super().go_to(step)
        self.ats.fill_(step - self.epoch.start)

    def advance(self, until: int, watch: Watch | None = None) -> None:
        while self.done < until:
            if watch:
                watch.look(self)
            epoch, i = divmod(self.done, self.plan.epoch)
            if i == 0:
                self._open(epoch)
                self.ats.zero_()
            rest = self.plan.examples - i * self.plan.batch_size
            whole = rest // self.plan.batch_size
            size = self.plan.batch_size if whole else rest
            many = int(ROUND / (self.pace * self.stack.count)) if self.pace else 1
            count = min(until - self.done, self.plan.epoch - i, whole or 1, max(many, 1))
            for call in self._calls(size):
                with blaming(self.task), self.stack.retold(self.task):
                    self._stepped(call, count)
            self.loss_count += count
            self.done += count

    def _stepped(self, call: Call, count: int) -> None:
        """Run ``count`` steps of every trial of a group, so that each call ends soon."""
        begun, trials = 0, len(call.slots)
        while begun < trials:
            steps = max(1, int(PATIENCE / self.pace)) if self.pace else 1
            many = max(1, steps // count)
            part, left = slice(begun, begun + many), count
            while left:
                now = min(left, steps)
                start = perf_counter()
                made = call.run(part, now)
                self.pace = (perf_counter() - start) / made
                pulse.stepped(made)
                left -= now
            begun += many

    def _calls(self, size: int) -> list[Call]:
        """What is to be run at a step with a batch of ``size``, group by group."""
        if size not in self.calls:
            counted = [group for group in self.groups if group.part.start < self.stack.count]
            self.calls[size] = [self._call(group, size) for group in counted]
        return self.calls[size]

    def _program(self, size: int, rule: Rule) -> Program:
        """A step of one batch size; rules with equal clipping and table width share it."""
        clipped = rule.optimizer.clip_norm
        key = size, clipped, rule.row.shape[1]
        steps = self.template.steps
        if key not in steps:
            pulse.doing(f"compiling a step of batch size {size}")
            with blaming(self.task):
                steps[key] = self._step_program(size, clipped, rule)
        return steps[key]

    def _call(self, group: Group, size: int) -> Call:
        rule = self._rule(group.optimizer)
        program = self._program(size, rule)
        template, first = self.template, group.part.start
        rows = np.arange(first, min(group.part.stop, self.stack.count))
        own = {
            **self.stack.model_roles(self.stack),
            "at": self.ats,
            "lrs": self.lrs.t(),
            "losses": self.losses_of.t(),
            "sum": self.loss_sum,
            "finite": self.finite,
        }
        by_seed = {"order": self.order, **{f"key.{name}": key for name, key in self.keys.items()}}
        like = {**self.stack.model_roles(self.stack.lane), **template.own}
        places = {name: places_of(of, rows, like[name]) for name, of in own.items()}
        seeds = self.seed_of.numpy()[rows]
        places.update((name, places_of(of, seeds, like[name])) for name, of in by_seed.items())
        common = {**template.common, "first": self.first, "table": group.table, "row": rule.row}
        places.update((name, shared(of, len(rows))) for name, of in common.items())
        slots = program.addresses(places, len(rows))
        rules = rule.addresses(self.stack.blocks, rows, group.states, rows - first)
        return Call(program, slots, rule, rules)

    def _step_program(self, size: int, clipped: float | None, rule: Rule) -> Program:
        lane, template, own = self.stack.lane, self.template, self.template.own
        table = torch.zeros(self.plan.epoch, rule.row.shape[1])
        train, columns = self.splits.train, torch.arange(size)
        common = {**template.common, "first": self.first, "row": rule.row, "table": table}
        roles = {**self.stack.model_roles(lane), **own, **common}
        own["order"].copy_(torch.arange(own["order"].shape[1]).flip(0))

        def work() -> None:
            at = own["at"][0]
            rows = own["order"][0].index_select(0, columns + at * self.plan.batch_size)
            keys = {name: own[f"key.{name}"] for name in lane.dropouts}
            masks = masks_of(lane, keys, self.first + at, size)
            x, y = train.x.index_select(0, rows), train.y.index_select(0, rows)
            loss, grads = self.stack.gradients_of(lane, self.task, x, y, masks, training=True)
            for kept, grad in zip(template.grads, grads, strict=True):
                kept[0].copy_(grad)
            if clipped is not None:
                clip(template.grads, norms_of(template.grads), clipped)
            template.rate[0].copy_(own["lrs"][0].index_select(0, at))
            rule.row.copy_(table.index_select(0, at))
            own["losses"][0].index_copy_(0, at, loss[None])
            own["sum"].add_(loss)
            own["finite"].add_(own["sum"].isfinite())
            at.add_(1)

        with torch.no_grad():
            twice = self.plan.batch_size + size <= len(train.y)
            blocks = list(roles_of(grad=template.grads))
            return compiled(work, roles, tries=2 if twice else 1, blocks=blocks)


@dataclass
class Template:
    """What packs of a task share: memory of one trial to write programs down with, and these.

    Args:
        grads: of the trial that steps, by block, (1, n).
        rate: of its step, (1, 1).
        own: the tensors (1, …) of what is a trial's own beside its model, by role.
        steps: programs of a step, by batch size, clipping, and columns of the rule's numbers.
        rules: programs of update rules.
        scored: whether all that scores trials is compiled.
    """

    grads: list[Tensor]
    rate: Tensor
    own: Roles
    steps: dict[object, Program] = field(default_factory=dict)
    rules: dict[Optimizer, Rule] = field(default_factory=dict)
    scored: bool = False

    @classmethod
    def of(cls, pack: Lanes) -> Template:
        """The template of a pack's task."""
        lane, zeros = pack.stack.lane, pack.lr.new_zeros

        def counts(*shape: int) -> Tensor:
            return torch.zeros(shape, dtype=torch.int64)

        own: Roles = {
            "order": counts(1, len(pack.splits.train.y)),
            "at": counts(1, 1),
            "lrs": zeros(1, pack.plan.epoch),
            "losses": zeros(1, len(pack.losses_of)),
            "sum": torch.zeros(1, dtype=torch.float64),
            "finite": counts(1),
            **{f"key.{name}": counts(1) for name in lane.dropouts},
        }
        return cls([torch.zeros_like(block) for block in lane.blocks], zeros(1, 1), own)

    @property
    def common(self) -> Roles:
        """What trials use in turn, by role."""
        return roles_of(grad=self.grads, rate=self.rate)


@dataclass(frozen=True)
class Call:
    """A program with the addresses of the trials of a group.

    Args:
        program: a step of one batch size.
        slots: its addresses, by trial.
        rule: the group's.
        rules: its addresses, by trial and call.
    """

    program: Program
    slots: Addresses
    rule: Rule
    rules: Addresses

    def run(self, part: slice, steps: int) -> int:
        """Take steps of some of the trials; how many steps that were in all."""
        slots, rule = self.slots[part], self.rule
        self.program.run(slots, steps, rule.program, self.rules[part], rule.sizes, rule.gradient)
        return steps * len(slots)
