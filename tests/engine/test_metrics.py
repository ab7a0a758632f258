"""Losses and metrics that are no mean over examples: of a whole split, however it is evaluated."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, log_loss, r2_score, roc_auc_score
from torch import nn
from torch.nn import functional

from kit import examples
from kit.crowds import crowd, parts
from kit.examples import OPTIMIZERS, packed, task, train, trial
from kit.registries import shipped
from trainscape import workloads
from trainscape.datasets import Arrays
from trainscape.engine import trial as scoring
from trainscape.engine.lanes import Lanes
from trainscape.engine.pack import Pack
from trainscape.engine.unfused import Single
from trainscape.engine.width import suitable
from trainscape.workloads import Metric, Workload, example_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from trainscape.engine.data import Split
    from trainscape.engine.task import Task
    from trainscape.workloads._base import Loss

    Values = NDArray[Any]
    Theirs = Callable[[Values, Values], float]

SIZES = {"val": 300, "test": 700}  # CHUNK is 256: two parts and three, the last ones not whole


def logits_loss(output: Tensor, target: Tensor) -> Tensor:
    """The mean cross-entropy of logits (B, 1) against 0 or 1 (B,)."""
    return functional.binary_cross_entropy_with_logits(output.squeeze(-1), target.to(output.dtype))


def weighted_loss(output: Tensor, target: Tensor) -> Tensor:
    """The same, the rarer class counting four times: by the weights of the examples given."""
    each = functional.binary_cross_entropy_with_logits(
        output.squeeze(-1), target.to(output.dtype), reduction="none"
    )
    weights = 1 + 3 * target
    return (each * weights).sum() / weights.sum()


def f1(output: Tensor, target: Tensor) -> Tensor:
    """2 TP / (2 TP + FP + FN), of logits (N, 1) and 0 or 1 (N,)."""
    found = (output.squeeze(-1) > 0).double()
    return 2 * (found * target).sum() / (found.sum() + target.sum()).clamp(min=1)


def auc(output: Tensor, target: Tensor) -> Tensor:
    """The share of pairs of a 1 and a 0 that the logits (N, 1) put in order, by their ranks."""
    ranks = output.squeeze(-1).argsort().argsort().double() + 1
    ones = target.double().sum()
    zeros = len(target) - ones
    return ((ranks * target).sum() - ones * (ones + 1) / 2) / (ones * zeros)


def r2(output: Tensor, target: Tensor) -> Tensor:
    """1 − the squared errors' sum over that of the deviations from the targets' mean."""
    target = target.double()
    left = (output.squeeze(-1).double() - target).square().sum()
    return 1 - left / (target - target.mean()).square().sum()


@dataclass(frozen=True)
class Case:
    """A loss and a metric, and scikit-learn's."""

    loss: Loss
    metric: Loss
    their_loss: Theirs
    their_metric: Theirs


def chance(of: Values) -> Values:
    """The share of ones that logits mean."""
    return 1 / (1 + np.exp(-of.astype(np.float64)))


def their_weighted_loss(y: Values, of: Values) -> float:
    """scikit-learn's cross-entropy with sample weights."""
    return float(log_loss(y, chance(of), sample_weight=1 + 3 * y))


def their_f1(y: Values, of: Values) -> float:
    """scikit-learn's F1."""
    return float(f1_score(y, of > 0))


def squares(y: Values, of: Values) -> float:
    """The mean squared error."""
    return float(np.square(of.astype(np.float64) - y).mean())


CASES = {
    "F1": Case(weighted_loss, f1, their_weighted_loss, their_f1),
    "AUC": Case(logits_loss, auc, lambda y, of: float(log_loss(y, chance(of))), roc_auc_score),
    "R2": Case(examples.mse, r2, squares, r2_score),
}


def rare(regression: bool) -> Arrays:
    """Four numbers and a target: a linear function of them with noise, or whether it is large.

    The examples are sorted by the target, so that parts of a split differ as much as they can.
    """
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1600, 4))
    noisy = x @ np.array([1.0, -2.0, 0.5, 0.0]) + rng.normal(size=1600)
    y = noisy if regression else (noisy > 2.0).astype(np.int64)
    train, test = np.argsort(y[:900], kind="stable"), 900 + np.argsort(y[900:], kind="stable")
    return Arrays(x[train], y[train], x[test], y[test])


def judged(name: str) -> Task:
    """A small network that is judged by one of the metrics."""
    case = CASES[name]
    workload = Workload(
        name,
        "rare",
        lambda: nn.Sequential(nn.Linear(4, 9), nn.Tanh(), nn.Linear(9, 1)),
        target=0.5,
        loss=case.loss,
        metric=Metric(name, "max", "", case.metric),
    )
    made = task(workload, rare(name == "R2"), 50, {"epochs": 2}, validation=1 / 3)
    assert {size: len(getattr(made.splits, size).y) for size in SIZES} == SIZES
    return made


def theirs(model: Callable[[Tensor], Tensor], split: Split, case: Case) -> tuple[float, float]:
    """scikit-learn's loss and metric of a whole split."""
    with torch.no_grad():
        output, y = model(split.x).squeeze(-1).numpy(), split.y.numpy()
    return case.their_loss(y, output), case.their_metric(y, output)


@pytest.mark.parametrize("name", CASES)
def test_a_split_is_scored_as_a_whole(name: str) -> None:
    """By both engines: F1, AUC, R² and a weighted loss are scikit-learn's on the whole split."""
    of, one, case = judged(name), trial("sgd", 0.1), CASES[name]
    single = Single(of, one)
    unfused = single.train(lambda _: None)
    # what sorts is in no table of operations: it trains by torch
    kind = Pack if name == "AUC" else Lanes
    pack, _ = packed([one, trial("adam", 0.01, 1)], of, kind)
    place = next(i for i, t in enumerate(pack.trials) if t == one)
    fused = pack.records()[place]
    state = {key: value[place].detach() for key, value in pack.stack.params.items()}
    for record, model in (
        (unfused, single.model),
        (fused, lambda x: torch.func.functional_call(pack.stack.template, state, (x,))),
    ):
        for split in ("val", "test", "fit"):
            loss, metric = theirs(model, getattr(of.splits, split), case)
            assert getattr(record, f"{split}_loss")[-1] == pytest.approx(loss, rel=1e-5)
            assert getattr(record, f"{split}_metric")[-1] == pytest.approx(metric, rel=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_the_parts_of_an_evaluation_decide_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A split scored in parts of another size has the same loss and metric."""
    one = trial("momentum", 0.02)
    [before] = train([one], judged(name))
    monkeypatch.setattr(scoring, "CHUNK", 64)
    [after] = train([one], judged(name))
    assert before.status == after.status == "ok"
    for value in ("val_loss", "val_metric", "test_loss", "test_metric"):
        assert getattr(after, value) == pytest.approx(getattr(before, value), rel=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_a_metric_of_a_whole_split_is_the_same_in_every_pack(name: str) -> None:
    """At widths 1 to 33 the bits of a trial's values are the same as together."""
    of, trials = judged(name), crowd()
    of = replace(of, plan=replace(of.plan, budget={"steps": 4}, evaluate_every=0.2))
    together = train(trials, of)
    for part in parts()[::2]:
        assert train(trials[part], of) == together[part]


def test_a_metric_that_no_pack_could_run_works_trial_by_trial() -> None:
    """scikit-learn's own function, which returns a plain number."""
    of = judged("F1")
    theirs = replace(of.workload.metric, compute=lambda o, y: f1_score(y, o.squeeze(-1) > 0))
    one = trial("sgd", 0.1)
    record = Single(replace(of, workload=replace(of.workload, metric=theirs)), one).train(print)
    assert record.test_metric == pytest.approx(Single(of, one).train(print).test_metric)


def test_outputs_that_are_held_count_as_memory() -> None:
    """A pack of a workload with large outputs is narrower where a whole split's are held."""
    wide = replace(judged("F1").workload, build=lambda: nn.Linear(4, 20_000))
    parts = example_mean(lambda output, _: output.mean())
    of = task(wide, rare(regression=False), 50, validation=1 / 3)
    marked = replace(wide, loss=parts, metric=replace(wide.metric, compute=parts))
    assert suitable(of) < suitable(replace(of, workload=marked))


def test_only_means_over_examples_are_scored_in_parts() -> None:
    """The package's losses and metrics are; a user's are when they are marked."""
    own = judged("AUC").workload
    assert not own.in_parts
    assert not replace(own, metric=workloads.MSE).in_parts, "the loss is not marked"
    marked = example_mean(lambda output, target: (output - target).mean())
    assert replace(own, loss=marked, metric=Metric("gap", "min", "", marked)).in_parts
    with shipped(workloads.registry):
        for name in workloads.registry.names():
            assert workloads.registry.get(name).in_parts


def test_a_mean_scored_in_parts_is_that_of_the_whole() -> None:
    """A marked loss and metric come to the same, rounding apart, as unmarked ones."""
    of = task(workloads.registry.get("digits-mlp"), examples.images(900, test=300), 50)
    whole = replace(
        of.workload,
        loss=lambda output, target: workloads.Workload.loss(output, target),
        metric=replace(
            of.workload.metric, compute=lambda o, t: (o.argmax(-1) == t).double().mean()
        ),
    )
    trials = [trial(name, 0.01) for name in OPTIMIZERS[:3]]
    for a, b in zip(train(trials, of), train(trials, replace(of, workload=whole)), strict=True):
        for value in ("val_loss", "val_metric", "test_loss", "test_metric", "fit_loss"):
            assert getattr(a, value) == pytest.approx(getattr(b, value), rel=1e-6)
