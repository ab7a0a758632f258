"""Trials of a pack that share an optimizer: their states, and a step of their update rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from trainscape.engine.blame import idle_rule_error, rule_error
from trainscape.user_lines import telling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainscape.engine.model import Stack
    from trainscape.optimizers import Optimizer


class Group:
    """Neighbours in a pack that share an optimizer, updated together.

    An element-wise rule takes whole blocks, whatever lies in them; any other takes the parameters
    one by one, in their shapes.

    Args:
        optimizer: their rule.
        part: their places.
        stack: the models of the whole pack.
    """

    def __init__(self, optimizer: Optimizer, part: slice, stack: Stack) -> None:
        self.optimizer, self.part, self.stack = optimizer, part, stack
        self.params = self._rows(stack.blocks)
        self.states = [optimizer.init(param) for param in self.params]
        self.names = list(optimizer.scalars(1))
        self.row = stack.blocks[0].new_zeros(1, len(self.names))
        self.now = {name: self.row[0, i] for i, name in enumerate(self.names)}
        self.table = self.row

    def _rows(self, blocks: Sequence[Tensor]) -> list[Tensor]:
        """The group's rows of tensors laid out like the blocks, as the rule takes them."""
        rows = [block.reshape(self.stack.width, -1)[self.part] for block in blocks]
        return rows if self.optimizer.elementwise else self.stack.pieces(rows)

    def open(self, steps: range) -> None:
        """Lay out the rule's numbers that the step alone decides, for all of these steps."""
        with telling(f"optimizer {str(self.optimizer)!r}"):
            rows = [list(self.optimizer.scalars(k + 1).values()) for k in steps]
        self.table = torch.tensor(rows, dtype=self.row.dtype, device=self.row.device)

    def update(self, grads: Sequence[Tensor], lr: Tensor, at: Tensor) -> None:
        """One step, the ``at``-th (int64 (1,)) of the table; ``lr`` (T, 1), ``grads`` (T, …)."""
        if self.names:
            torch.index_select(self.table, 0, at, out=self.row)
        rates = lr[self.part]
        changed = False
        try:
            for param, grad, state in zip(self.params, self._rows(grads), self.states, strict=True):
                before = param._version  # counts changes in place
                rate = rates.view(-1, *[1] * (param.dim() - 1))
                self.optimizer.update(param, grad, state, rate, self.now)
                changed |= param._version != before
        except Exception as error:
            raise rule_error(self.optimizer, error) from error
        if not changed:
            raise idle_rule_error(self.optimizer)

    def swap(self) -> list[tuple[Tensor, Tensor]]:
        """Put in place the weights to evaluate at.

        Returns:
            The parameters that were changed, each with the weights that it had.
        """
        replaced = []
        try:
            for param, state in zip(self.params, self.states, strict=True):
                weights = self.optimizer.evaluated(param, state)
                if weights is not None:
                    replaced.append((param, param.clone()))
                    param.copy_(weights)
        except Exception as error:
            raise rule_error(self.optimizer, error) from error
        return replaced
