"""What detailed trials answer on a GPU: the noise of gradients, the outcome of each example."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from benchmarks import gpu_rows
from benchmarks.gpu_trials import Bench, Shape, trial
from trainscape.cells.cell import TrialRecord
from trainscape.cells.imported import Imported
from trainscape.engine.detail import EXAMPLES
from trainscape.engine.pack import Pack
from trainscape.engine.unfused import Single

if TYPE_CHECKING:
    from collections.abc import Sequence

# How detailed trials train: as a pack, or each in a loop by an optimizer given by its import path.
# In a loop the gradients of single examples are taken together, or one by one.
TORCHS = "torch.optim.Adam"
WAYS = PACKED, TOGETHER, ALONE = "adam in a pack", TORCHS, f"{TORCHS}, example by example"
LONGER = 4  # times a shape's examples: enough for half of the outcomes or so to be right


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
        gpu_rows.curves(what, both),
        gpu_rows.noises("", what, both, f"; noise scales {scales}"),
        gpu_rows.outcomes("", what, both),
        gpu_rows.noises(" at equal weights", what, answers),
        gpu_rows.outcomes(" at equal weights", what, answers),
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
        task = replace(Bench(longer, on, gpu_rows.TESTED).task, detailed=detailed)
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
