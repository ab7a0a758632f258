"""The articles' way: a script whose DataLoader transforms example by example, by torchvision."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import DataLoader, Dataset, Subset

from benchmarks.eager import Outcome, drawn, made
from trainscape import optimizers, schedules, workloads
from trainscape.cells.budget import Plan, validation_size
from trainscape.engine import streams
from trainscape.schedules import Clock

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

    from trainscape.datasets import Arrays
    from trainscape.workloads import Workload

TEST_BATCH = 1000  # as in the articles' test loaders


class Images(Dataset[tuple[Any, int]]):
    """What ``torchvision.datasets.MNIST`` does when it is asked for an example.

    Args:
        x: images uint8 (N, H, W).
        y: labels (N,).
        workload: whose mean and deviation inputs are normalised by.
    """

    def __init__(self, x: NDArray[np.generic], y: NDArray[np.generic], workload: Workload) -> None:
        from torchvision import transforms

        self.x, self.y = torch.as_tensor(x), torch.as_tensor(y)
        self.transform = transforms.Compose(
            [transforms.ToTensor(), transforms.Normalize((workload.mean,), (workload.std,))]
        )

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        from PIL import Image

        return self.transform(Image.fromarray(self.x[index].numpy())), int(self.y[index])


def train(spec: Mapping[str, Any], seed: int, arrays: Arrays) -> Outcome:
    """Train one seed of a cell to its end, with all its evaluations."""
    workload = workloads.registry.get(spec["workload"])
    whole = Images(arrays.x_train, arrays.y_train, workload)
    order = streams.permutation(len(whole), 0, "validation").tolist()
    held = validation_size(len(whole), spec["validation"])
    train_set: Subset[Any] = Subset(whole, order[held:])
    validation, test = (
        DataLoader(part, TEST_BATCH)
        for part in (Subset(whole, order[:held]), Images(arrays.x_test, arrays.y_test, workload))
    )
    start = time.perf_counter()
    plan = Plan(len(train_set), spec["batch_size"], spec["budget"], spec["evaluate_every"])
    factors = made(schedules.registry, spec["schedule"]).table(Clock(plan.epoch, plan.total))
    model = drawn(workload, seed)
    optimizer = made(optimizers.registry, spec["optimizer"]).reference(
        list(model.parameters()), spec["lr"]
    )
    torch.manual_seed(seed)
    loader = DataLoader(train_set, spec["batch_size"], shuffle=True)
    evaluations, val, k = set(plan.evaluations), math.nan, 0
    while k < plan.total:
        for x, y in loader:
            for group in optimizer.param_groups:
                group["lr"] = spec["lr"] * factors[k]
            optimizer.zero_grad()
            loss = workload.loss(model(x.squeeze(1)), y)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            loss.item()  # the articles add up the losses
            k += 1
            if k in evaluations:
                val = score(model, validation, workload) if held else val
                score(model, test, workload)
            if k == plan.total:
                break
    seconds = time.perf_counter() - start
    return Outcome(plan.total, seconds, val if math.isfinite(val) else None)


@torch.no_grad()
def score(model: nn.Module, loader: DataLoader[Any], workload: Workload) -> float:
    """The mean loss over a loader's examples; counts what is right beside it."""
    model.eval()
    loss, right, count = 0.0, 0.0, 0
    for x, y in loader:
        output = model(x.squeeze(1))
        loss += workload.loss(output, y).item() * len(y)
        right += workload.metric.compute(output, y).item() * len(y)
        count += len(y)
    model.train()
    return loss / count
