"""Models that torch cannot run as one program train one by one, with every rule's own numbers."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from kit import examples
from kit.apart import COMPARED, agrees, as_in_plain_loops, train
from kit.examples import CPU, OPTIMIZERS, task, trial
from kit.plain_loop import LR, in_double, plain, small
from kit.registries import kept
from kit.unfusable import MODELS, Recurrent, of_model
from trainscape import workloads
from trainscape.cells.imported import Imported
from trainscape.engine.apart import Apart, obstacle
from trainscape.engine.foresight import why_apart
from trainscape.engine.model import Stack
from trainscape.engine.trial import Trial
from trainscape.engine.unfused import Unfused
from trainscape.throughput.identity import Measurement
from trainscape.throughput.suite.loop import Loop
from trainscape.workloads import Metric

if TYPE_CHECKING:
    from trainscape.cells.cell import TrialRecord
    from trainscape.engine.task import Task


@cache
def gated() -> tuple[Task, dict[str, tuple[Trial, TrialRecord]]]:
    """A GRU with every rule, in one pack, beside other rates and seeds."""
    of = of_model("GRU")
    trials = [trial(name, LR.get(name, 0.002), 3) for name in OPTIMIZERS]
    others = [trial(name, 0.01, 4, "constant") for name in OPTIMIZERS]
    whole = sorted([*trials, *others], key=lambda one: repr(one.optimizer))
    found = dict(zip(map(id, whole), train(whole, of), strict=True))
    return of, {one.optimizer.name: (one, found[id(one)]) for one in trials}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_gru_trains_with_every_rule_as_in_a_plain_loop(optimizer: str) -> None:
    """Every epoch's losses and metrics are those of the rule's oracle in torch, to 1e-4."""
    of, records = gated()
    one, record = records[optimizer]
    agrees(record, plain(one, of))
    assert record.train_loss[-1] < record.train_loss[0]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("optimizer", ["adam", "momentum", "muon", "lars"])
def test_other_models_train_as_in_a_plain_loop(name: str, optimizer: str) -> None:
    """Whatever keeps torch from running them as one, the numbers are those of a loop."""
    as_in_plain_loops(of_model(name), optimizer)


def test_frozen_layers_stay_as_they_are() -> None:
    """They are no part of a step, and each trial has its own."""

    def frozen() -> nn.Module:
        model = Recurrent(nn.GRU)
        model.layer.requires_grad_(False)
        return model

    of = task(examples.named(frozen), examples.images(50), 16)
    one = trial("adam", 0.01, 3)
    agrees(train([trial("sgd", 0.1, 1), one], of)[1], plain(one, of))


@pytest.mark.parametrize("name", MODELS)
def test_a_trial_depends_on_no_neighbour(name: str) -> None:
    """Alone, beside others and in another order, a trial's record is the same to the last bit."""
    of = of_model(name)
    trials = [trial("adam", lr, seed) for lr in (0.01, 0.003) for seed in (0, 1)]
    together = train(trials, of)
    assert train(trials[::-1], of) == together[::-1]
    for one, record in zip(trials, together, strict=True):
        assert train([one], of) == [record]


def fusable() -> dict[str, Task]:
    """Tasks whose models run as one program, with what a pack has to keep for them."""
    digits = small(workloads.registry.get("digits-mlp"))
    return {
        "digits": replace(digits, trace=3),
        "bf16": replace(digits, precision="bf16"),
        "dropout": task(examples.named(examples.dropout), examples.images(300, test=290), 64),
        "batch norm": in_double(task(examples.batch_norm(), examples.images(50), 16)),
        "regression": task(examples.regression(), examples.line(), 16, {"epochs": 4}),
        "path": small(workloads.registry.get("valley")),
    }


@pytest.mark.parametrize("name", fusable())
@pytest.mark.parametrize(
    ("optimizer", "schedule"),
    [("adam", "plateau"), ("schedule_free_sgd", "constant"), ("muon", "linear")],
)
def test_both_ways_give_the_same_numbers(name: str, optimizer: str, schedule: str) -> None:
    """A model that runs as one program has the same histories, traces and paths one by one."""
    of = fusable()[name]
    if name == "path" and schedule == "plateau":
        schedule = "cosine"  # there is no validation split to follow
    trials = [trial(optimizer, 0.01, seed, schedule) for seed in (0, 1)]
    near = 0.02 if name == "bf16" else 1e-4
    for fused, apart in zip(train(trials, of, Stack), train(trials, of, Apart), strict=True):
        assert fused.status == apart.status == "ok"
        for metric in (*COMPARED, "fit_loss", "fit_metric", "trace"):
            expected = pytest.approx(
                getattr(fused, metric), rel=near, abs=near if near > 1e-3 else 1e-7
            )
            assert getattr(apart, metric) == expected, metric
        for ours, theirs in zip(apart.path, fused.path, strict=True):
            assert ours == pytest.approx(theirs, rel=near)
        assert bool(fused.path) == (name == "path")


def test_divergence_is_recorded_as_in_other_packs() -> None:
    """Status and step are the same, and training ends when all have diverged."""
    of = task(examples.regression(), examples.line(), 16, {"epochs": 30}, every=0.5)
    for trials in ([trial("sgd", 1e9)], [trial("sgd", 1e9), trial("sgd", 0.01, 2)]):
        fused, apart = train(trials, of, Stack), train(trials, of, Apart)
        assert fused[0].status == "diverged"
        assert [(r.status, r.diverged_at) for r in fused] == [
            (r.status, r.diverged_at) for r in apart
        ]


def looking(output: Tensor, target: Tensor) -> Tensor:
    """A loss that looks at its value."""
    loss = functional.cross_entropy(output, target)
    return loss if loss.item() < 1 else 2 * loss


def counted(output: Tensor, target: Tensor) -> Any:
    """A metric that is a plain number: the sum of the shares that are right, of each label."""
    right = output.argmax(1) == target
    return sum(right[target == label].double().mean().item() for label in set(target.tolist()))


def test_a_loss_and_a_metric_may_take_one_model_at_a_time() -> None:
    """Both may look at numbers; a metric may return a plain one."""
    plain_mlp = small(workloads.registry.get("digits-mlp"))
    metric = Metric("recall", "max", "", lambda o, t: torch.as_tensor(counted(o, t)))
    workload = replace(plain_mlp.workload, loss=looking, metric=metric)
    of = replace(plain_mlp, workload=workload)
    one = trial("adam", 0.01, 3)
    expected = plain(one, of)
    bare = replace(workload, metric=replace(metric, compute=counted))
    for made in (of, replace(of, workload=bare)):
        [record] = train([one], made)
        for name in ("train_loss", "val_loss", "test_loss"):
            assert getattr(record, name) == pytest.approx(expected[name], rel=1e-4)
        assert len(record.test_metric) == 3
        line = why_apart(made)
        assert line and "the loss or metric (" in line
        torchs = Trial(Imported("torch.optim.Adam", {}), one.lr, one.schedule, one.seed)
        [[other]] = list(Unfused(made).train([torchs], lambda _: None))
        assert other.test_metric == pytest.approx(record.test_metric, rel=1e-4)


@pytest.mark.parametrize("name", workloads.registry.names())
def test_our_own_workloads_train_as_one_program(name: str) -> None:
    """``trainscape estimate`` relies on it."""
    assert obstacle(small(workloads.registry.get(name))) is None


@pytest.mark.parametrize("optimizer", ["adam", "muon", "lars", "schedule_free_adamw"])
def test_their_steps_are_timed(optimizer: str) -> None:
    """The plain loop of the step times takes such models, too."""
    with kept(workloads.registry):
        workloads.registry.add("example", examples.named(MODELS["GRU"]), __file__)
        wanted = Measurement("example", optimizer, {"name": optimizer}, 16, "step")
        loop = Loop(wanted, of_model("GRU").splits.train, CPU)
        before = [param.detach().clone() for param in loop.model.parameters()]
        loop.run(3)
        after = loop.model.parameters()
        assert not any(map(torch.equal, before, after))
