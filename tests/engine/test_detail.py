"""What a detailed trial's record holds: outcomes of examples and the noise of gradients."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from kit import examples
from kit.crowds import WORKLOADS, crowd, parts, sized
from kit.examples import CPU, task, train, trained, trial
from kit.unfusable import MODELS, of_model
from trainscape import schedules, study, workloads
from trainscape.cells import grid
from trainscape.cells.imported import Imported
from trainscape.cells.outcomes import unpacked
from trainscape.engine import detail, questions
from trainscape.engine.apart import Apart
from trainscape.engine.data import Split
from trainscape.engine.fused import Fused
from trainscape.engine.run import train_cells
from trainscape.engine.trial import Trial
from trainscape.engine.unfused import Single, Unfused
from trainscape.workloads import MSE, Metric, cross_entropy, mean_squared_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from trainscape.cells.cell import TrialRecord
    from trainscape.engine.task import Task


def dropout() -> Task:
    """Dropout of channels and features; two chunks of test examples."""
    return task(examples.named(examples.dropout), examples.images(300, test=290), 64)


def few() -> Task:
    """Fewer training examples than the stated batch has."""
    return task(workloads.registry.get("digits-mlp"), examples.images(40), 16)


def line() -> Task:
    """A regression whose loss and metric are means over examples."""
    workload = replace(examples.regression(), loss=mean_squared_error, metric=MSE)
    made = task(workload, examples.line(80), 16)
    shaped = {name: Split(split.x, split.y[:, None]) for name, split in vars(made.splits).items()}
    return replace(made, splits=replace(made.splits, **shaped))


def detailed(of: Task) -> Task:
    """The same task for detailed cells."""
    return replace(of, detailed=True)


def bare(record: TrialRecord) -> TrialRecord:
    """The record without what detailed cells have beside the others."""
    return replace(record, outcomes="", noise=[])


def own(spec: str, lr: float, seed: int) -> Trial:
    """A trial of an optimizer by its import path."""
    optimizer = Imported.of({"name": "torch", "torch": spec})
    return Trial(optimizer, lr, schedules.registry.get("constant")(), seed)


def unfused(trials: list[Trial], of: Task) -> list[TrialRecord]:
    """The records of trials that train one after the other."""
    return [record for made in Unfused(of).train(trials, lambda _: None) for record in made]


@pytest.mark.parametrize("of", [dropout, few, line])
@pytest.mark.parametrize("optimizer", ["adam", "schedule_free_sgd", "muon"])
def test_outcomes_are_those_of_the_last_evaluation(of: Callable[[], Task], optimizer: str) -> None:
    """Their mean is the last test metric: at the weights that it was scored at."""
    made = detailed(of())
    for record in train([trial(optimizer, 0.01, seed) for seed in range(3)], made):
        values = unpacked(record.outcomes, len(made.splits.test.y))
        assert len(values) == len(made.splits.test.y)
        assert sum(values) / len(values) == pytest.approx(record.test_metric[-1], rel=1e-6)
        assert isinstance(record.outcomes, str) == (made.workload.metric.unit == "fraction")


def by_hand(of: Task, model: nn.Module, seed: int) -> list[float]:
    """The pair m and M of a model in float64, one example after the other."""
    model = model.double().eval()
    x, y = of.splits.train.x, of.splits.train.y
    gradients = []
    for row in of.order(seed, 0)[: detail.EXAMPLES].tolist():
        target = y[row : row + 1]
        target = target.double() if target.is_floating_point() else target
        loss = of.workload.loss(model(x[row : row + 1].double()), target)
        params = [param for param in model.parameters() if param.requires_grad]
        made = torch.autograd.grad(loss, params, materialize_grads=True)
        gradients.append(torch.cat([slope.flatten() for slope in made]))
    whole = torch.stack(gradients)
    return [whole.square().sum(1).mean().item(), whole.mean(0).square().sum().item()]


@pytest.mark.parametrize("of", [dropout, few, line])
def test_noise_is_that_of_single_examples_gradients(of: Callable[[], Task]) -> None:
    """At every evaluation, without dropout and at the weights that train, in both engines."""
    made = detailed(of())
    single = Single(made, own("torch.optim.SGD", 0.1, 2), apart=False)
    expected = []
    for k in range(made.plan.total):
        single.step(k)
        if k + 1 in made.plan.evaluations:
            model = made.workload.build()
            model.load_state_dict(
                {n: p for n, p in single.model.state_dict().items() if not n.endswith("mask")}
            )
            expected.append(by_hand(made, model, 2))
    [fused] = train([trial("sgd", 0.1, 2, "constant")], made)
    [[alone]] = Unfused(made, apart=False).train([own("torch.optim.SGD", 0.1, 2)], lambda _: None)
    assert len(expected) == len(made.plan.evaluations)
    for found, unfused_, wanted in zip(fused.noise, alone.noise, expected, strict=True):
        assert found == pytest.approx(wanted, rel=1e-4)
        assert unfused_ == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("numbers", [1, 5_000, 200_000, 1_200_000, 10**9])
def test_slices_keep_to_the_memory(numbers: int) -> None:
    """However large a model, gradients of single examples take 256 MB, or are as few as can be."""
    rows = detail._rows(numbers)
    trials = detail.trials_at_once(numbers) if rows == detail.EXAMPLES else 2
    taken = trials * rows * numbers * detail.BYTES
    assert taken <= detail.ROOM or (trials, rows) == (2, 1)
    assert detail.EXAMPLES % rows == 0


def test_the_size_of_a_slice_changes_no_more_than_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices of eight examples come to what all of them at once do."""
    of = detailed(dropout())
    trials = [trial("adam", 0.01, seed) for seed in range(3)]
    whole = train(trials, of)
    monkeypatch.setattr(detail, "_rows", lambda _: 8)
    monkeypatch.setattr(questions, "trials_at_once", lambda _: 2)
    for one, other in zip(train(trials, of), whole, strict=True):
        assert one.noise != [] and bare(one) == bare(other)
        for found, wanted in zip(one.noise, other.noise, strict=True):
            assert found == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("name", WORKLOADS)
def test_detail_changes_nothing_else_in_a_pack(name: str) -> None:
    """Records, weights and buffers have the bits that they have without it."""
    of, trials = sized(WORKLOADS[name](), "full"), crowd()
    plain, asked = trained(trials, of), trained(trials, detailed(of))
    assert [replace(one, record=bare(one.record)) for one in asked] == plain
    assert all(one.record.outcomes for one in asked if one.record.status == "ok")
    assert not any(one.record.outcomes for one in asked if one.record.status != "ok")


@pytest.mark.parametrize("name", ["digits-mlp", "odd", "silu", "dropout", "digits-cnn"])
def test_detail_is_the_same_in_every_pack(name: str) -> None:
    """Outcomes and noise, to the last bit, at widths 1 to 33 and wherever a trial lies."""
    of = detailed(sized(WORKLOADS[name](), "full"))
    trials = crowd()
    together = [one.record for one in trained(trials, of)]
    assert len({str(record.noise) for record in together if record.noise}) > 20
    assert [one.record for one in trained(trials[::-1], of)] == together[::-1]
    for part in parts():
        assert [one.record for one in trained(trials[part], of)] == together[part]


@pytest.mark.parametrize("name", MODELS)
def test_models_that_run_one_by_one_have_it_too(name: str) -> None:
    """Whatever keeps torch from running them as one; the unfused engine finds the same."""
    plain = of_model(name)
    of = detailed(plain)
    trials = [trial("sgd", 0.01, seed, "constant") for seed in (0, 1)]
    engine = Fused(of, None, lambda _: None)
    records = [record for part in engine.train(trials, lambda _: None) for record in part]
    assert engine.usual is Apart
    assert [bare(record) for record in records] == train_quietly(trials, plain)
    [alone] = unfused([own("torch.optim.SGD", 0.01, 1)], of)
    assert unpacked(records[1].outcomes, 20) == unpacked(alone.outcomes, 20) != []
    assert bool(alone.noise) == (name != "branching")  # which has batch normalisation
    for found, wanted in zip(records[1].noise, alone.noise, strict=True):
        assert found == pytest.approx(wanted, rel=1e-4)
        assert found[0] > found[1] > 0


def train_quietly(trials: list[Trial], of: Task) -> list[TrialRecord]:
    """The records of a run that says nothing."""
    made = Fused(of, None, lambda _: None).train(trials, lambda _: None)
    return [record for part in made for record in part]


def test_detail_changes_nothing_else_in_a_loop() -> None:
    """Unfused records are otherwise the same, those of an optimizer that tries weights, too."""
    for path in ("torch.optim.Adam", "torch.optim.LBFGS"):
        plain = unfused([own(path, 0.01, 1)], dropout())
        assert [
            bare(record) for record in unfused([own(path, 0.01, 1)], detailed(dropout()))
        ] == plain


def summed(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """A loss that is no mean over examples."""
    found: torch.Tensor = cross_entropy(output, target) * len(target) ** 0.5
    return found


def test_what_is_no_mean_over_examples_has_none() -> None:
    """A loss of another kind has no noise, such a metric no outcomes; the other stays."""
    of = few()
    loss = detailed(replace(of, workload=replace(of.workload, loss=summed)))
    metric = Metric("sum", "max", "", lambda output, y: (output.argmax(-1) == y).double().sum())
    scored = detailed(replace(of, workload=replace(of.workload, metric=metric)))
    for optimizer in (trial("sgd", 0.1, 0, "constant"), own("torch.optim.SGD", 0.1, 0)):
        engine = unfused if isinstance(optimizer.optimizer, Imported) else train_quietly
        [without_noise], [without_outcomes] = (engine([optimizer], made) for made in (loss, scored))
        assert (without_noise.noise, bool(without_noise.outcomes)) == ([], True)
        assert (without_outcomes.outcomes, bool(without_outcomes.noise)) == ("", True)


def test_batch_normalisation_has_no_noise() -> None:
    """Examples meet in it; outcomes it has."""
    of = detailed(task(examples.batch_norm(), examples.images(100), 32))
    [record] = train([trial()], of)
    assert record.noise == [] and record.outcomes


class Running(nn.Module):
    """Keeps a running mean of its inputs in a buffer."""

    mean: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.mean.mul_(0.9).add_(x.mean(0), alpha=0.1)
        return x - self.mean


def test_a_buffer_that_training_changes_means_no_noise() -> None:
    """As of batch normalisation, of a normalisation of the user's own."""
    of = examples.named(lambda: nn.Sequential(nn.Flatten(), Running(), nn.Linear(64, 10)))
    [record] = train_quietly([trial()], detailed(task(of, examples.images(40), 16)))
    assert record.noise == [] and record.outcomes


def rooted(output: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    """A loss that is finite where its gradient is not."""
    found: torch.Tensor = (output * 0).abs().sqrt().mean()
    return found


def test_noise_that_is_not_finite_is_left_out() -> None:
    """A file holds no such number; the trial's record stays readable."""
    rooted.example_mean = True  # type: ignore[attr-defined]
    of = few()
    made = detailed(replace(of, workload=replace(of.workload, loss=rooted)))
    made = replace(made, plan=replace(made.plan, budget={"steps": 1}))
    [record] = train_quietly([trial("sgd", 0.0, 0, "constant")], made)
    assert record.noise == []


@pytest.mark.parametrize("optimizer", ["adam", {"torch": "torch.optim.Adam"}])
def test_a_cell_asks_for_it(optimizer: Any) -> None:
    """By its spec, in which it stands only where it is asked for; in bfloat16, too."""
    axes = {"optimizer": [optimizer], "batch_size": [16], "lr": [0.01]}
    raw = {"budget": {"epochs": 1}, "seeds": 2, "precision": "bf16", "grid": axes}
    [cell] = grid.cells(study.parse(raw, "test"))
    asked = replace(cell, detailed=True)
    assert "detailed" not in cell.spec() and asked.spec() == {**cell.spec(), "detailed": True}
    [plain], [made] = (train_cells([c.spec()], examples.images(60), CPU)[1] for c in (cell, asked))
    assert [bare(record) for record in made] == plain
    assert all(record.outcomes and len(record.noise) == 1 for record in made)
