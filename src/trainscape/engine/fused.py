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
from trainscape.engine.laid import Laid
from trainscape.engine.lanes import Lanes
from trainscape.engine.model import Stack
from trainscape.engine.pack import Pack
from trainscape.engine.task import trials
from trainscape.engine.trial import progress_of_part
from trainscape.engine.width import suitable
from trainscape.memory import out_of_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from trainscape.engine.checkpoint import Keeper
    from trainscape.engine.task import Task
    from trainscape.engine.trial import Trial
    from trainscape.optimizers import Optimizer


class Fused:
    """Trains any number of trials of one task.

    On a CPU by a compiled step, on a GPU as one tensor program, and where neither can be, with the
    models one by one.

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
        self.usual: type[Stack] | None = None  # the way of trials whose rule compiles
        self.ways: dict[Optimizer, type[Stack]] = {}
        self.packs: dict[type[Stack], Pack] = {}
        self.backend = ""  # the arithmetic that decided the last bits of what was trained last

    def trials(self, spec: Mapping[str, Any]) -> list[Trial]:
        """A cell's trials, one per seed, by the update rule that its optimizer names."""
        return trials(spec, optimizers.registry.make(spec["optimizer"]))

    def train(
        self,
        trials: Sequence[Trial],
        progress: Callable[[int], None],
        keeper: Keeper | None = None,
    ) -> Iterator[list[TrialRecord]]:
        """Train the trials in their order; the records of one pack after the other.

        Args:
            trials: neighbours with equal optimizers are updated together.
            progress: called after every evaluation with the steps done, of all trials.
            keeper: keeps what is in training.
        """
        todo = list(trials)
        while todo:
            before = (len(trials) - len(todo)) * self.task.plan.total
            part = self._next(todo)
            if part is None:
                yield [TrialRecord.untrained(todo.pop(0).seed, "oom")]
                continue
            made = self._trained(part, progress_of_part(progress, before, len(part)), keeper)
            if made is None and self._halved(len(part)):
                continue
            made = made or [TrialRecord.untrained(trial.seed, "oom") for trial in part]
            yield made
            del todo[: len(made)]

    def _next(self, todo: list[Trial]) -> list[Trial] | None:
        """The trials at the front that train in the same way, as many as a pack takes.

        None where memory does not even hold what it takes to find out.
        """
        packs = -(-len(todo) // self.limit)
        count = self.limit if self._filled else -(-len(todo) // packs)
        try:
            with out_of_memory():
                way = self._way(todo[0].optimizer)
                # of equal size, as far as that goes: they can use the same memory
                return list(takewhile(lambda one: self._way(one.optimizer) is way, todo[:count]))
        except torch.OutOfMemoryError:
            self.packs.clear()
            return None

    @property
    def _filled(self) -> bool:
        """Whether packs are filled up to one width, which decides last bits."""
        return self.device.type == "cuda"

    def _trained(
        self, part: list[Trial], progress: Callable[[int], None], keeper: Keeper | None
    ) -> list[TrialRecord] | None:
        """The records of a pack, or None if it does not fit into memory."""
        try:
            with out_of_memory():
                return self._in_memory(part, progress, keeper)
        except torch.OutOfMemoryError:
            self.packs.clear()
        gc.collect()  # an error's frames hold what they held, and each other
        return None

    def _in_memory(
        self, part: list[Trial], progress: Callable[[int], None], keeper: Keeper | None
    ) -> list[TrialRecord]:
        """The records of a pack that fits."""
        way = self._way(part[0].optimizer)
        # update rules multiply two matrices at least: one takes another path through the library
        fewest = 2 if way is Apart else 1
        pack = self._pack(way, self.limit if self._filled else max(len(part), fewest))
        named = self.limit if self._filled else None
        self.backend = backend.COMPILED if way is Laid else backend.name(self.device, named)
        pack.load(part + part[-1:] * (pack.stack.width - len(part)))
        watch = keeper.watch(part, self.backend, whole=self._filled) if keeper else None
        return pack.train(progress, watch)[: len(part)]

    def _pack(self, way: type[Stack], width: int) -> Pack:
        """A pack with room for so many trials at least."""
        pack = self.packs.get(way)
        if pack is None or pack.stack.width < width:
            if way is Laid:
                self.packs[way] = Lanes(self.task, width, pack)  # type: ignore[arg-type]
            else:
                self.packs.pop(way, None)  # gives its memory back first
                pack = None
                self.packs[way] = Pack(self.task, width, way)
        return self.packs[way]

    def _way(self, optimizer: Optimizer) -> type[Stack]:
        """How trials of an optimizer train; the first call tries."""
        if optimizer not in self.ways:
            with blaming(self.task):
                self.usual = self.usual or self._usual_way()
            compiles = self.usual is not Laid or self.compiles(optimizer)
            self.ways[optimizer] = self.usual if compiles else Apart
        return self.ways[optimizer]

    def _usual_way(self) -> type[Stack]:
        """See whether models of this task can run as one program."""
        if not self.task.ships:  # else tested: it is not tried in every process
            pulse.doing("trying whether models can train as one program")
            if found := obstacle(self.task):
                self.say(apart_because(self.task.workload.name, found))
                return Apart
        return Stack if self._filled else Laid

    def compiles(self, optimizer: Optimizer) -> bool:
        """Compile all that a trial of an optimizer needs; False, and a line, where that fails."""
        try:
            with blaming(self.task):
                pack = self._pack(Laid, 1)
            pack.prepare(optimizer)  # type: ignore[attr-defined]
        except (UnsupportedError, NoCompiler, CompileError) as error:
            name = self.task.workload.name
            self.say(
                f"workload {name!r}: its trials with {optimizer} train one by one, by torch's "
                f"kernels and more slowly: {error} (docs/engine.md, The tables)"
            )
            return False
        return True

    def _halved(self, count: int) -> bool:
        """Halve the width of packs, as one of ``count`` trials did not fit; False if it cannot be.

        A pack that is filled up is as wide as the limit, however few its trials.
        """
        width = self.limit if self._filled else count
        self.limit = max(width // 2, 1)
        return width > 1
