"""From cells as plain data to their records: what ``trainscape train`` does."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from trainscape import optimizers, schedules, workloads
from trainscape.budget import Plan
from trainscape.cell import TrialRecord
from trainscape.engine import device
from trainscape.engine.blame import blaming
from trainscape.engine.data import prepare
from trainscape.engine.spares import spares
from trainscape.engine.train import Pack, Trial
from trainscape.engine.width import FILLED, suitable, varies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from trainscape.datasets import Arrays
    from trainscape.engine.data import Splits
    from trainscape.registry import Registry
    from trainscape.workloads import Workload

T = TypeVar("T")


def train_cells(
    specs: Sequence[dict[str, Any]],
    arrays: Arrays,
    on: torch.device,
    progress: Callable[[int, int], None] = lambda *_: None,
    finished: Callable[[int, list[TrialRecord], str], None] = lambda *_: None,
    width: int | None = None,
) -> tuple[list[int], list[list[TrialRecord]]]:
    """Train cells of one workload, batch size, budget and validation share, pack by pack.

    Args:
        specs: the cells (:meth:`trainscape.cell.Cell.spec`).
        arrays: the workload's dataset.
        on: where to train.
        progress: called after every evaluation with the steps done and in all, of all packs.
        finished: called for every cell when its trials are done, with its place, its records and
            the backend that they were trained on.
        width: trials a pack holds at most; by default what suits the machine.

    Returns:
        The steps of the evaluations, and for every cell one record per seed. Where memory runs out,
        packs are trained in halves; a trial that does not fit alone has status ``oom``.
    """
    shared = specs[0]
    workload = workloads.registry.get(shared["workload"])
    splits = prepare(arrays, workload, shared["validation"], on)
    plan = Plan(
        len(splits.train.y), shared["batch_size"], shared["budget"], shared["evaluate_every"]
    )
    trials = [(i, trial) for i, spec in enumerate(specs) for trial in _trials(spec)]
    trials.sort(key=lambda pair: repr(pair[1].optimizer))  # neighbours are updated together
    packs = Packs(workload, splits, plan, shared["precision"], width)
    records: list[dict[int, TrialRecord]] = [{} for _ in specs]
    places = iter(trials)
    for made in packs.train([trial for _, trial in trials], progress):
        touched = []
        for record, (i, trial) in zip(made, places, strict=False):
            records[i][trial.seed] = record
            touched.append(i)
        for i in dict.fromkeys(touched):
            if len(records[i]) == len(specs[i]["seeds"]):
                finished(i, _ordered(specs[i], records[i]), packs.backend)
    return plan.evaluations, [_ordered(*pair) for pair in zip(specs, records, strict=True)]


def _ordered(spec: dict[str, Any], records: dict[int, TrialRecord]) -> list[TrialRecord]:
    return [records[seed] for seed in spec["seeds"]]


class Packs:
    """Trains any number of trials of one workload and plan, as many together as suits the machine.

    Args:
        workload: the model, loss and metric.
        splits: the data, on the device to train on.
        plan: steps and evaluations.
        precision: of the arithmetic.
        width: trials a pack holds at most; by default what suits the machine.
    """

    def __init__(
        self, workload: Workload, splits: Splits, plan: Plan, precision: str, width: int | None
    ) -> None:
        self.workload, self.splits, self.plan, self.precision = workload, splits, plan, precision
        self.limit = width or suitable(workload, splits, plan)
        self.filled = splits.train.x.device.type == "cuda"  # up to the limit, whatever the count
        self.probed = self.filled
        self.pack: Pack | None = None

    @property
    def backend(self) -> str:
        """The arithmetic that decides last bits; where the width does, the width, too."""
        name = device.backend(self.splits.train.x.device)
        return f"{name}-w{self.limit}" if self.filled else name

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
            tell = partial(_tell, progress, total - len(todo) * self.plan.total, len(part), total)
            made = self._trained(part, tell)
            if made is None and len(part) > 1:
                self.limit = len(part) // 2
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
                self.pack = Pack(self.workload, self.splits, self.plan, width, self.precision)
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


def _tell(
    progress: Callable[[int, int], None], before: int, width: int, total: int, steps: int, _: int
) -> None:
    progress(before + steps * width, total)


def _trials(spec: dict[str, Any]) -> list[Trial]:
    optimizer = _part(optimizers.registry, spec["optimizer"])
    schedule = _part(schedules.registry, spec["schedule"])
    return [Trial(optimizer, spec["lr"], schedule, seed) for seed in spec["seeds"]]


def _part(registry: Registry[type[T]], spec: dict[str, Any]) -> T:
    """The optimizer or schedule that ``spec`` names, with its hyperparameters."""
    return registry.get(spec["name"])(**{k: v for k, v in spec.items() if k != "name"})
