"""Train any number of trials together: pack by pack, as many in each as suits the machine.

The counterpart is :mod:`trainscape.engine.unfused`.
"""

from __future__ import annotations

import gc
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import torch

from trainscape import optimizers
from trainscape.cells.cell import TrialRecord
from trainscape.compiled.compiler import CompileError, NoCompiler
from trainscape.compiled.nodes import UnsupportedError
from trainscape.engine import backend, pulse
from trainscape.engine.apart import Apart, obstacle
from trainscape.engine.blame import apart_because, blaming
from trainscape.engine.lanes import Lanes
from trainscape.engine.model import Stack
from trainscape.engine.pack import Pack
from trainscape.engine.spares import spares
from trainscape.engine.task import trials
from trainscape.engine.trial import progress_of_part
from trainscape.engine.width import suitable
from trainscape.memory import out_of_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from torch import Tensor

    from trainscape.engine.task import Task
    from trainscape.engine.trial import Trial
    from trainscape.optimizers import Optimizer


class Fused:
    """Trains any number of trials of one task.

    Args:
        task: what they share.
        width: trials a pack holds at most; by default what suits the machine.
        say: is told in a line how packs train, where it is not as usual.
    """

    def __init__(self, task: Task, width: int | None, say: Callable[[str], None] = print) -> None:
        self.task, self.say = task, say
        self.device = task.splits.train.x.device
        with blaming(task):
            self.limit = width or suitable(task)
        # up to the limit, whatever the count
        self.filled = backend.known_to_round_by_width(self.device)
        self.probed = self.filled
        self.tried = False
        self.kind: type[Stack] = Stack
        self.pack: Pack | None = None
        self.lanes: Lanes | None = None
        self.compiles: dict[Optimizer, bool] = {}  # whether its trials train by a compiled step
        self.names = ""

    @property
    def backend(self) -> str:
        """The arithmetic that decided the last bits of what was trained last."""
        return self.names

    def trials(self, spec: Mapping[str, Any]) -> list[Trial]:
        """A cell's trials, one per seed, by the update rule that its optimizer names."""
        return trials(spec, optimizers.registry.make(spec["optimizer"]))

    def train(
        self, trials: Sequence[Trial], progress: Callable[[int], None]
    ) -> Iterator[list[TrialRecord]]:
        """Train the trials in their order; the records of one pack after the other.

        Args:
            trials: neighbours with equal optimizers are updated together.
            progress: called after every evaluation with the steps done, of all trials.
        """
        todo = list(trials)
        while todo:
            compiled = self._compiled(todo[0].optimizer)
            alike = list(takewhile(lambda t: self._compiled(t.optimizer) == compiled, todo))
            packs = -(-len(alike) // self.limit)
            filled = self.filled and not compiled
            count = self.limit if filled else -(-len(alike) // packs)
            part = alike[:count]  # of equal size: they can use the same memory
            before = (len(trials) - len(todo)) * self.task.plan.total
            made = self._trained(part, progress_of_part(progress, before, len(part)))
            if made is None and self._halved(len(part)):
                continue
            made = made or [TrialRecord.untrained(trial.seed, "oom") for trial in part]
            yield made
            del todo[: len(made)]

    def _trained(
        self, part: list[Trial], progress: Callable[[int], None]
    ) -> list[TrialRecord] | None:
        """The records of a pack, or None if it does not fit into memory."""
        try:
            with out_of_memory():
                if self._compiled(part[0].optimizer):
                    return self._compiled_in_memory(part, progress)
                return self._in_memory(part, progress)
        except torch.OutOfMemoryError:
            self.pack = self.lanes = None
        gc.collect()  # an error's frames hold what they held, and each other
        return None

    def _compiled(self, optimizer: Optimizer) -> bool:
        """Whether trials of an optimizer train by a compiled step; the first call tries."""
        if self.device.type != "cpu":
            return False
        with blaming(self.task):
            self._choose_kind()
        if not self.kind.together or self.task.precision != "fp32":
            return False
        if optimizer not in self.compiles:
            self.compiles[optimizer] = self._try_to_compile(optimizer)
        return self.compiles[optimizer]

    def _try_to_compile(self, optimizer: Optimizer) -> bool:
        """Compile all that a trial of an optimizer needs; False, and a line, where that fails."""
        try:
            with blaming(self.task):
                lanes = self._lanes(1)
            lanes.prepare(optimizer)
        except (UnsupportedError, NoCompiler, CompileError) as error:
            name = self.task.workload.name
            self.say(f"{name} with {optimizer} trains by torch's kernels, more slowly: {error}")
            return False
        return True

    def _compiled_in_memory(
        self, part: list[Trial], progress: Callable[[int], None]
    ) -> list[TrialRecord]:
        """The records of a pack whose trials train one after the other, by a compiled step."""
        self.names = backend.COMPILED
        lanes = self._lanes(len(part))
        lanes.load(part + part[-1:] * (lanes.stack.width - len(part)))
        return lanes.train(progress)[: len(part)]

    def _lanes(self, width: int) -> Lanes:
        """Memory for so many trials at least."""
        if self.lanes is None or self.lanes.stack.width < width:
            self.lanes = Lanes(self.task, width, self.lanes)
        return self.lanes

    def _in_memory(self, part: list[Trial], progress: Callable[[int], None]) -> list[TrialRecord]:
        """The records of a pack that fits."""
        with blaming(self.task):
            self._choose_kind()
            width = self.limit if self.filled else len(part) + self._spares(len(part))
        if self.pack is None or self.pack.stack.width < width:
            self.pack = None  # gives its memory back first
            self.pack = Pack(self.task, width, self.kind)
        whole = part + part[-1:] * (self.pack.stack.width - len(part))
        if not self.probed and len(whole) > 2:
            self.filled = self._varies(whole)
            self.probed = True
            if self.filled:
                self.limit = backend.FILLED
                self.say(f"this machine rounds by a pack's width: all hold {self.limit} trials")
                return self._in_memory(part[: self.limit], progress)
        # where the width decides last bits, the width, too
        self.names = backend.name(self.device, self.limit if self.filled else None)
        self.pack.load(whole)
        return self.pack.train(progress)[: len(part)]

    def _choose_kind(self) -> None:
        """See once whether models of this task can run as one program."""
        if self.task.ships:
            return  # tested: it is not tried in every process
        if self.tried:
            return
        pulse.doing("trying whether models can train as one program")
        if found := obstacle(self.task):
            self.kind = Apart
            self.say(apart_because(self.task.workload.name, found))
        self.tried = True

    def _spares(self, count: int) -> int:
        """How many trials a pack of ``count`` is to have beside them."""
        if not self.kind.together:
            return 1 if count == 1 else 0  # update rules multiply two matrices at least
        return spares(count, self.task.workload, self.task.splits.train.x[:2])

    def _halved(self, count: int) -> bool:
        """Halve the width of packs, as one of ``count`` trials did not fit; False if it cannot be.

        A pack that is filled up is as wide as the limit, however few its trials.
        """
        width = self.limit if self.filled else count
        self.limit = max(width // 2, 1)
        return width > 1

    def _varies(self, trials: list[Trial]) -> bool:
        """Whether trials, as many as the pack is wide, come out otherwise in another width."""
        pulse.doing("trying a step in packs of two widths")
        pair = [*trials[:2], *[trials[1]] * self._spares(2)]
        return backend.rounds_by_width(self._stepped, trials, pair)

    def _stepped(self, trials: Sequence[Trial]) -> Tensor:
        """The trials' weights (T, P) after a step in a pack of their own."""
        fits = self.pack is not None and self.pack.stack.width == len(trials)
        pack = self.pack if self.pack and fits else Pack(self.task, len(trials), self.kind)
        pack.load(trials)
        pack.step(0)
        return pack.stack.flat
