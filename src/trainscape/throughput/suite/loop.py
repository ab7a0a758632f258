"""The training loop that is timed: plain PyTorch, as a practitioner would write it.

Not the engine, which trains many models as one program: its step is not what a single model costs.
"""

from __future__ import annotations

from functools import partial
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.utils.data import DataLoader, TensorDataset

from trainscape import optimizers, workloads
from trainscape.cells.cell import import_path
from trainscape.cells.imported import Imported, needs_closure, switch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from trainscape.engine.data import Split
    from trainscape.throughput.identity import Measurement

# So low that the weights stay where they were drawn: a time must not depend on how far training
# got (a loss near zero leaves denormal numbers behind, which are slow).
LR = 1e-6
BATCHES = 64  # that take turns in the mode step: more than the nearest caches hold

Batch = tuple[Tensor, Tensor]


class Ours(torch.optim.Optimizer):
    """One of this package's update rules, parameter by parameter, where torch has no counterpart.

    Args:
        params: the model's parameters.
        rule: the update rule.
        lr: the learning rate.
    """

    def __init__(self, params: Iterable[Tensor], rule: optimizers.Optimizer, lr: float) -> None:
        super().__init__(params, {"lr": lr})
        self.rule = rule
        self.taken = 0
        self.lr = self.param_groups[0]["params"][0].detach().new_tensor(lr)
        for group in self.param_groups:
            for param in group["params"]:
                self.state[param].update(rule.init(param.detach()[None]))

    @torch.no_grad()
    def step(self, _closure: Any = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        self.taken += 1
        now = self.rule.now(self.taken, self.lr)
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:  # rules take a leading axis of trials: here, of one
                    self.rule.update(param[None], param.grad[None], self.state[param], self.lr, now)


class Loop:
    """A model, its optimizer and an endless supply of batches.

    Args:
        wanted: what to measure.
        train: the training split, inputs scaled. For the mode ``step`` it is on the device, and
            batches are parts of it; for ``loader`` it is on the CPU.
        device: where to train.
        shuffle: whether each epoch draws an order anew, for the mode ``loader``.
    """

    def __init__(
        self,
        wanted: Measurement,
        train: Split,
        device: torch.device,
        shuffle: bool = True,
    ) -> None:
        workload = workloads.registry.get(wanted.workload)
        torch.manual_seed(0)
        self.device = device
        self.model = workload.build().to(device).train()
        self.loss = workload.loss
        self.params, self.clip_norm = list(self.model.parameters()), wanted.spec.get("clip_norm")
        self.optimizer = _optimizer(wanted, self.params)
        self.by_closure = needs_closure(self.optimizer)
        switch(self.optimizer, training=True)
        self.batches = (
            _loaded(train, wanted.batch_size, device, shuffle)
            if wanted.mode == "loader"
            else _in_memory(train, wanted.batch_size)
        )

    def run(self, steps: int) -> None:
        """Train for ``steps`` steps and wait until the device has done them."""
        for x, y in islice(self.batches, steps):
            if self.by_closure:
                self.optimizer.step(partial(self._loss, x, y))  # type: ignore[arg-type]
            else:
                self._loss(x, y)
                self.optimizer.step()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _loss(self, x: Tensor, y: Tensor) -> Tensor:
        """The loss of a batch; leaves its gradient in the parameters."""
        self.optimizer.zero_grad()
        loss = self.loss(self.model(x), y)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.clip_norm is not None:
            clip_grad_norm_(self.params, self.clip_norm)
        return loss


def device_of(name: str) -> torch.device:
    """The device that a study's ``device`` means on this machine."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def _optimizer(wanted: Measurement, params: Sequence[Tensor]) -> torch.optim.Optimizer:
    hyperparameters = {name: value for name, value in wanted.spec.items() if name != "name"}
    rule: optimizers.Optimizer = (
        Imported.of(wanted.spec)
        if import_path(wanted.spec)
        else optimizers.registry.get(wanted.spec["name"])(**hyperparameters)
    )
    return rule.reference(params, LR) or Ours(params, rule, LR)


def _in_memory(train: Split, size: int) -> Iterator[Batch]:
    """The same batches over and over, on the device before the first step."""
    count = max(1, min(BATCHES, len(train.y) // size))
    parts = [slice(i * size, (i + 1) * size) for i in range(count)]
    return cycle([(train.x[part], train.y[part]) for part in parts])


def _loaded(train: Split, size: int, device: torch.device, shuffle: bool) -> Iterator[Batch]:
    """Whole batches, collated example by example in this process, epoch after epoch."""
    pinned = device.type == "cuda"
    # A smaller last batch would count as a step of the full size.
    loader = DataLoader(
        TensorDataset(train.x, train.y), size, shuffle=shuffle, drop_last=True, pin_memory=pinned
    )
    while True:
        for x, y in loader:
            yield x.to(device, non_blocking=pinned), y.to(device, non_blocking=pinned)
