"""Train a pack by a compiled step: one trial after the other, each in the core's cache.

A trial's step is C (:mod:`trainscape.compiled`): it takes the trial's next examples, and makes its
gradients and its update. The program runs for many steps of one trial, then for the next trial.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from trainscape.compiled.nodes import UnsupportedError
from trainscape.compiled.programs import SPAN, compiled, places_of, roles_of, shared
from trainscape.engine import pulse
from trainscape.engine.blame import blaming, rule_errors
from trainscape.engine.group import clip, norms_of, step
from trainscape.engine.laid import Laid, masks_of
from trainscape.engine.pack import Pack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from trainscape.compiled.programs import Addresses, Program, Roles
    from trainscape.engine.group import Group
    from trainscape.engine.task import Task
    from trainscape.engine.trial import Trial
    from trainscape.optimizers import Optimizer

PATIENCE = 0.25  # seconds that a call into a program is to take: between calls Python is heard


class Lanes(Pack):
    """Trials in training, one after the other.

    Args:
        task: what they share; its data lies on the CPU.
        width: how many trials at most, T.
        like: another pack of the task, whose programs it uses, too.
    """

    stack: Laid

    def __init__(self, task: Task, width: int, like: Lanes | None = None) -> None:
        kind = partial(Laid, like=None if like is None else like.stack)
        super().__init__(task, width, kind)
        lane, zeros = self.stack.lane, self.lr.new_zeros
        self.ats = torch.zeros(width, 1, dtype=torch.int64)  # each trial's step within its epoch
        self.grads = [torch.zeros_like(block) for block in lane.blocks]  # of the trial that steps
        self.rate = zeros(1, 1)  # of its step
        self.own: Roles = {
            "order": torch.zeros(1, len(self.splits.train.y), dtype=torch.int64),
            "at": self.ats[:1].clone(),
            "lrs": zeros(1, self.plan.epoch),
            "losses": zeros(1, len(self.losses_of)),
            "sum": torch.zeros(1, dtype=torch.float64),
            "finite": torch.zeros(1, dtype=torch.int64),
            **{f"key.{name}": torch.zeros(1, dtype=torch.int64) for name in lane.dropouts},
        }
        self.steps: dict[object, Program] = {}
        self.rules: dict[Optimizer, Rule] = {}
        self.scored: list[bool] = []  # holds something when all that scores trials is compiled
        if like is not None:
            self.scored = like.scored
            self.grads, self.rate, self.own = like.grads, like.rate, like.own
            self.steps, self.rules = like.steps, like.rules
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
        if not self.scored:
            self.stack.load([0] * self.stack.width, 1)
            for split in (self.splits.val, self.splits.test, self.splits.fit):
                if len(split.y):
                    self._score(split)
            if self.questions:
                self.questions.begin([0])
                self.questions.look(0)
                self.questions.score()
            self.scored.append(True)

    def _sizes(self) -> list[int]:
        """The sizes of batches."""
        full, last = divmod(self.plan.examples, self.plan.batch_size)
        met = last and self.plan.total >= self.plan.epoch  # a short plan ends before it
        return [self.plan.batch_size] * bool(full) + [last] * bool(met)

    def _rule(self, optimizer: Optimizer) -> Rule:
        if optimizer not in self.rules:
            pulse.doing(f"compiling the update rule of {optimizer}")
            self.rules[optimizer] = Rule(optimizer, self)
        return self.rules[optimizer]

    def load(self, trials: Sequence[Trial]) -> None:
        super().load(trials)
        self.ats.zero_()
        self.calls: dict[int, list[Call]] = {}

    def advance(self, until: int) -> None:
        while self.done < until:
            epoch, i = divmod(self.done, self.plan.epoch)
            if i == 0:
                self._open(epoch)
                self.ats.zero_()
            rest = self.plan.examples - i * self.plan.batch_size
            whole = rest // self.plan.batch_size
            size = self.plan.batch_size if whole else rest
            count = min(until - self.done, self.plan.epoch - i, whole or 1)
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
        """A step of one batch size, for all rules that need as many numbers of it."""
        clipped = rule.optimizer.clip_norm
        key = size, clipped, rule.row.shape[1]
        if key not in self.steps:
            pulse.doing(f"compiling a step of batch size {size}")
            with blaming(self.task):
                self.steps[key] = self._step_program(size, clipped, rule)
        return self.steps[key]

    def _call(self, group: Group, size: int) -> Call:
        rule = self._rule(group.optimizer)
        program = self._program(size, rule)
        rows = _counted(group, self)
        count = len(rows)
        seeds = self.seed_of.numpy()[rows]
        own = {
            **self.stack.model_roles(self.stack),
            "at": self.ats,
            "lrs": self.lrs.t(),
            "losses": self.losses_of.t(),
            "sum": self.loss_sum,
            "finite": self.finite,
        }
        like = {**self.stack.model_roles(self.stack.lane), **self.own}
        places = {name: places_of(of, rows, like[name]) for name, of in own.items()}
        by_seed = {"order": self.order, **{f"key.{name}": key for name, key in self.keys.items()}}
        places.update((name, places_of(of, seeds, like[name])) for name, of in by_seed.items())
        common = roles_of(grad=self.grads, rate=self.rate, first=self.first)
        common |= {"table": group.table, "row": rule.row}
        places.update((name, shared(of, count)) for name, of in common.items())
        slots = program.addresses(places, count)
        return Call(program, slots, rule, rule.addresses(group, self), rule.sizes)

    def _step_program(self, size: int, clipped: float | None, rule: Rule) -> Program:
        lane, own = self.stack.lane, self.own
        table = torch.zeros(self.plan.epoch, max(rule.row.shape[1], 1))
        train, columns = self.splits.train, torch.arange(size)
        common = roles_of(grad=self.grads, rate=self.rate, first=self.first)
        roles = {**self.stack.model_roles(lane), **own, **common, "row": rule.row, "table": table}
        own["order"].copy_(torch.arange(own["order"].shape[1]).flip(0))

        def work() -> None:
            at = own["at"][0]
            rows = own["order"][0].index_select(0, columns + at * self.plan.batch_size)
            keys = {name: own[f"key.{name}"] for name in lane.dropouts}
            masks = masks_of(lane, keys, self.first + at, size)
            x, y = train.x.index_select(0, rows), train.y.index_select(0, rows)
            loss, grads = self.stack.gradients_of(lane, self.task, x, y, masks, training=True)
            for kept, grad in zip(self.grads, grads, strict=True):
                kept[0].copy_(grad)
            if clipped is not None:
                clip(self.grads, norms_of(self.grads), clipped)
            self.rate[0].copy_(own["lrs"][0].index_select(0, at))
            if rule.row.shape[1]:
                rule.row.copy_(table.index_select(0, at))
            if self.task.trace:
                own["losses"][0].index_copy_(0, at, loss[None])
            own["sum"].add_(loss)
            own["finite"].add_(own["sum"].isfinite())
            at.add_(1)

        with torch.no_grad():
            twice = self.plan.batch_size + size <= len(train.y)
            return compiled(work, roles, tries=2 if twice else 1)


@dataclass(frozen=True)
class Call:
    """A program with the addresses of the trials of a group.

    Args:
        program: a step of one batch size.
        slots: its addresses, by trial.
        rule: the group's.
        rules: its addresses, by trial and block.
        sizes: of the blocks.
    """

    program: Program
    slots: Addresses
    rule: Rule
    rules: Addresses
    sizes: NDArray[np.int64]

    def run(self, part: slice, steps: int) -> int:
        """Take steps of some of the trials; how many steps that were in all."""
        slots = self.slots[part]
        self.program.run(slots, steps, self.rule.program, self.rules[part], self.sizes)
        return steps * len(slots)


class Rule:
    """An update rule, compiled: for any number of elements, or for a model's parameters one by one.

    Args:
        optimizer: whose rule.
        pack: whose models it updates.
    """

    def __init__(self, optimizer: Optimizer, pack: Lanes) -> None:
        self.optimizer = optimizer
        with rule_errors(optimizer):
            self.first = optimizer.scalars(1)
        self.row = pack.lr.new_zeros(1, len(self.first))
        self.lane = pack.stack.lane
        self.any_size = optimizer.elementwise
        try:
            self.program, self.roles = self._made(pack)
        except UnsupportedError:
            if not self.any_size:
                raise
            self.any_size = False  # a rule that comes to several loops needs to know how many
            self.program, self.roles = self._made(pack)
        sizes = [block.shape[1] for block in self.lane.blocks] if self.any_size else [0]
        self.sizes = np.array(sizes, np.int64)

    def _made(self, pack: Lanes) -> tuple[Program, Roles]:
        """The program, and the tensors that it was written down with."""
        now = {name: self.row[0, i] for i, name in enumerate(self.first)}
        if self.first:
            self.row.copy_(torch.tensor([list(self.first.values())]))
        if self.any_size:
            kinds = {block.dtype for block in self.lane.blocks}
            if len(kinds) > 1:
                raise UnsupportedError("parameters of several types")
            block = torch.linspace(-1, 1, SPAN, dtype=kinds.pop())[None]
            blocks, grads = [block], [block.flip(1) * 0.1]
            params, slopes = blocks, grads
        else:
            blocks, grads = self.lane.blocks, pack.grads
            params, slopes = blocks, grads
            if not self.optimizer.elementwise:
                params, slopes = self.lane.pieces(blocks), self.lane.pieces(grads)
            for grad in grads:
                grad.copy_(torch.linspace(-0.1, 0.1, grad.shape[1])[None])
        with rule_errors(self.optimizer):
            states = [self.optimizer.init(param) for param in params]
        roles = roles_of(block=blocks, grad=grads, rate=pack.rate, row=self.row)
        own: Roles = {}
        for j, (param, state) in enumerate(zip(params, states, strict=True)):
            own.update(roles_of(**{f"state.{j}": state}))
            if any(of.dim() != param.dim() or len(of) != 1 for of in state.values()):
                raise UnsupportedError("a state without an axis of trials")
        roles.update(own)
        pack.rate.fill_(0.01)

        def work() -> None:
            step(self.optimizer, zip(params, slopes, states, strict=True), pack.rate, now)
            held = [of for state in states for of in state.values()]
            if any(of is not kept for of, kept in zip(held, own.values(), strict=True)):
                raise UnsupportedError("a rule that puts another tensor in the place of a state")

        with torch.no_grad():
            return compiled(work, roles, self.any_size, exact=True), roles

    def addresses(self, group: Group, pack: Lanes) -> Addresses:
        """What to give the program for a group's trials: by trial and block."""
        rows = _counted(group, pack)
        count, own = len(rows), range(len(rows))
        common = {"rate": shared(pack.rate, count), "row": shared(self.row, count)}
        blocks = [
            (pack.stack.blocks[j], pack.grads[j], group.states[j] if self.any_size else {})
            for j in range(len(pack.stack.blocks))
        ]
        if self.any_size:
            found = [
                self.program.addresses(
                    {
                        "block.0": _rows_of(block, rows),
                        "grad.0": shared(grad, count),
                        **{f"state.0.{name}": _rows_of(of, own) for name, of in state.items()},
                        **common,
                    },
                    count,
                )
                for block, grad, state in blocks
            ]
            return np.stack(found, 1)
        places = {**common}
        for j, (block, grad, _) in enumerate(blocks):
            places[f"block.{j}"] = _rows_of(block, rows)
            places[f"grad.{j}"] = shared(grad, count)
        for j, state in enumerate(group.states):
            for name, of in state.items():
                role = f"state.{j}.{name}"
                places[role] = places_of(of, own, self.roles[role])
        return self.program.addresses(places, count)[:, None]


def _counted(group: Group, pack: Lanes) -> Any:
    """The places of a group's trials, but for those that only fill the pack up."""
    return np.arange(group.part.start, min(group.part.stop, pack.stack.count))


def _rows_of(tensor: Tensor, rows: Any) -> Addresses:
    """Where rows (n,) of a tensor begin; whatever their length."""
    step = tensor.stride(0) * tensor.element_size()
    return (tensor.data_ptr() + np.asarray(rows, np.int64) * step).astype(np.uint64)
