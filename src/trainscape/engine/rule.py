"""An update rule as a compiled program, for any trial of any pack of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from trainscape.compiled.nodes import UnsupportedError
from trainscape.compiled.programs import SPAN, compiled, layout, places_of, roles_of, shared
from trainscape.engine.blame import rule_errors
from trainscape.engine.group import columns, step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from trainscape.compiled.nodes import Roles
    from trainscape.compiled.programs import Addresses, Program
    from trainscape.engine.model import Stack
    from trainscape.optimizers import Optimizer

    States = Sequence[Mapping[str, Tensor]]


STATE = "state."  # begins the roles of what a rule keeps


class Rule:
    """An update rule, compiled.

    An element-wise one is a program for any number of elements, which is called for each block of a
    trial. Any other, and one that comes to several loops, is a program for the whole model.

    Args:
        optimizer: whose rule.
        lane: a model that it is written down with.
        grads: the gradients of the trial that steps, by block, (1, n).
        rate: of its step, (1, 1).

    Attributes:
        row: the numbers of a step that the rule takes, and zeros, (1, columns).
        sizes: for each call of a step, how many elements it is for; 0 for the whole model.
        gradient: which slot of the program is a block's gradient, if it may come in parts: it may
            where all that the rule keeps is a number for each element. Else -1.

    Raises:
        UnsupportedError: the rule has something that cannot be compiled.
        NoCompiler: there is none.
        CompileError: the compiler failed.
    """

    def __init__(
        self, optimizer: Optimizer, lane: Stack, grads: Sequence[Tensor], rate: Tensor
    ) -> None:
        self.optimizer, self.lane, self.grads, self.rate = optimizer, lane, grads, rate
        with rule_errors(optimizer):
            self.first = optimizer.scalars(1)
        self.row = rate.new_zeros(1, columns(len(self.first)))
        self.any_size = optimizer.elementwise
        try:
            self.program, self.roles = self._made()
        except UnsupportedError:
            if not self.any_size:
                raise
            self.any_size = False
            self.program, self.roles = self._made()
        sizes = [block.shape[1] for block in lane.blocks] if self.any_size else [0]
        self.sizes: NDArray[np.int64] = np.array(sizes, np.int64)
        slots, kept = self.program.slots, [self.roles[n] for n in self.roles if n.startswith(STATE)]
        in_parts = self.any_size and all(of.numel() == SPAN for of in kept) and "grad.0" in slots
        self.gradient = slots.index("grad.0") if in_parts else -1

    def _made(self) -> tuple[Program, Roles]:
        """The program, and the tensors that it was written down with."""
        now = {name: self.row[0, i] for i, name in enumerate(self.first)}
        self.row[0, : len(self.first)] = torch.tensor(list(self.first.values()))
        self.rate.fill_(0.01)
        blocks, grads = self._example()
        params, slopes = blocks, grads
        if not self.optimizer.elementwise:
            params, slopes = self.lane.pieces(blocks), self.lane.pieces(grads)
        with rule_errors(self.optimizer):
            states = [self.optimizer.init(param) for param in params]
        self._check_states(params, states, blocks)
        held = _by_role(states)
        roles = {**roles_of(block=blocks, grad=grads, rate=self.rate, row=self.row), **held}

        def work() -> None:
            step(self.optimizer, zip(params, slopes, states, strict=True), self.rate, now)
            after = _by_role(states)
            if any(after.get(name) is not of for name, of in held.items()):
                raise UnsupportedError("a rule that puts another tensor in the place of a state")

        with torch.no_grad():
            return compiled(work, roles, self.any_size, exact=True), roles

    def _check_states(
        self, params: Sequence[Tensor], states: States, blocks: Sequence[Tensor]
    ) -> None:
        """See that a state lies in memory as the program takes it to, for any trial and element.

        Raises:
            UnsupportedError: it does not.
        """
        both = [torch.cat([block, block]) for block in blocks]
        two = both if self.optimizer.elementwise else self.lane.pieces(both)
        for param, state, beside in zip(params, states, two, strict=True):
            with rule_errors(self.optimizer):
                other = self.optimizer.init(beside)
            for name, of in state.items():
                if of.dim() != param.dim() or len(of) != 1 or len(other[name]) != 2:
                    raise UnsupportedError("a state without an axis of trials")
                if layout(of) != layout(other[name]):
                    raise UnsupportedError(
                        "a state that lies otherwise in memory for several trials"
                    )
                if self.any_size and of.shape not in ((1, SPAN), (1, 1)):
                    raise UnsupportedError("a state of neither one number nor one for each element")

    def _example(self) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
        """Parameters and gradients (1, n), by block, to write the rule down with."""
        if self.any_size:
            kinds = {block.dtype for block in self.lane.blocks}
            if len(kinds) > 1:
                raise UnsupportedError("parameters of several types")
            block = torch.linspace(-1, 1, SPAN, dtype=kinds.pop())[None]
            return [block], [block.flip(1) * 0.1]
        for grad in self.grads:
            grad.copy_(torch.linspace(-0.1, 0.1, grad.shape[1])[None])
        return self.lane.blocks, self.grads

    def addresses(
        self,
        blocks: Sequence[Tensor],
        rows: NDArray[np.int64],
        states: States,
        own: NDArray[np.int64],
    ) -> Addresses:
        """What to give the program, (trials, calls, slots).

        Args:
            blocks: of a pack, (T, n) each.
            rows: the places of trials in it.
            states: what the optimizer keeps for them, by block or by parameter.
            own: their places in these.
        """
        count = len(rows)

        def call(blocks: Sequence[Tensor], grads: Sequence[Tensor], states: States) -> Addresses:
            like = {} if self.any_size else self.roles  # else as long as the block
            parts = {
                **{name: (of, rows) for name, of in roles_of(block=blocks).items()},
                **{name: (of, own) for name, of in _by_role(states).items()},
            }
            places = {
                name: places_of(of, where, like.get(name)) for name, (of, where) in parts.items()
            }
            common = roles_of(grad=grads, rate=self.rate, row=self.row)
            places.update((name, shared(of, count)) for name, of in common.items())
            return self.program.addresses(places, count)

        if not self.any_size:
            return call(blocks, self.grads, states)[:, None]
        each = zip(blocks, self.grads, states, strict=True)
        return np.stack([call([block], [grad], [state]) for block, grad, state in each], 1)


def _by_role(states: States) -> Roles:
    """States as roles, such as ``state.0.mean``."""
    return {
        name: of
        for j, state in enumerate(states)
        for name, of in roles_of(**{f"{STATE}{j}": state}).items()
    }
