"""Fused training of any number of trials: pack by pack, as many together as suits the machine."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from trainscape import optimizers
from trainscape.cells.cell import TrialRecord
from trainscape.engine import backend
from trainscape.engine.blame import blaming
from trainscape.engine.pack import Pack
from trainscape.engine.spares import spares
from trainscape.engine.task import trials
from trainscape.engine.width import FILLED, suitable, varies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from trainscape.engine.task import Task
    from trainscape.engine.trial import Trial


class Fused:
    """Trains any number of trials of one task.

    Args:
        task: what they share.
        width: trials a pack holds at most; by default what suits the machine.
    """

    def __init__(self, task: Task, width: int | None) -> None:
        self.workload, self.splits, self.plan = task.workload, task.splits, task.plan
        self.precision, self.trace = task.precision, task.trace
        with blaming(task.workload, task.plan):
            self.limit = width or suitable(task.workload, task.splits, task.plan)
        self.device = task.splits.train.x.device
        self.filled = self.device.type == "cuda"  # up to the limit, whatever the count
        self.probed = self.filled
        self.pack: Pack | None = None

    @property
    def backend(self) -> str:
        """The arithmetic that decides last bits; where the width does, the width, too."""
        return backend.name(self.device, self.limit if self.filled else None)

    def trials(self, spec: Mapping[str, Any]) -> list[Trial]:
        """A cell's trials, one per seed, by the update rule that its optimizer names."""
        return trials(spec, optimizers.registry.make(spec["optimizer"]))

    def train(
        self, trials: Sequence[Trial], progress: Callable[[int, int], None]
    ) -> Iterator[list[TrialRecord]]:
        """Train the trials in their order; the records of one pack after the other.

        Args:
            trials: neighbours with equal optimizers are updated together.
            progress: called after every evaluation with the steps done and in all.
        """
        todo = list(trials)
        total = len(todo) * self.plan.total
        while todo:
            packs = -(-len(todo) // self.limit)
            count = self.limit if self.filled else -(-len(todo) // packs)
            part = todo[:count]  # of equal size: they can use the same memory
            tell = partial(_report, progress, total - len(todo) * self.plan.total, len(part), total)
            made = self._trained(part, tell)
            width = self.limit if self.filled else len(part)
            if made is None and width > 1:
                self.limit = width // 2
                continue
            made = made or [TrialRecord.untrained(trial.seed, "oom") for trial in part]
            yield made
            del todo[: len(made)]

    def _trained(
        self, part: list[Trial], progress: Callable[[int, int], None]
    ) -> list[TrialRecord] | None:
        """The records of a pack, or None if it does not fit into memory."""
        with blaming(self.workload, self.plan):
            extra = self.limit - len(part) if self.filled else spares(len(part), self.workload)
        width = len(part) + extra
        try:
            if self.pack is None or self.pack.stack.width < width:
                self.pack = None  # gives its memory back first
                self.pack = Pack(
                    self.workload, self.splits, self.plan, width, self.precision, self.trace
                )
            whole = part + part[-1:] * (self.pack.stack.width - len(part))
            if not self.probed and len(whole) > 2:
                self.probed = True
                self.filled = varies(self.pack, whole)
                if self.filled:
                    self.limit = FILLED
                    print(f"this machine rounds by a pack's width: all hold {FILLED} trials")
                    return self._trained(part[:FILLED], progress)
            self.pack.load(whole)
            return self.pack.train(progress)[: len(part)]
        except torch.OutOfMemoryError:
            self.pack = None
        return None


def _report(
    progress: Callable[[int, int], None], before: int, width: int, total: int, steps: int, _: int
) -> None:
    progress(before + steps * width, total)
