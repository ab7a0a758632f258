"""The model's part of a step and of an evaluation: recorded once, replayed on other examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from trainscape.engine.blame import blaming
from trainscape.engine.tape import record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainscape.engine.pack import Pack
    from trainscape.engine.tape import Work


class Feed:
    """Batches of one size, and the model's part of a step on them.

    Args:
        pack: whose trials are fed.
        size: examples a batch, B.
    """

    def __init__(self, pack: Pack, size: int) -> None:
        self.pack, self.size = pack, size
        self.train = pack.splits.train
        width, stack = pack.stack.width, pack.stack
        self.x, self.y = (
            of.new_empty(width * size, *of.shape[1:]) for of in (self.train.x, self.train.y)
        )
        self.masks = {
            f"{name}.mask": stack.blocks[0].new_empty(width, size, *shape)
            for name, (_, shape) in stack.dropouts.items()
        }
        self.columns = torch.arange(size, device=pack.device)
        self.work: Work | None = None

    def next(self) -> Sequence[Tensor]:
        """The losses (T,) on the next batch of every trial, and the gradients of every block."""
        self._fill()
        if self.work is None:
            with blaming(self.pack.workload, self.pack.plan):
                buffers = self.pack.stack.buffers.values()
                self.work = record(self._gradients, self.pack.arena, buffers, self._other)
        return self.work()

    @torch.enable_grad()
    def _gradients(self) -> Sequence[Tensor]:
        x, y = (of.view(-1, self.size, *of.shape[1:]) for of in (self.x, self.y))
        losses = self.pack.losses(x, y, self.masks)
        return losses.detach(), *self.pack.stack.gradients(losses)

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

    def _other(self) -> None:
        """Other examples, to try a recording on."""
        self.x.copy_(self.x.flip(0))
        self.y.copy_(self.y.flip(0))


class Chunk:
    """Examples of one count that every trial is scored on.

    Args:
        pack: whose trials are scored.
        x: as many examples (N, …).
        y: their targets (N, …).
    """

    def __init__(self, pack: Pack, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x.clone(), y.clone()
        with blaming(pack.workload, pack.plan):
            self.work = record(lambda: pack.values(self.x, self.y), pack.arena, (), self._other)

    def values(self, x: Tensor, y: Tensor) -> Sequence[Tensor]:
        """The losses and metrics (T,) of these examples."""
        self.x.copy_(x)
        self.y.copy_(y)
        return self.work()

    def _other(self) -> None:
        self.x.copy_(self.x.flip(0))
        self.y.copy_(self.y.flip(0))
