"""The loop that a practitioner would write with ``torch.optim``, on the engine's random numbers.

Offers: :func:`plain`, the loop; :data:`LR`, a rate for each rule; :func:`small`, something to
train for each workload; :func:`made`, a whole dataset; :func:`in_double`, a task in float64.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from torch.nn.utils import clip_grad_norm_
from torch.utils.data import DataLoader, TensorDataset

from kit import examples
from kit.examples import task
from kit.oracles import oracle
from trainscape import datasets
from trainscape.cells.imported import switch
from trainscape.datasets import Raw
from trainscape.engine import streams
from trainscape.engine.data import Split, Splits
from trainscape.engine.model import MaskedDropout, build
from trainscape.schedules import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn
    from torch.utils.hooks import RemovableHandle

    from trainscape.datasets import Arrays
    from trainscape.engine.task import Task
    from trainscape.engine.trial import Trial
    from trainscape.workloads import Workload

METRICS = ("val_loss", "val_metric", "test_loss", "test_metric")
LR = {  # others: 0.002
    "sgd": 0.1,
    "momentum": 0.03,
    "nesterov": 0.03,
    "adagrad": 0.02,
    "adadelta": 1.0,
    "lion": 0.0002,  # where a gradient is mere rounding, its sign is random and costs a whole step
    "lars": 5.0,
    "lamb": 0.01,
    "muon": 0.02,
    "schedule_free_sgd": 0.3,
    "schedule_free_adamw": 0.005,
}
EMBEDDED = ("digits", "point", "regression")  # they need no download; their models are small


def plain(
    one: Trial, of: Task, *, drop_last: bool = False, norms: list[float] | None = None
) -> dict[str, list[float]]:
    """Train one model on its own, by the optimizer's oracle; its history as in a record.

    Args:
        one: the trial.
        of: what it trains on.
        drop_last: whether an epoch has full batches alone.
        norms: takes the norm of every step's gradient, where these are clipped.
    """
    norms = [] if norms is None else norms
    model = build(of.workload.build, one.seed)
    optimizer = oracle(one.optimizer, list(model.parameters()), one.lr)
    factors = one.schedule.table(Clock(of.plan.epoch, of.plan.total))
    history: dict[str, list[float]] = {name: [] for name in ("train_loss", *METRICS)}
    losses: list[float] = []
    for k, (x, y) in zip(range(of.plan.total), batches(of, one.seed, drop_last), strict=False):
        masks = give_masks(model, one.seed, k, len(y))
        for group in optimizer.param_groups:
            group["lr"] = one.lr * factors[k]
        optimizer.zero_grad()
        loss = of.workload.loss(model.train()(x), y)
        loss.backward()  # type: ignore[no-untyped-call]
        for mask in masks:
            mask.remove()
        if (longest := one.optimizer.clip_norm) is not None:
            norms += [clip_grad_norm_(model.parameters(), longest).item()]
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


def batches(of: Task, seed: int, drop_last: bool) -> Iterator[tuple[Tensor, Tensor]]:
    """The examples of every step: an order for each epoch, cut into batches by torch."""
    train = of.splits.train
    for epoch in count():
        order = streams.permutation(len(train.y), seed, "order", epoch).tolist()
        yield from DataLoader(
            TensorDataset(train.x, train.y),
            of.plan.batch_size,
            **({"shuffle": False} if of.fixed else {"sampler": order}),
            drop_last=drop_last,
        )


def give_masks(model: nn.Module, seed: int, k: int, examples: int) -> list[RemovableHandle]:
    """Set every dropout's mask when its input is known, drawn as the engine draws it.

    Returns:
        What must be removed before the next step's masks are given.
    """

    def draw(name: str, layer: nn.Module, x: Tensor) -> None:
        assert isinstance(layer, MaskedDropout)
        shape = (*x.shape[:2], *(1 for _ in x.shape[2:])) if layer.channelwise else x.shape
        assert shape[0] == examples
        key = torch.tensor([streams.derive(seed, "dropout", name)])
        drawn = streams.uniform_bits(key, torch.tensor([k]), torch.Size(shape).numel()).view(shape)
        layer.mask = (drawn.double() / (1 << 24) >= layer.p).float() / (1 - layer.p)

    return [
        layer.register_forward_pre_hook(lambda m, args, name=name: draw(name, m, args[0]))
        for name, layer in model.named_modules()
        if isinstance(layer, MaskedDropout)
    ]


def score(model: nn.Module, split: Split, of: Task) -> tuple[float, float]:
    """The loss and metric over a whole split at once."""
    with torch.no_grad():
        output = model.eval()(split.x)
        metric = of.workload.metric.compute(output, split.y)
        return of.workload.loss(output, split.y).item(), metric.item()


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
        return task(workload, examples.images(50, side=28, test=20), 16, {"epochs": 2})
    if workload.dataset == "cifar10":
        return task(workload, examples.images(22, side=32, test=8, colours=3), 8, {"epochs": 2})
    pytest.skip(f"there is no small {workload.dataset} to train on")


def made(dataset: str) -> Arrays:
    """The whole of a dataset that needs no download."""
    return datasets.registry.get(dataset).make(Raw(Path()))
