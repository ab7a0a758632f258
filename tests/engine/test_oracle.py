"""The engine against the loop that a practitioner would write with ``torch.optim``.

Where torch lacks an optimizer, the loop takes the oracle that its rule is tested against.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from kit import examples
from kit.examples import OPTIMIZERS, Task, task, trial
from kit.oracles import oracle
from trainscape import datasets, workloads
from trainscape.cells.imported import switch
from trainscape.datasets import Raw
from trainscape.engine import streams
from trainscape.engine.data import Split, Splits
from trainscape.engine.model import MaskedDropout, build
from trainscape.engine.pack import train
from trainscape.schedules import Clock

if TYPE_CHECKING:
    from torch import Tensor, nn

    from trainscape.cells.cell import TrialRecord
    from trainscape.datasets import Arrays
    from trainscape.engine.trial import Trial
    from trainscape.workloads import Workload

SEED = 3
METRICS = ("val_loss", "val_metric", "test_loss", "test_metric")
LR = {  # others: 0.002
    "sgd": 0.1,
    "momentum": 0.03,
    "nesterov": 0.03,
    "adagrad": 0.02,
    "adadelta": 1.0,
    "lion": 0.0002,  # a sign of what is nothing but rounding (in_double) is worth that much
    "lars": 5.0,
    "lamb": 0.01,
    "muon": 0.02,
    "schedule_free_sgd": 0.3,
    "schedule_free_adamw": 0.005,
}
WORKLOADS = [*workloads.registry.names(), "batch-norm"]
EMBEDDED = (
    "digits",
    "point",
    "regression",
)  # datasets that need no download; their models are small
FEW = ("adam", "momentum", "muon")  # rules for the large models: a rule does not know its model


def rules(name: str) -> tuple[str, ...]:
    """The optimizers that a workload is trained with here."""
    own = name not in workloads.registry.names()
    small = own or workloads.registry.get(name).dataset in EMBEDDED
    return tuple(OPTIMIZERS) if small else FEW


def plain(one: Trial, of: Task) -> dict[str, list[float]]:
    """Train one model on its own, by the optimizer's oracle; its history as in a record."""
    model = build(of.workload.build, one.seed)
    optimizer = oracle(one.optimizer, list(model.parameters()), one.lr)
    factors = one.schedule.table(Clock(of.plan.epoch, of.plan.total))
    history: dict[str, list[float]] = {name: [] for name in ("train_loss", *METRICS)}
    losses: list[float] = []
    for k in range(of.plan.total):
        x, y = batch(of, one.seed, k)
        give_masks(model, one.seed, k, len(y))
        for group in optimizer.param_groups:
            group["lr"] = one.lr * factors[k]
        optimizer.zero_grad()
        loss = of.workload.loss(model.train()(x), y)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
        if k + 1 in of.plan.evaluations:
            history["train_loss"].append(sum(losses) / len(losses))
            losses.clear()
            switch(optimizer, training=False)
            for name, split in (("val", of.splits.val), ("test", of.splits.test)):
                if not len(split.y):
                    continue
                for part, value in zip(("loss", "metric"), score(model, split, of), strict=True):
                    history[f"{name}_{part}"].append(value)
            switch(optimizer, training=True)
    return history


def batch(of: Task, seed: int, k: int) -> tuple[Tensor, Tensor]:
    """The examples of step ``k``: the epoch's own order, cut into batches, the last one shorter."""
    epoch, i = divmod(k, of.plan.epoch)
    order = streams.permutation(len(of.splits.train.y), seed, "order", epoch)
    rows = order[i * of.plan.batch_size :][: of.plan.batch_size]
    return of.splits.train.x[rows], of.splits.train.y[rows]


def give_masks(model: nn.Module, seed: int, k: int, examples: int) -> None:
    """Set every dropout's mask when its input is known, drawn as the engine draws it."""

    def draw(name: str, layer: nn.Module, x: Tensor) -> None:
        assert isinstance(layer, MaskedDropout)
        if not layer.training:
            return
        shape = (*x.shape[:2], *(1 for _ in x.shape[2:])) if layer.channelwise else x.shape
        assert shape[0] == examples
        key = torch.tensor([streams.derive(seed, "dropout", name)])
        drawn = streams.uniform_bits(key, torch.tensor([k]), torch.Size(shape).numel()).view(shape)
        layer.mask = (drawn.double() / (1 << 24) >= layer.p).float() / (1 - layer.p)

    for name, layer in model.named_modules():
        if isinstance(layer, MaskedDropout):
            layer._forward_pre_hooks.clear()
            layer.register_forward_pre_hook(lambda m, args, name=name: draw(name, m, args[0]))


def score(model: nn.Module, split: Split, of: Task) -> tuple[float, float]:
    """The loss and metric over a whole split at once."""
    with torch.no_grad():
        output = model.eval()(split.x)
        metric = of.workload.metric.compute(output, split.y)
        return of.workload.loss(output, split.y).item(), metric.item()


def normalised(workload: Workload) -> bool:
    """Whether the workload's model has batch normalisation."""
    return any(isinstance(module, _BatchNorm) for module in workload.build().modules())


def in_double(of: Task) -> Task:
    """The task in float64.

    BatchNorm takes the mean out of each feature, so that some weights' gradients are nothing but
    rounding. In float32 that is above the ε of rules that divide by a gradient's size, which make
    steps of lr of it: two loops that round differently part by 1e-2.
    """
    workload = replace(of.workload, build=lambda: of.workload.build().double())
    splits = (Split(split.x.double(), split.y) for split in vars(of.splits).values())
    return replace(of, workload=workload, splits=Splits(*splits))


def small(workload: Workload) -> Task:
    """Real data of the workload where it needs no download, else noise in its form."""
    if workload.dataset == "point":
        return task(workload, made("point"), 1, {"epochs": 20}, validation=0)
    if workload.dataset in ("digits", "regression"):  # 1,293 and 900 examples; not whole batches
        return task(workload, made(workload.dataset), 200, {"epochs": 3})
    if workload.dataset.endswith("mnist"):
        return task(workload, examples.images(100, side=28, test=40), 32, {"epochs": 2})
    if workload.dataset == "cifar10":
        return task(workload, examples.images(50, side=32, test=20, colours=3), 16, {"epochs": 2})
    pytest.skip(f"there is no small {workload.dataset} to train on")


def made(dataset: str) -> Arrays:
    """The whole of a dataset that needs no download."""
    return datasets.registry.get(dataset).make(Raw(Path()))


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
    records = train([*trials, *neighbours], of.workload, of.splits, of.plan)
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
        record = train([one], of.workload, of.splits, of.plan)[0]
        for name, values in plain(one, of).items():
            assert getattr(record, name) == pytest.approx(values, rel=1e-4)
