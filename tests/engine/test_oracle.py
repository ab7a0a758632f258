"""The engine against the loop that a practitioner would write with ``torch.optim``.

Where torch lacks an optimizer, the loop takes the oracle that its rule is tested against.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest
from torch.nn.modules.batchnorm import _BatchNorm

from kit import examples
from kit.examples import OPTIMIZERS, task, train, trial
from kit.plain_loop import EMBEDDED, LR, in_double, plain, small
from trainscape import workloads

if TYPE_CHECKING:
    from trainscape.cells.cell import TrialRecord
    from trainscape.engine.task import Task
    from trainscape.engine.trial import Trial
    from trainscape.workloads import Workload

SEED = 3
WORKLOADS = [*workloads.registry.names(), "batch-norm"]
FEW = ("adam", "momentum", "muon")  # rules for the large models: a rule does not know its model


def rules(name: str) -> tuple[str, ...]:
    """The optimizers that a workload is trained with here."""
    own = name not in workloads.registry.names()
    small = own or workloads.registry.get(name).dataset in EMBEDDED
    return tuple(OPTIMIZERS) if small else FEW


def normalised(workload: Workload) -> bool:
    """Whether the workload's model has batch normalisation."""
    return any(isinstance(module, _BatchNorm) for module in workload.build().modules())


@cache
def engine(name: str) -> tuple[Task, dict[str, tuple[Trial, TrialRecord]]]:
    """All optimizers on one workload as one pack: its task, and each one's trial and record."""
    known = name in workloads.registry.names()
    of = small(workloads.registry.get(name) if known else examples.batch_norm())
    of = in_double(of) if normalised(of.workload) else of
    # beside the trials asked for, one of another rate and seed for each: neighbours must not matter
    # to parameters of one dimension LARS is momentum, and these losses are steep in them
    rates = {**LR, "lars": 0.03} if of.workload.metric.unit != "fraction" else LR
    trials = [trial(o, rates.get(o, 0.002), SEED, "cosine") for o in rules(name)]
    neighbours = [trial(o, 0.01, SEED + 1, "constant") for o in rules(name)]
    records = train([*trials, *neighbours], of)
    pairs = zip(trials, records[: len(trials)], strict=True)
    return of, {one.optimizer.name: (one, record) for one, record in pairs}


@pytest.mark.parametrize(("name", "optimizer"), [(w, o) for w in WORKLOADS for o in rules(w)])
def test_the_engine_equals_a_plain_loop(name: str, optimizer: str) -> None:
    """Every epoch's losses and metrics are those of a plain loop on the same weights and data."""
    of, records = engine(name)
    one, record = records[optimizer]
    expected = plain(one, of)
    assert record.status == "ok"
    assert len(expected["train_loss"]) == of.plan.budget["epochs"]
    for loss in ("train_loss", "val_loss", "test_loss"):
        assert getattr(record, loss) == pytest.approx(expected[loss], rel=1e-4)
    share = of.workload.metric.unit == "fraction"
    for metric, split in (("val_metric", of.splits.val), ("test_metric", of.splits.test)):
        # of right answers: one example whose two best logits are a rounding apart may turn
        near = 1.01 / len(split.y) if share else 0.0
        assert getattr(record, metric) == pytest.approx(expected[metric], rel=1e-4, abs=near)
    assert record.train_loss[-1] < record.train_loss[0], "a loss that stays is no evidence"


def test_a_regression_equals_a_plain_loop() -> None:
    """With float targets and a loss of the user's own, losses and metrics are a plain loop's."""
    of = task(examples.regression(), examples.line(), 16, {"epochs": 4})
    for optimizer in OPTIMIZERS:
        one = trial(optimizer, 0.05, SEED)
        record = train([one], of)[0]
        for name, values in plain(one, of).items():
            assert getattr(record, name) == pytest.approx(values, rel=1e-4)
