"""What is to hold on a GPU: the CPU's curves, equal bits from run to run, independence of the pack.

Every check returns rows of plain data and prints none. What does not hold bit for bit is reported
with the largest difference.
"""

from __future__ import annotations

import io
import math
import tempfile
from contextlib import redirect_stderr, suppress
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from benchmarks import synthetic
from trainscape import optimizers, schedules, workloads
from trainscape.cells.budget import Plan
from trainscape.cells.cell import TrialRecord
from trainscape.cells.imported import Imported
from trainscape.cells.outcomes import unpacked
from trainscape.engine.checkpoint import Keeper
from trainscape.engine.detail import EXAMPLES
from trainscape.engine.graph import EAGER
from trainscape.engine.leaving import Leaving
from trainscape.engine.pack import Pack
from trainscape.engine.task import Task
from trainscape.engine.trial import Trial
from trainscape.engine.unfused import Single
from trainscape.engine.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Sequence

# rates at which each rule learns and none is near divergence
RATES = {"sgd": 0.1, "momentum": 0.03, "nesterov": 0.03, "adagrad": 0.02}
RATE = 0.002
RULES = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw")
TOLERANCE = 2e-3  # relative: float32 over some dozens of steps
# How detailed trials train: as a pack, or each in a loop by an optimizer given by its import path.
# In a loop the gradients of single examples are taken together, or one by one.
TORCHS = "torch.optim.Adam"
WAYS = PACKED, TOGETHER, ALONE = "adam in a pack", TORCHS, f"{TORCHS}, example by example"
LONGER = 4  # times a shape's examples: enough for half of the outcomes or so to be right
TESTED = 290  # examples whose outcomes are compared: two chunks


@dataclass(frozen=True)
class Shape:
    """A workload in few steps.

    Args:
        workload: its name.
        batch_size: examples a step.
        examples: in the training split.
        epochs: passes over them.
    """

    workload: str
    batch_size: int
    examples: int
    epochs: int


SHAPES = (
    Shape("digits-mlp", 16, 120, 4),
    Shape("digits-cnn", 16, 120, 4),
    Shape("mnist-cnn", 16, 72, 3),
)


class Bench:
    """A shape's data on a device, on which packs of any trials are trained.

    Args:
        shape: what to train.
        on: where.
        test: examples in the test split.
    """

    def __init__(self, shape: Shape, on: torch.device, test: int = 40) -> None:
        workload = workloads.registry.get(shape.workload)
        share = 1 / 4  # of the examples that are made, for validation
        count = round(shape.examples / (1 - share))
        splits = synthetic.splits(workload, count, test, on, share)
        plan = Plan(len(splits.train.y), shape.batch_size, {"epochs": shape.epochs}, 0.5)
        self.task = Task(workload, splits, plan)

    def train(self, trials: Sequence[Trial]) -> tuple[list[TrialRecord], torch.Tensor, Pack]:
        """Records, final weights (T, P) on the CPU and the pack, trained as one."""
        pack = Pack(self.task, len(trials))
        pack.load(trials)
        return pack.train(), pack.stack.flat.cpu(), pack


def trial(rule: str, seed: int = 0, factor: float = 1.0) -> Trial:
    """A trial with default hyperparameters at a rate that the rule learns at."""
    made = optimizers.registry.get(rule)()
    return Trial(made, factor * RATES.get(rule, RATE), schedules.registry.get("cosine")(), seed)


def crowd(width: int) -> list[Trial]:
    """Different trials of every rule, neighbours of equal rules together."""
    made = [trial(RULES[i % len(RULES)], i % 3, 1 - i / (2 * width)) for i in range(width)]
    return sorted(made, key=lambda one: repr(one.optimizer))


def curves(shape: Shape, on: torch.device) -> list[dict[str, Any]]:
    """Each rule's loss curves on the CPU and on the device, and how far they part."""
    trials = [trial(rule, seed) for rule in RULES for seed in (0, 1)]
    here, _, _ = Bench(shape, torch.device("cpu")).train(trials)
    there, _, _ = Bench(shape, on).train(trials)
    rows = []
    for rule in RULES:
        both = [
            (x, y)
            for one, x, y in zip(trials, here, there, strict=True)
            if one.optimizer.name == rule
        ]
        rows.append(_curves(f"{shape.workload}, {rule}", both))
    return rows


def details(shape: Shape, on: torch.device, way: str) -> list[dict[str, Any]]:
    """What detailed trials answer on the CPU and on the device, and what asking them changes."""
    one, other = (Asked(shape, where, way) for where in (torch.device("cpu"), on))
    here, there = one.train(), other.train()
    again, plain = Asked(shape, on, way).train(), Asked(shape, on, way, detailed=False).train()
    what, both = f"{shape.workload}, {way}", list(zip(here, there, strict=True))
    scales = " and ".join(f"{noise_scale(records):.6g}" for records in (here, there))
    ends = [replace(record, noise=record.noise[-1:]) for record in here]
    answers = list(zip(ends, other.answers(one), strict=True))
    bare = [replace(record, noise=[], outcomes="") for record in there]
    return [
        _curves(what, both),
        _noises("", what, both, f"; noise scales {scales}"),
        _outcomes("", what, both),
        _noises(" at equal weights", what, answers),
        _outcomes(" at equal weights", what, answers),
        {
            "check": "two detailed runs give equal bits",
            "what": what,
            "holds": again == there,
            "largest": None,
            "detail": "records",
        },
        {
            "check": "detail changes nothing else",
            "what": what,
            "holds": bare == plain,
            "largest": None,
            "detail": "records but for noise and outcomes",
        },
    ]


class Asked:
    """Two trials of longer training, which are asked for noise and outcomes.

    Args:
        shape: what to train, on more examples.
        on: where.
        way: of the :data:`WAYS`.
        detailed: False to ask them nothing.
    """

    def __init__(self, shape: Shape, on: torch.device, way: str, detailed: bool = True) -> None:
        longer = replace(shape, examples=LONGER * shape.examples)
        task = replace(Bench(longer, on, TESTED).task, detailed=detailed)
        trials = [trial("adam", seed) for seed in (0, 1)]
        self.pack, self.singles = Pack(task, len(trials)) if way == PACKED else None, []
        if self.pack:
            self.pack.load(trials)
        else:
            rule = Imported.of({"name": "torch", "torch": TORCHS})
            made = [replace(one, optimizer=rule) for one in trials]
            self.singles = [Single(task, one, way == ALONE) for one in made]

    def train(self) -> list[TrialRecord]:
        """Their records."""
        if self.pack:
            return self.pack.train()
        return [single.train(lambda _: None) for single in self.singles]

    @torch.no_grad()
    def answers(self, other: Asked) -> list[TrialRecord]:
        """What they answer, once trained, at the last weights of others: records of that alone."""
        if self.pack and other.pack and (questions := self.pack.questions):
            for mine, theirs in zip(self.pack.stack.blocks, other.pack.stack.blocks, strict=True):
                mine.copy_(theirs)
            seeds = list(questions.seeds)
            questions.begin(seeds)
            questions.look(0)
            questions.score()
            [noise], outcomes = questions.noise, questions.outcomes
        else:
            for single, theirs_ in zip(self.singles, other.singles, strict=True):
                single.model.load_state_dict(theirs_.model.state_dict())
                single.noise = []
                single._look(single.plan.total)
            seeds = [single.trial.seed for single in self.singles]
            noise = [single.noise[-1] for single in self.singles]
            outcomes = [single.outcomes for single in self.singles]
        return [
            replace(TrialRecord.untrained(seed, "ok"), noise=[pair], outcomes=found)
            for seed, pair, found in zip(seeds, noise, outcomes, strict=True)
        ]


def noise_scale(records: Sequence[TrialRecord]) -> float:
    """B_simple over all trials and evaluations; NaN without any."""
    pairs = torch.tensor([pair for record in records for pair in record.noise]).double()
    if not len(pairs):
        return math.nan
    each, mean = pairs.mean(0).tolist()
    return float(EXAMPLES * (each - mean) / (EXAMPLES * mean - each))


def repeats(shape: Shape, on: torch.device, width: int) -> list[dict[str, Any]]:
    """Two packs of the same trials, from nothing."""
    bench, trials = Bench(shape, on), crowd(width)
    (a, wa, _), (b, wb, _) = bench.train(trials), bench.train(trials)
    equal = a == b and torch.equal(wa, wb)
    return [_row("two runs give equal bits", shape, width, equal, wa, wb, "records and weights")]


def reloads(shape: Shape, on: torch.device, width: int) -> list[dict[str, Any]]:
    """A pack that is loaded again, after others, gives what a new one does."""
    bench, trials = Bench(shape, on), crowd(width)
    first, weights, pack = bench.train(trials)
    pack.load(trials[::-1])
    pack.train()
    pack.load(trials)
    again = pack.train()
    equal = first == again and torch.equal(weights, pack.stack.flat.cpu())
    said = "records and weights"
    flat = pack.stack.flat.cpu()
    return [_row("a pack used again gives equal bits", shape, width, equal, weights, flat, said)]


def resumes(shape: Shape, on: torch.device, width: int) -> list[dict[str, Any]]:
    """A pack that is left early, amid and late in its training, and goes on in a new one."""
    bench, trials = Bench(shape, on), crowd(width)
    first, weights, _ = bench.train(trials)
    total, said = bench.task.plan.total, list[str]()
    with tempfile.TemporaryDirectory() as folder:
        for at in (2, total // 2, total - 1, None):
            pack = Pack(bench.task, width)
            pack.load(trials)
            keeper = Keeper(
                Path(folder), math.inf, lambda spec, _: str(spec["at"]), on, said.append
            )
            keeper.begin([{"at": i} for i in range(width)])
            keeper.expect(list(enumerate(trials)))
            keeper.parts(trials)
            with suppress(Leaving):
                again = pack.train(watch=LeavesAt(keeper, trials, at))
    flat = pack.stack.flat.cpu()
    went_on = [line for line in said if line.startswith("resumed")]
    equal = first == again and torch.equal(weights, flat) and len(went_on) == 3
    detail = f"records and weights; {', '.join(went_on)}"
    check = "a pack that was left goes on with equal bits"
    return [_row(check, shape, width, equal, weights, flat, detail)]


class LeavesAt(Watch):
    """Leaves a pack after so many steps; never, where that is None."""

    def __init__(self, keeper: Keeper, trials: Sequence[Trial], step: int | None) -> None:
        keys = [(i, one.seed) for i, one in enumerate(trials)]
        super().__init__(keeper, keys, "one", whole=True)
        self.step = step

    def look(self, of: Pack | Single) -> None:
        if of.done == self.step:
            raise Leaving(15)


def company(shape: Shape, on: torch.device, width: int) -> list[dict[str, Any]]:
    """At one width: every trial at another place, and beside others."""
    bench, trials = Bench(shape, on), crowd(width)
    _, weights, _ = bench.train(trials)
    _, turned, _ = bench.train(trials[::-1])
    half = width // 2
    others = [trial("sgd", 7 + i, 0.5) for i in range(width - half)]
    _, mixed, _ = bench.train([*trials[:half], *others])
    place, beside = "another place in the pack", "other trials in half of the pack"
    return [
        _alike("independent of " + place, shape, width, weights, turned.flip(0)),
        _alike("independent of " + beside, shape, width, weights[:half], mixed[:half]),
    ]


def halves(shape: Shape, on: torch.device, width: int) -> list[dict[str, Any]]:
    """The same trials in packs of half and of a quarter of the width, as when memory runs out."""
    bench, trials = Bench(shape, on), crowd(width)
    _, weights, _ = bench.train(trials)
    rows = []
    for parts in (2, 4):
        size = width // parts
        if size < 2:
            continue
        found = [bench.train(trials[i : i + size])[1] for i in range(0, width, size)]
        said = f"independent of the width, {size} against {width}"
        rows.append(_alike(said, shape, width, weights, torch.cat(found)))
    return rows


def captured(shape: Shape, on: torch.device, width: int) -> list[dict[str, Any]]:
    """Whether steps and evaluations ran as CUDA graphs, or why not."""
    said = io.StringIO()
    with redirect_stderr(said):
        _, _, pack = Bench(shape, on).train(crowd(width))
    rows = []
    for key, work in pack.captured.items():
        what = f"steps of {key} examples" if isinstance(key, int) else f"evaluations of {key}"
        few = work.graph is None and (work.calls <= EAGER or on.type != "cuda")
        detail = f"captured at call {work.calls}"
        if work.graph is None:
            reason = said.getvalue().strip().replace("\n", " / ") or "nothing was said"
            detail = f"{work.calls} calls on {on.type}" if few else reason
        rows.append(
            {
                "check": "runs as a CUDA graph",
                "what": f"{shape.workload}, width {width}, {what}",
                "holds": None if few else work.graph is not None,
                "largest": None,
                "detail": detail,
            }
        )
    text = said.getvalue().strip().replace("\n", " / ")
    if text:
        rows.append(
            {"check": "said on stderr", "what": shape.workload, "holds": False, "detail": text}
        )
    return rows


def _curves(what: str, both: Sequence[tuple[TrialRecord, TrialRecord]]) -> dict[str, Any]:
    """A row on how far the loss curves of records on the CPU and on the device part."""
    pairs = [
        (a, b)
        for x, y in both
        for name in ("train_loss", "val_loss", "test_loss")
        # one that diverges on the device has no value where the CPU has one
        for a, b in zip_longest(getattr(x, name), getattr(y, name), fillvalue=math.inf)
    ]
    said = f"{len(pairs)} losses, tolerance {TOLERANCE:g} relative"
    return _agree("CPU and GPU curves agree", what, pairs, said, 1e-2)


def _noises(
    at: str, what: str, both: Sequence[tuple[TrialRecord, TrialRecord]], more: str = ""
) -> dict[str, Any]:
    """A row on how far the noise in such records parts."""
    pairs = [
        pair
        for x, y in both
        for one, other in zip_longest(x.noise, y.noise, fillvalue=(math.inf, math.inf))
        for pair in zip(one, other, strict=True)
    ]
    said = f"{len(pairs)} mean squares, tolerance {TOLERANCE:g} relative{more}"
    return _agree(f"CPU and GPU noise of gradients agrees{at}", what, pairs, said)


def _outcomes(
    at: str, what: str, both: Sequence[tuple[TrialRecord, TrialRecord]]
) -> dict[str, Any]:
    """A row that counts the test examples that come out the same in such records."""
    found = [[unpacked(record.outcomes, TESTED) for record in pair] for pair in both]
    same = [a == b for x, y in found for a, b in zip_longest(x, y)]
    right = sum(sum(y) for _, y in found)
    return {
        "check": f"CPU and GPU outcomes of examples agree{at}",
        "what": what,
        "holds": all(same) and len(same) == TESTED * len(both),
        "largest": None,
        "detail": f"{sum(same)} of {len(same)}, {right:.0f} right on the GPU",
    }


def _agree(
    check: str, what: str, pairs: Sequence[tuple[float, float]], detail: str, least: float = 1e-9
) -> dict[str, Any]:
    """A row on how far pairs of numbers part, relative to the first, which counts as ``least``."""
    each = [abs(a - b) / max(abs(a), least) for a, b in pairs]
    apart = max(each, default=math.inf) if all(map(math.isfinite, each)) else math.inf
    return {
        "check": check,
        "what": what,
        "holds": apart <= TOLERANCE,
        "largest": _finite(apart),
        "detail": detail,
    }


def _alike(
    check: str, shape: Shape, width: int, one: torch.Tensor, other: torch.Tensor
) -> dict[str, Any]:
    """A row that counts the trials whose final weights are equal bit for bit."""
    same = sum(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    said = f"{same} of {len(one)} trials have equal weights"
    return _row(check, shape, width, same == len(one), one, other, said)


def _row(
    check: str,
    shape: Shape,
    width: int,
    holds: bool,
    one: torch.Tensor,
    other: torch.Tensor,
    detail: str,
) -> dict[str, Any]:
    return {
        "check": check,
        "what": f"{shape.workload}, width {width}",
        "holds": holds,
        "largest": _finite((one - other).abs().max().item()),
        "detail": detail,
    }


def _finite(largest: float) -> float | None:
    """A difference as JSON knows it; None where one side is no number."""
    return largest if math.isfinite(largest) else None
