"""Training a pack: evaluations, histories, divergence, and what a trial may not share."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from kit import examples
from kit.examples import CPU, OPTIMIZERS, packed, task, train, trained, trial
from kit.tasks import batches, digits, line
from trainscape import workloads
from trainscape.engine.model import build
from trainscape.engine.run import train_cells
from trainscape.engine.trial import METRICS

if TYPE_CHECKING:
    from collections.abc import Callable

    from trainscape.engine.task import Task


@pytest.mark.parametrize(
    ("budget", "every", "steps"),
    [
        ({"epochs": 2}, 1.0, [3, 6]),
        ({"epochs": 2}, 0.5, [2, 3, 5, 6]),
        ({"steps": 5}, 1.0, [3, 5]),
        ({"steps": 1}, 1.0, [1]),
    ],
)
def test_a_history_has_an_entry_per_evaluation(
    budget: dict[str, int], every: float, steps: list[int]
) -> None:
    """Histories are as long as the plan's evaluations; the fit is scored at the last alone."""
    of = digits(budget=budget, every=every)
    seen: list[int] = []
    record = train([trial()], of, seen.append)[0]
    assert of.plan.evaluations == steps
    assert seen == steps
    lengths = {name: len(getattr(record, name)) for name in METRICS}
    assert lengths == {name: 1 if name.startswith("fit") else len(steps) for name in METRICS}
    assert (record.status, record.diverged_at) == ("ok", None)


def test_train_loss_is_the_mean_of_the_batch_losses_since_the_evaluation_before() -> None:
    """With weights that stay, it is the plain mean of the initial model's loss on those batches."""
    of = line(budget={"epochs": 2}, every=0.5)
    record = train([trial("sgd", 0.0, 4)], of)[0]
    model = build(of.workload.build, 4)
    losses = [of.workload.loss(model(x), y).item() for x, y in batches(of, 4, 6)]
    bounds = [0, *of.plan.evaluations]
    parts = [losses[a:b] for a, b in pairwise(bounds)]
    assert [len(part) for part in parts] == [2, 1, 2, 1]
    assert record.train_loss == pytest.approx([sum(part) / len(part) for part in parts], rel=1e-6)


def test_scores_are_means_over_all_examples() -> None:
    """A split of more than one chunk, the last one short, is scored as if it were one batch."""
    of = task(workloads.registry.get("digits-mlp"), examples.images(40, test=300), 16)
    record = train([trial("sgd", 0.0)], of)[0]
    output = build(of.workload.build, 0)(of.splits.test.x)
    right = (output.argmax(1) == of.splits.test.y).sum().item()
    assert record.test_metric[0] == pytest.approx(right / 300, abs=1e-12)
    expected = functional.cross_entropy(output, of.splits.test.y).item()
    assert record.test_loss[0] == pytest.approx(expected, rel=1e-6)


def test_the_fit_is_scored_on_training_examples_by_the_same_weights() -> None:
    """``fit`` values are those of a fixed, random part of the training split."""
    of = task(workloads.registry.get("digits-mlp"), examples.images(100, test=30), 16)
    assert len(of.splits.fit.y) == 30
    same = (of.splits.fit.x[:, None] == of.splits.train.x).flatten(2).all(2)
    rows = same.nonzero()[:, 1]
    assert (
        len(rows) == 30 and len(set(rows.diff().tolist())) > 3
    )  # parts of train, at no fixed distance
    record = train([trial("sgd", 0.0)], of)[0]
    output = build(of.workload.build, 0)(of.splits.fit.x)
    expected = functional.cross_entropy(output, of.splits.fit.y).item()
    assert record.fit_loss[-1] == pytest.approx(expected, rel=1e-6)


def lost_at(of: Task, lr: float, seed: int) -> int | None:
    """The step, from 1, of a plain loop at which a loss, also of an evaluation, is not finite."""
    model = build(of.workload.build, seed)
    optimizer = torch.optim.SGD(model.parameters(), lr)
    for k, (x, y) in enumerate(batches(of, seed, of.plan.total), start=1):
        optimizer.zero_grad()
        loss = of.workload.loss(model(x), y)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses = [loss]
        if k in of.plan.evaluations:
            losses += [of.workload.loss(model(s.x), s.y) for s in (of.splits.val, of.splits.test)]
        if not all(loss.isfinite() for loss in losses):
            return k
    return None


@pytest.mark.parametrize("every", [0.5, 100.0])
def test_a_trial_that_diverges_is_recorded_with_its_step(every: float) -> None:
    """Status, step and a history cut before it, for rates that blow up early, late and never."""
    of = line(budget={"steps": 60}, every=every)
    rates = [1e-3, 3.0, 30.0, 1e4, 1e30]
    trials = [trial("sgd", lr, 2, "constant") for lr in rates]
    steps = [lost_at(of, lr, 2) for lr in rates]
    records = train(trials, of)
    assert [record.diverged_at for record in records] == steps
    assert steps[0] is None
    assert len(set(steps)) == len(rates), "rates that end at one step tell nothing apart"
    for record, step in zip(records, steps, strict=True):
        assert record.status == ("ok" if step is None else "diverged")
        kept = sum(1 for at in of.plan.evaluations if step is None or at < step)
        lengths = {len(getattr(record, name)) for name in METRICS if not name.startswith("fit")}
        assert lengths == {kept}
        assert len(record.fit_loss) == len(record.fit_metric) == (step is None)


def test_weights_that_overflow_at_an_evaluation_are_a_divergence() -> None:
    """The loss of the last step is finite, the weights after it are not: that step is recorded."""
    of = line(budget={"steps": 1})
    record = train([trial("sgd", 3e38, 0, "constant")], of)[0]
    assert (record.status, record.diverged_at, record.train_loss) == ("diverged", 1, [])


class Bounded(nn.Module):
    """The hyperbolic tangent of one weight times the first input: finite for infinite weights."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return (self.weight * x[:, :1]).tanh()


def test_infinite_weights_are_a_divergence_though_every_loss_is_finite() -> None:
    """The evaluation looks at the weights themselves."""
    of = line(budget={"steps": 1})
    steep = replace(of.workload, build=Bounded, loss=lambda o, t: 100 * examples.mse(o, t))
    record = train([trial("sgd", 3e38, 0, "constant")], replace(of, workload=steep))[0]
    assert (record.status, record.diverged_at) == ("diverged", 1)


def test_a_trace_ends_where_its_trial_diverged_whatever_trains_beside_it() -> None:
    """A lost trial whose losses stay finite records them up to the step that lost it."""
    of = line(budget={"epochs": 4})
    steep = replace(of.workload, build=Bounded, loss=lambda o, t: 100 * examples.mse(o, t))
    traced = replace(of, workload=steep, trace=1)
    lost, well = trial("sgd", 3e38, 0, "constant"), trial("sgd", 1e-6, 0, "constant")
    alone, beside = train([lost], traced)[0], train([lost, well], traced)[0]
    assert alone == beside
    assert (alone.status, len(alone.trace)) == ("diverged", alone.diverged_at)
    assert train([lost, well], replace(traced, trace=2))[0].trace == alone.trace[::2]


def test_a_pack_that_has_diverged_whole_stops() -> None:
    """Training ends at the evaluation after the last trial is lost, not at the plan's end."""
    of = line(budget={"epochs": 50})
    seen: list[int] = []
    trials = [trial("sgd", 1e30, seed) for seed in (0, 1)]
    train(trials, of, seen.append)
    assert seen == [2 * 3]
    seen.clear()
    train([*trials, trial("sgd", 0.01)], of, seen.append)
    assert seen[-1] == 3 * 150


def test_no_record_holds_a_number_that_is_not_finite() -> None:
    """Among rates from harmless to absurd, whatever the optimizer, histories hold numbers only."""
    of = line(budget={"epochs": 4}, every=0.5)
    trials = [trial(o, 10.0**e, 0, "constant") for o in OPTIMIZERS for e in range(-3, 39, 3)]
    records = train(trials, of)
    values = [v for record in records for name in METRICS for v in getattr(record, name)]
    assert all(map(math.isfinite, values))
    assert {record.status for record in records} == {"ok", "diverged"}


@pytest.mark.parametrize("make", [digits, line])
def test_every_optimizer_diverges_at_an_absurd_rate(make: Callable[..., Task]) -> None:
    """At a rate of 1e36 every optimizer's trial is recorded as diverged, on either task."""
    of = make(budget={"epochs": 4})
    trials = [trial(o, 1e36, 0, "constant") for o in OPTIMIZERS]
    records = train(trials, of)
    found = {t.optimizer.name: record.status for t, record in zip(trials, records, strict=True)}
    assert found == dict.fromkeys(OPTIMIZERS, "diverged")


def test_without_validation_its_histories_are_empty() -> None:
    """A validation share of 0 leaves training and test histories only."""
    of = digits(validation=0.0)
    record = train([trial()], of)[0]
    assert (record.val_loss, record.val_metric) == ([], [])
    assert len(record.train_loss) == len(record.test_loss) == len(record.test_metric) == 2


def test_records_come_in_the_order_of_the_trials() -> None:
    """Trials of equal optimizers are updated together; their records return to their places."""
    of = digits()
    trials = [trial(OPTIMIZERS[(3 * i) % 7], 0.003, seed) for i, seed in enumerate(range(10, 24))]
    records = train(trials, of)
    assert [record.seed for record in records] == list(range(10, 24))
    for one, record in list(zip(trials, records, strict=True))[:8]:
        assert train([one], of) == [record]


def test_a_seed_decides_weights_and_order_and_nothing_else_does() -> None:
    """At lr 0 all optimizers and schedules of a seed have equal records; other seeds differ."""
    of = digits()
    chosen = [("sgd", "cosine"), ("momentum", "constant"), ("adam", "linear")]
    by_seed = [train([trial(o, 0.0, seed, s) for o, s in chosen], of) for seed in (0, 1, 2)]
    for records in by_seed:
        assert records[0] == records[1] == records[2]
    assert len({records[0].train_loss[0] for records in by_seed}) == 3
    assert len({records[0].test_loss[0] for records in by_seed}) == 3


def test_training_twice_gives_equal_records() -> None:
    """Two runs agree to the bit, whatever torch's own generator holds."""
    of = task(examples.named(examples.dropout), examples.images(40))
    trials = [trial(o, 0.01, i % 2) for i, o in enumerate(OPTIMIZERS)]
    torch.manual_seed(1)
    first = trained(trials, of)
    torch.manual_seed(2)
    assert trained(trials, of) == first


def test_training_leaves_torchs_generator_alone() -> None:
    """Nothing draws from the process's own random numbers."""
    of = task(examples.named(examples.dropout), examples.images(40))
    before = torch.get_rng_state()
    train([trial()], of)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_regression_learns() -> None:
    """With float targets and a metric of which less is better, the metric falls by far."""
    of = line(budget={"epochs": 40})
    record = train([trial("adam", 0.1)], of)[0]
    assert of.workload.metric.better(record.val_metric[-1], record.val_metric[0])
    assert record.test_metric[-1] < 0.01 < record.test_metric[0]
    assert record.test_metric == pytest.approx(record.test_loss, rel=1e-6)


def test_cells_become_records_in_their_order() -> None:
    """Plain data in, one record per seed and cell out, with hyperparameters and rates applied."""

    def spec(name: str, lr: float, seeds: list[int], **hyperparameters: float) -> dict[str, object]:
        return {
            "workload": "digits-mlp",
            "optimizer": {"name": name, **hyperparameters},
            "schedule": {"name": "step", "every": "2 steps", "gamma": 0.5},
            "lr": lr,
            "seeds": seeds,
            "batch_size": 16,
            "budget": {"epochs": 2},
            "validation": 0.1,
            "evaluate_every": 1.0,
            "precision": "fp32",
        }

    specs = [
        spec("sgd", 0.1, [5, 3]),
        spec("momentum", 0.1, [5, 3], momentum=0.0),
        spec("momentum", 0.1, [3], momentum=0.5),
        spec("sgd", 0.2, [3]),
    ]
    steps, records = train_cells(specs, examples.images(40), CPU)
    assert steps == [3, 6]
    assert [[record.seed for record in cell] for cell in records] == [[5, 3], [5, 3], [3], [3]]
    assert records[0] == records[1], "momentum of 0 is sgd"
    assert len({tuple(cell[-1].train_loss) for cell in records[1:]}) == 3
    alone = train_cells(specs[2:3], examples.images(40), CPU)[1]
    assert [asdict(record) for record in alone[0]] == [asdict(record) for record in records[2]]


def test_every_step_of_a_schedule_reaches_the_update() -> None:
    """A rate that is 0 after two steps leaves the weights where two steps brought them."""
    of = digits(budget={"steps": 6})
    halted = train_until(of, "step", {"every": "2 steps", "gamma": 1e-30})
    short = train_until(digits(budget={"steps": 2}), "constant", {})
    torch.testing.assert_close(halted, short, rtol=0, atol=1e-20)


def train_until(of: Task, schedule: str, parameters: dict[str, object]) -> Tensor:
    """The weights of one trial of SGD after training."""
    from trainscape import schedules

    made = schedules.registry.get(schedule)(**parameters)  # type: ignore[arg-type]
    one = replace(trial("sgd", 0.1), schedule=made)
    pack, _ = packed([one], of)
    return pack.stack.flat[0]
