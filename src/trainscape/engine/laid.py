"""The models of a pack that train and are scored by compiled programs, one after the other.

What is compiled is what torch does for one trial. A trial's numbers depend on nothing but its own:
the program runs for it alone.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.func import functional_call

from trainscape.compiled.programs import compiled, places_of, roles_of, shared
from trainscape.engine.model import Stack, dropout_masks
from trainscape.engine.trial import CHUNK, judges, outputs, single

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import nn

    from trainscape.compiled.nodes import Roles
    from trainscape.compiled.programs import Program
    from trainscape.engine.model import Tensors
    from trainscape.engine.task import Task


class Laid(Stack):
    """A stack whose weights lie in memory as compiled programs take them.

    Args:
        builder: makes a model.
        width: how many models, T.
        example: an input (B, …).
        like: another such stack, whose programs it uses, too.

    Attributes:
        lane: one more model beside them, on which the work is written down.
    """

    def __init__(
        self,
        builder: Callable[[], nn.Module],
        width: int,
        example: Tensor,
        like: Laid | None = None,
    ) -> None:
        super().__init__(builder, width, example, laid=True)
        self.results: dict[object, Roles] = {}
        if like is None:
            self.lane = Stack(builder, 1, example, laid=True)
            self.lane.load([0])
            self.programs: dict[object, tuple[Program, Roles]] = {}
        else:
            self.lane, self.programs = like.lane, like.programs

    def values(self, task: Task, x: Tensor, y: Tensor) -> list[Tensor]:
        if not task.workload.in_parts:
            return [self.outputs(task, x)]

        def work(lane: Stack, x: Tensor, y: Tensor) -> list[Tensor]:
            output = self._output(lane, task, x)
            return [single(name, of, of(output, y)) for name, of in judges(task.workload).items()]

        return self._each(task, ("values", len(y)), work, {}, x=x, y=y)

    def outputs(self, task: Task, x: Tensor) -> Tensor:
        def work(lane: Stack, x: Tensor) -> list[Tensor]:
            return [self._output(lane, task, x)]

        return self._each(task, ("outputs", len(x)), work, {}, x=x)[0]

    def judged(self, task: Task, output: Tensor, y: Tensor) -> list[Tensor]:
        def work(_: Stack, y: Tensor, output: Tensor) -> list[Tensor]:
            own = output[0]
            return [single(name, of, of(own, y)) for name, of in judges(task.workload).items()]

        made = self._each(task, ("judged", tuple(output.shape[1:])), work, {"output": output}, y=y)
        return [values.clone() for values in made]  # another split may have as many examples

    def noise(self, task: Task, x: Sequence[Tensor], y: Sequence[Tensor]) -> list[list[float]]:
        """The noise of each trial's gradients, m and M, on its own examples.

        Args:
            task: what the trials share.
            x: each trial's examples (n, …).
            y: their targets (n, …).
        """
        count, sizes = len(y[0]), [block.shape[1] for block in self.blocks]
        kept = self._kept("noise", lambda rows: {
            "at": torch.zeros(rows, 1, dtype=torch.int64),
            "squares": torch.zeros(rows, dtype=torch.float64),
            "mean": torch.zeros(rows, dtype=torch.float64),
            **{f"sum.{j}": torch.zeros(rows, n, dtype=torch.float64) for j, n in enumerate(sizes)},
        })  # fmt: skip
        for tensor in kept.values():
            tensor.zero_()
        own = {**kept, "x": torch.stack(list(x)), "y": torch.stack(list(y))}

        def add(lane: Stack, roles: Roles) -> None:
            x, y = (roles[name][0].index_select(0, roles["at"][0]) for name in "xy")
            _, slopes = self.gradients_of(lane, task, x, y, {}, training=False)
            for j, slope in enumerate(slopes):
                roles["squares"].add_((slope.double() * slope.double()).sum())
                roles[f"sum.{j}"].add_(slope.double())
            roles["at"].add_(1)

        def close(_: Stack, roles: Roles) -> None:
            roles["squares"].div_(count)
            for j in range(len(sizes)):
                mean = roles[f"sum.{j}"] / count
                roles["mean"].add_((mean * mean).sum())

        self._run(task, "noise", add, own, steps=count)
        self._run(task, "noise's end", close, own)
        pairs = torch.stack([kept["squares"], kept["mean"]], 1)
        found: list[list[float]] = pairs[: len(x)].tolist()
        return found

    def gradients_of(
        self, lane: Stack, task: Task, x: Tensor, y: Tensor, masks: Tensors, training: bool
    ) -> tuple[Tensor, list[Tensor]]:
        """The loss of a batch (B, …), and its gradient by block, (n,) each, for one model."""
        params = {name: p.detach()[0].requires_grad_() for name, p in lane.params.items()}
        with torch.enable_grad():
            output = self._output(lane, task, x, params, masks, training)
            of = task.workload.loss
            loss = single("loss", of, of(output, y))
            made = torch.autograd.grad(loss, list(params.values()), materialize_grads=True)
        return loss.detach(), lane.flattened(dict(zip(params, made, strict=True)))

    def _output(
        self, lane: Stack, task: Task, x: Tensor, params: Tensors | None = None,
        masks: Tensors | None = None, training: bool = False,
    ) -> Tensor:  # fmt: skip
        """What one model makes of examples (B, …)."""
        own = params or {name: p.detach()[0] for name, p in lane.params.items()}
        buffers = {name: buffer[0] for name, buffer in lane.buffers.items()}
        lane.template.train(training)
        state = {**own, **buffers, **(masks or {})}
        call = partial(functional_call, lane.template, state, (x,))
        return outputs(call, task.precision, self.device)

    def _each(
        self,
        task: Task,
        key: object,
        work: Callable[..., list[Tensor]],
        own: Roles,
        **common: Tensor,
    ) -> list[Tensor]:
        """What work makes for every trial, T in front, in memory that its next call overwrites.

        Args:
            task: what the trials share.
            key: names the work.
            work: takes the lane, and tensors by the names of ``common`` and ``own``.
            own: tensors (T, …) that it takes beside the models.
            common: tensors that are the same for all trials.
        """
        if key not in self.results:
            with torch.no_grad():
                part = {name: tensor[:1] for name, tensor in own.items()}
                made = work(self.lane, **common, **part)
            self.results[key] = {
                f"result.{i}": of.new_zeros(self.width, *of.shape) for i, of in enumerate(made)
            }
        results = self.results[key]

        def write(lane: Stack, roles: Roles) -> None:
            given = {name: roles[name] for name in (*common, *own)}
            for i, value in enumerate(work(lane, **given)):
                roles[f"result.{i}"][0].copy_(value)

        self._run(task, key, write, {**own, **results}, common)
        return list(results.values())

    def _kept(self, key: object, make: Callable[[int], Roles]) -> Roles:
        """Tensors (T, …) that stay where they are from call to call."""
        if key not in self.results:
            self.results[key] = make(self.width)
        return self.results[key]

    def _run(
        self, task: Task, key: object, work: Callable[[Stack, Roles], None], own: Roles,
        common: Roles | None = None, steps: int = 1,
    ) -> None:  # fmt: skip
        """Run work for every trial that counts.

        Args:
            task: what the trials share.
            key: names it.
            work: takes the lane, and tensors by role.
            own: tensors (T, …) by role, a row for each trial.
            common: tensors by role that all trials share.
            steps: how often.
        """
        common = common or {}
        if key not in self.programs:
            rows = {name: tensor[:1].clone() for name, tensor in own.items()}
            # of memory of their own, as a part of a larger tensor does not begin where that does
            alike = {name: of.clone() for name, of in common.items()}
            roles = {**self.model_roles(self.lane), **rows, **alike}
            with torch.no_grad():
                program = compiled(lambda: work(self.lane, roles), roles)
            self.programs[key] = program, roles
        program, like = self.programs[key]
        tensors = {**self.model_roles(self), **own}
        places = {
            name: places_of(of, range(self.count), like[name]) for name, of in tensors.items()
        }
        places.update((name, shared(of, self.count)) for name, of in common.items())
        with self.retold(task):
            program.run(program.addresses(places, self.count), steps)

    @contextmanager
    def retold(self, task: Task) -> Iterator[None]:
        """Where data names a row that is not there, raise what torch says, with a user's line."""
        try:
            yield
        except IndexError:
            splits = task.splits
            for split in (splits.train, splits.val, splits.test):
                if not len(split.y):
                    continue
                for x, y in zip(
                    torch.split(split.x, CHUNK), torch.split(split.y, CHUNK), strict=True
                ):
                    output = self._output(self.lane, task, x)
                    for of in judges(task.workload).values():
                        of(output, y)
            raise

    @staticmethod
    def model_roles(stack: Stack) -> Roles:
        """The tensors (T, …) of a stack's models, by role."""
        return roles_of(block=stack.blocks, buffer=stack.buffers)


def masks_of(lane: Stack, keys: Roles, step: Tensor, batch: int) -> Tensors:
    """One model's dropout masks (B, …) at a step, by the names of its buffers."""
    dtype = lane.blocks[0].dtype
    made = dropout_masks(lane.dropouts, keys, step, batch, dtype)
    return {f"{name}.mask": mask[0] for name, mask in made.items()}
