"""From cells as plain data to their records: what ``trainscape train`` does.

Every cell goes to the engine that trains its kind of optimizer. No number is made here, and this
file is in no digest, so that neither engine's source counts for the other's cells.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Protocol

import torch

from trainscape.cells.budget import Plan
from trainscape.cells.cell import TrialRecord, import_path
from trainscape.engine import backend, pulse
from trainscape.engine.apart import obstacle
from trainscape.engine.blame import blaming
from trainscape.engine.foresight import check_single
from trainscape.engine.outputs import check_labels
from trainscape.engine.task import PER_SEED, Task
from trainscape.engine.trial import progress_of_part
from trainscape.errors import Failures
from trainscape.memory import out_of_memory
from trainscape.numerals import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from trainscape.datasets import Arrays
    from trainscape.engine.checkpoint import Keeper
    from trainscape.engine.trial import Trial


class Engine(Protocol):
    """Trains trials of one task."""

    task: Task

    @property
    def backend(self) -> str:
        """The arithmetic that decides last bits."""

    def trials(self, spec: Mapping[str, Any]) -> list[Trial]:
        """A cell's trials, one per seed."""

    def train(
        self,
        trials: Sequence[Trial],
        progress: Callable[[int], None],
        keeper: Keeper | None = None,
    ) -> Iterator[list[TrialRecord]]:
        """Train the trials in their order; their records, some at a time.

        Args:
            trials: neighbours with equal optimizers may be updated together.
            progress: called after every evaluation with the steps done, of all trials.
            keeper: keeps what is in training.
        """


@pulse.watched()
def train_cells(
    specs: Sequence[dict[str, Any]],
    arrays: Arrays,
    on: torch.device,
    progress: Callable[[int, int], None] = lambda *_: None,
    finished: Callable[[int, list[TrialRecord], str], None] = lambda *_: None,
    width: int | None = None,
    say: Callable[[str], None] = print,
    keeper: Keeper | None = None,
) -> tuple[list[int], list[list[TrialRecord]]]:
    """Train cells of one workload, batch size, budget and validation share.

    Args:
        specs: the cells (:meth:`trainscape.cells.cell.Cell.spec`).
        arrays: the workload's dataset.
        on: where to train.
        progress: called after every evaluation with the steps done and in all, of all trials.
        finished: called for every cell when its trials are done, with its place, its records and
            the backend that they were trained on.
        width: trials that are trained together at most; by default what suits the machine.
        say: is told in a line what the log of every cell is to say.
        keeper: keeps what is in training, and knows what was kept.

    Returns:
        The steps of the evaluations, and for every cell one record per seed. Where memory runs out,
        packs are trained in halves; a trial that does not fit alone has status ``oom``.

    Raises:
        UserError: the labels do not fit the model; or an optimizer, schedule or workload fails,
            and then the other cells are trained first: those with optimizers of ours together,
            every other one by itself.
        Leaving: the process was asked to leave, and what it had trained is kept.
    """
    training = Training(arrays, on, width, keeper)
    if keeper:
        keeper.begin(specs)

    def written(i: int, records: list[TrialRecord], backend: str) -> None:
        finished(i, records, backend)
        if keeper:
            keeper.written(i)

    with keeper.leaving() if keeper else nullcontext():
        if specs[0].get("split") == PER_SEED:
            return _seed_by_seed(training.train, specs, progress, written, say)
        return training.train(specs, progress, written, say)


def _seed_by_seed(
    train: Callable[..., tuple[list[int], list[list[TrialRecord]]]],
    specs: Sequence[dict[str, Any]],
    progress: Callable[[int, int], None],
    finished: Callable[[int, list[TrialRecord], str], None],
    say: Callable[[str], None],
) -> tuple[list[int], list[list[TrialRecord]]]:
    """Train cells whose seeds hold out examples of their own: the trials of a seed together.

    Args:
        train: trains cells that hold out the same examples (:meth:`Training.train`).
        specs: the cells.
        progress: as of :func:`train_cells`, and so are the others.
        finished: as above.
        say: as above; it is told no line twice.
    """
    found: list[dict[int, TrialRecord]] = [{} for _ in specs]
    backends: list[set[str]] = [set() for _ in specs]
    said: set[str] = set()
    evaluations: list[int] = []
    done, failures = 0, Failures()
    whole = sum(len(spec["seeds"]) for spec in specs)

    def say_once(text: str) -> None:
        if text not in said:
            said.add(text)
            say(text)

    for seed in dict.fromkeys(seed for spec in specs for seed in spec["seeds"]):
        places = [i for i, spec in enumerate(specs) if seed in spec["seeds"]]

        def keep(k: int, made: list[TrialRecord], backend: str, of: Sequence[int] = places) -> None:
            i = of[k]
            backends[i].add(backend)
            found[i][made[0].seed] = made[0]
            if len(found[i]) == len(specs[i]["seeds"]):
                records = [found[i][seed] for seed in specs[i]["seeds"]]
                finished(i, records, "+".join(sorted(backends[i])))

        def tell(steps: int, total: int, before: int = done, trials: int = len(places)) -> None:
            each = total // trials
            progress(before * each + steps, whole * each)

        own = [{**specs[i], "seeds": [seed]} for i in places]
        with failures.collecting():
            evaluations, _ = train(own, tell, keep, say_once, places)
        done += len(places)
    failures.tell()
    made = [[of[seed] for seed in spec["seeds"]] for of, spec in zip(found, specs, strict=True)]
    return evaluations, made


class Training:
    """Trains cells of one workload, batch size and budget.

    What one call has recorded, the next uses: it may hold out other examples, and no more.

    Args:
        arrays: the workload's dataset.
        on: where to train.
        width: trials that are trained together at most; by default what suits the machine.
        keeper: keeps what is in training.
    """

    def __init__(
        self, arrays: Arrays, on: torch.device, width: int | None, keeper: Keeper | None = None
    ) -> None:
        self.arrays, self.on, self.width, self.keeper = arrays, on, width, keeper
        self.task: Task | None = None
        self.engines: dict[bool, Engine] = {}

    def train(
        self,
        specs: Sequence[dict[str, Any]],
        progress: Callable[[int, int], None],
        finished: Callable[[int, list[TrialRecord], str], None],
        say: Callable[[str], None],
        places: Sequence[int] | None = None,
    ) -> tuple[list[int], list[list[TrialRecord]]]:
        """Train cells that hold out the same examples; arguments as of :func:`train_cells`.

        ``places`` are the cells' among all, by which the keeper knows them.
        """
        try:
            with out_of_memory():
                task = self._task_of(specs[0])
        except torch.OutOfMemoryError:
            return Plan.of(specs[0], len(self.arrays.y_train)).evaluations, without_memory(
                specs, self.on, finished
            )
        steps = [task.plan.total * len(spec["seeds"]) for spec in specs]
        records: list[list[TrialRecord]] = [[] for _ in specs]
        before = 0

        def tell(done: int) -> None:
            progress(done, sum(steps))

        failures = Failures()
        for fused in (True, False):
            own = [
                i
                for i, spec in enumerate(specs)
                if (import_path(spec["optimizer"]) is None) == fused
            ]
            if not own:
                continue
            if fused not in self.engines:
                self.engines[fused] = _engine(task, fused, self.width, say)
            engine = self.engines[fused]
            for together in [own] if fused else [[i] for i in own]:
                part = progress_of_part(tell, before)
                with failures.collecting():
                    cells = {i: specs[i] for i in together}
                    known = {i: places[i] if places else i for i in together}
                    for i, made, on in _trained(engine, cells, part, self.keeper, known):
                        records[i] = made
                        finished(i, made, on)
                before += sum(steps[i] for i in together)
        failures.tell()
        return task.plan.evaluations, records

    def _task_of(self, spec: Mapping[str, Any]) -> Task:
        """The task of a cell: that of the call before with other examples held out, if there is."""
        task = Task.of(spec, self.arrays, self.on)
        if self.task is None:
            check_labels(task.workload, self.arrays)
            check_single(task)
            self.task = task
        else:
            self.task.splits.copy_(task.splits)
        return self.task


def without_memory(
    specs: Sequence[dict[str, Any]],
    on: torch.device,
    finished: Callable[[int, list[TrialRecord], str], None],
) -> list[list[TrialRecord]]:
    """The records of cells whose data memory does not hold; arguments as above."""
    records = [[TrialRecord.untrained(seed, "oom") for seed in spec["seeds"]] for spec in specs]
    for i, made in enumerate(records):
        finished(i, made, backend.name(on))
    return records


def _engine(task: Task, fused: bool, width: int | None, say: Callable[[str], None]) -> Engine:
    if fused:
        from trainscape.engine.fused import Fused

        return Fused(task, width, say)
    from trainscape.engine.unfused import Unfused

    return Unfused(task, apart=task.detailed and not task.ships and _one_by_one(task))


def _one_by_one(task: Task) -> bool:
    """Whether gradients of examples are made one by one: also where memory does not hold to try."""
    try:
        with out_of_memory(), blaming(task):
            return bool(obstacle(task))
    except torch.OutOfMemoryError:
        return True


def _trained(
    engine: Engine,
    specs: Mapping[int, dict[str, Any]],
    progress: Callable[[int], None],
    keeper: Keeper | None,
    places: Mapping[int, int],
) -> Iterator[tuple[int, list[TrialRecord], str]]:
    """Each cell's place, records and backend, when all of its trials are done."""
    trials = [(i, trial) for i, spec in specs.items() for trial in engine.trials(spec)]
    trials.sort(key=lambda pair: repr(pair[1].optimizer))  # neighbours are updated together
    found: dict[int, dict[int, TrialRecord]] = {i: {} for i in specs}
    backends: dict[int, set[str]] = {i: set() for i in specs}

    def add(i: int, record: TrialRecord, backend: str) -> None:
        found[i][record.seed] = record
        backends[i].add(backend)  # packs may have become narrower in between

    def whole(touched: Iterable[int]) -> Iterator[tuple[int, list[TrialRecord], str]]:
        for i in dict.fromkeys(touched):
            if len(found[i]) == len(specs[i]["seeds"]):
                records = [found[i][seed] for seed in specs[i]["seeds"]]
                yield i, records, "+".join(sorted(backends[i] - {""}))

    if keeper:
        keeper.expect([(places[i], trial) for i, trial in trials])
        done = [(i, kept) for i, trial in trials if (kept := keeper.record(trial))]
        for i, kept in done:
            add(i, *kept)
        if done:
            keeper.say(f"resumed with {counted(len(done), 'trial')} done before")
        yield from whole(i for i, _ in done)
        trials = [(i, trial) for i, trial in trials if trial.seed not in found[i]]
    before = sum(map(len, found.values())) * engine.task.plan.total
    own = [trial for _, trial in trials]
    for part in keeper.parts(own) if keeper else [list(range(len(own)))]:
        pairs = iter([trials[k] for k in part])
        tell = progress_of_part(progress, before)
        for made in engine.train([own[k] for k in part], tell, keeper):
            touched = []
            for record, (i, trial) in zip(made, pairs, strict=False):
                add(i, record, engine.backend)
                touched.append(i)
                if keeper:
                    keeper.done(trial, record, engine.backend)
            yield from whole(touched)
        before += len(part) * engine.task.plan.total
