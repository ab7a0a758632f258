"""Tensors that a model or loss writes out, such as class weights, train as in a plain loop."""

from __future__ import annotations

import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from kit import examples
from kit.examples import task, train, trial
from kit.plain_loop import METRICS, plain
from trainscape import schedules
from trainscape.cells.imported import Imported
from trainscape.compiled.programs import compiled, places_of
from trainscape.compiled.recording import Recording
from trainscape.engine.trial import Trial
from trainscape.engine.unfused import Unfused
from trainscape.workloads import Metric

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from trainscape.workloads import Workload

    Loss = Callable[[Tensor, Tensor], Tensor]

WEIGHTS = [1.0, 2.0, 0.5, 3.0, 1.0, 1.5, 0.25, 1.0, 2.0, 1.0]
LOUD = "more slowly"

# every way to write the weights out
LITERALS: dict[str, Callable[[Tensor], Tensor]] = {
    "tensor": lambda _: torch.tensor(WEIGHTS),
    "as_tensor": lambda _: torch.as_tensor(WEIGHTS),
    "numpy": lambda _: torch.from_numpy(np.array(WEIGHTS, np.float32)),
    "new_tensor": lambda x: x.new_tensor(WEIGHTS),
    "to": lambda x: torch.tensor(WEIGHTS, dtype=torch.float64).to(x.device, x.dtype),
    "full": lambda _: torch.full((10,), 0.5) + torch.arange(10) / 10,
    "linspace": lambda _: torch.linspace(0.5, 2, 10),
    "views": lambda _: torch.tensor([WEIGHTS, WEIGHTS])[1].view(2, 5).flatten().detach(),
    "stacked": lambda _: torch.stack([torch.tensor(weight) for weight in WEIGHTS]),
}


@pytest.fixture(autouse=True)
def _ends() -> Iterator[None]:
    """A recording that loops fails its test instead of running on."""

    def stop(*_: object) -> None:
        raise TimeoutError("a test of literals runs on and on")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def weighted(make: Callable[[Tensor], Tensor]) -> Loss:
    """The cross-entropy with class weights that are made anew in each call."""

    def loss(output: Tensor, target: Tensor) -> Tensor:
        return functional.cross_entropy(output, target, weight=make(output))

    return loss


def workload(loss: Loss) -> Workload:
    """A small network with this loss and the loss as its metric."""

    def build() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 10))

    return replace(examples.named(build), loss=loss, metric=Metric("loss", "min", "", loss))


def agrees(of: Workload, capfd: pytest.CaptureFixture[str]) -> None:
    """Fused and unfused, the history is that of a plain loop, and every step was recorded."""
    made = task(of, examples.images(40))
    expected = plain(trial("adam", 0.01, 3), made)
    shape = schedules.registry.get("cosine")()
    alone = Trial(Imported("torch.optim.Adam", {}), 0.01, shape, 3)
    [[other]] = list(Unfused(made).train([alone], lambda _: None))
    for found in (train([trial("adam", 0.01, 3)], made)[0], other):
        for name in ("train_loss", *METRICS):
            assert getattr(found, name) == pytest.approx(expected[name], rel=1e-4), name
    assert LOUD not in capfd.readouterr().err


@pytest.mark.parametrize("name", LITERALS)
def test_class_weights_train_as_in_a_plain_loop(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """However they are written, a loss with them has the numbers of a loop without a recording."""
    agrees(workload(weighted(LITERALS[name])), capfd)


class Literal(nn.Module):
    """Scales its input by what literals say: in an if, in place, and kept from the first call."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 10)
        self.kept: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.kept is None:
            self.kept = torch.tensor(WEIGHTS)
        count = torch.tensor([0.0, 7.0])
        count[0] += 1  # the first step in which a count that goes on would matter is the third
        if torch.tensor(2.0) > 1 and count[0] < 3:
            x = x * torch.tensor(0.5)
        out: Tensor = self.layer(x.flatten(1)) * self.kept
        return out * (count[0] < 3)


def test_literals_in_a_model_train_as_in_a_plain_loop(capfd: pytest.CaptureFixture[str]) -> None:
    """A literal that decides a branch, is written to, or is kept by the module is as it says."""
    of = workload(functional.cross_entropy)
    agrees(replace(of, build=Literal), capfd)


WORK: dict[str, Callable[[Tensor], Sequence[Tensor]]] = {
    "itself": lambda x: [torch.tensor([1.0, 2.0]), x.sin()],
    "view of a view": lambda x: [torch.tensor([[1.0, 2.0]])[0][1:].view(1) + x],
    "in place": lambda x: [torch.tensor([1.0, 2.0, 3.0, 4.0]).mul_(2).add_(x[0])],
    "a part in place": lambda x: [_part(torch.zeros(4), x) * x],
    "a part of a literal in place": lambda x: [_part(torch.tensor([1.0] * 4), x) * x],
    "a part of what is made of one": lambda x: [_part(torch.tensor([1.0] * 4) * 2, x) * x],
    "by a buffer that is given": lambda x: [
        torch.add(x, 1, out=torch.tensor([[1.0] * 4] * 3)) * torch.tensor(2.0)
    ],
    "counted": lambda x: [x * (torch.tensor([0.0]).add_(1) < 2)],
    "only literals": lambda _: [torch.tensor([1.0]) + torch.tensor([2.0])],
}


def _part(tensor: Tensor, x: Tensor) -> Tensor:
    tensor[1:3] += x[0, 1:3]
    tensor.view(2, 2)[0] *= 3
    return tensor


@pytest.mark.parametrize("name", WORK)
def test_a_program_with_literals_repeats_itself(name: str) -> None:
    """On new input it gives what the work does, again and again."""
    x = examples.seeded((3, 4))
    results = [result.clone() for result in WORK[name](x)]
    roles = {"x": x, **{f"result.{i}": result for i, result in enumerate(results)}}

    def work() -> None:
        for result, made in zip(results, WORK[name](x), strict=True):
            result.copy_(made)

    program = compiled(work, roles)
    places = {role: places_of(of[None], [0], of[None]) for role, of in roles.items()}
    for seed in range(5):
        x.copy_(examples.seeded((3, 4), seed))
        expected = [tensor.clone() for tensor in WORK[name](x)]
        for result in results:
            result.fill_(9)
        program.run(program.addresses(places, 1))
        for ours, theirs in zip(results, expected, strict=True):
            assert torch.allclose(ours, theirs, rtol=1e-6)


def test_what_literals_alone_decide_is_computed_once() -> None:
    """Moved, cast and combined literals are constants; one that is written to is none."""
    x = examples.seeded((2,))
    with Recording() as recording:
        fixed = torch.tensor([1.0, 2.0]).to(torch.float64) * torch.arange(1, 3)
        written = torch.tensor([1.0, 2.0])
        view = written[:1]
        view.add_(1)
        mixed = fixed + x
    found = recording.constants
    assert fixed.untyped_storage().data_ptr() in found
    for varying in (written, mixed, x):
        assert varying.untyped_storage().data_ptr() not in found
