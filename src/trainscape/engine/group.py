"""Trials of a pack that share an optimizer: their states, and a step of their update rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from trainscape.engine.blame import idle_rule_error, rule_errors
from trainscape.user_lines import telling

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from trainscape.engine.model import Stack
    from trainscape.optimizers import Optimizer


# A table of rules' numbers has a multiple of so many columns: rules of all kinds share a program.
COLUMNS = 8


def columns(count: int) -> int:
    """How many columns a table of so many numbers has."""
    return max(1, -(-count // COLUMNS)) * COLUMNS


class Group:
    """Neighbours in a pack that share an optimizer, updated together.

    An element-wise rule takes whole blocks, whatever lies in them; any other takes the parameters
    one by one, in their shapes.

    Args:
        optimizer: their rule.
        part: their places.
        stack: the models of the whole pack.
        steps: the most that :meth:`open` is given.
    """

    def __init__(self, optimizer: Optimizer, part: slice, stack: Stack, steps: int) -> None:
        self.optimizer, self.part, self.stack = optimizer, part, stack
        self.params = self._rows(stack.blocks)
        self.states = [optimizer.init(param) for param in self.params]
        self.names = list(optimizer.scalars(1))
        self.row = stack.blocks[0].new_zeros(1, columns(len(self.names)))
        self.now = {name: self.row[0, i] for i, name in enumerate(self.names)}
        # a captured step reads it again and again: it stays where it is
        self.table = self.row.new_zeros(steps, self.row.shape[1])

    def _rows(self, blocks: Sequence[Tensor]) -> list[Tensor]:
        """The group's rows of tensors laid out like the blocks, as the rule takes them."""
        rows = [block.reshape(self.stack.width, -1)[self.part] for block in blocks]
        return rows if self.optimizer.elementwise else self.stack.pieces(rows)

    def open(self, steps: range) -> None:
        """Lay out the rule's numbers that the step alone decides, for all of these steps."""
        with telling(f"optimizer {str(self.optimizer)!r}"):
            rows = [list(self.optimizer.scalars(k + 1).values()) for k in steps]
        self.table[: len(rows), : len(self.names)].copy_(torch.tensor(rows, dtype=self.row.dtype))

    def update(
        self, grads: Sequence[Tensor], lr: Tensor, at: Tensor, norms: Tensor | None = None
    ) -> None:
        """One step.

        Args:
            grads: of the whole pack's blocks, (T, …); they may be overwritten.
            lr: (T, 1).
            at: which step of the table it is, int64 (1,).
            norms: of each trial's whole gradient, (T, 1), where the rule has it clipped.
        """
        if self.names:
            torch.index_select(self.table, 0, at, out=self.row)
        rates = lr[self.part]
        rows = self._rows(grads)
        if norms is not None and self.optimizer.clip_norm is not None:
            clip(rows, norms[self.part], self.optimizer.clip_norm)
        step(self.optimizer, zip(self.params, rows, self.states, strict=True), rates, self.now)

    def swap(self) -> list[tuple[Tensor, Tensor]]:
        """Put in place the weights to evaluate at.

        Returns:
            The parameters that were changed, each with the weights that it had.
        """
        replaced = []
        with rule_errors(self.optimizer):
            for param, state in zip(self.params, self.states, strict=True):
                weights = self.optimizer.evaluated(param, state)
                if weights is not None:
                    replaced.append((param, param.clone()))
                    param.copy_(weights)
        return replaced


def step(
    optimizer: Optimizer,
    parts: Iterable[tuple[Tensor, Tensor, dict[str, Tensor]]],
    rates: Tensor,
    now: Mapping[str, Tensor],
) -> None:
    """One step of an update rule.

    Args:
        optimizer: whose rule.
        parts: parameters (T, …), their gradients and their states.
        rates: (T, 1).
        now: the rule's numbers of this step.

    Raises:
        UserError: the rule raised, or changed no parameter in place.
    """
    changed = False
    with rule_errors(optimizer):
        for param, grad, state in parts:
            before = param._version  # counts changes in place
            optimizer.update(param, grad, state, rates.view(-1, *[1] * (param.dim() - 1)), now)
            changed |= param._version != before
    if not changed:
        raise idle_rule_error(optimizer)


def norms_of(grads: Sequence[Tensor]) -> Tensor:
    """The norm of each trial's whole gradient, (T, 1).

    Each trial is a row of its own, reduced along the row: its norm has the same bits at any width
    (measured for rows of 1 to 50,890 numbers and 1 to 40 trials).

    Args:
        grads: by block, (T, …).
    """
    rows = [grad.reshape(len(grad), -1).contiguous() for grad in grads]
    parts = [torch.linalg.vector_norm(row, dim=1).to(rows[0].dtype) for row in rows]
    whole = torch.stack(parts, 1)
    found: Tensor = torch.linalg.vector_norm(whole, dim=1, keepdim=True)
    return found


def clip(grads: Sequence[Tensor], norms: Tensor, longest: float) -> None:
    """Scale the gradients of trials in place, as ``torch.nn.utils.clip_grad_norm_`` does of one.

    Args:
        grads: (T, …), any number.
        norms: of each trial's whole gradient, (T, 1).
        longest: the norm that longer ones are scaled to.
    """
    scale = (longest / (norms + 1e-6)).clamp_(max=1.0)
    for grad in grads:
        grad.mul_(scale.view(-1, *[1] * (grad.dim() - 1)))
