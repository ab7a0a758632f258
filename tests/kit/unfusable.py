"""Models that torch cannot run as one program, each for a reason of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from kit import examples
from kit.examples import task
from kit.plain_loop import in_double

if TYPE_CHECKING:
    from collections.abc import Callable

    from trainscape.engine.task import Task


class Recurrent(nn.Module):
    """A recurrent layer over the rows of an image, and a linear one."""

    def __init__(self, kind: Callable[..., nn.Module], **options: Any) -> None:
        super().__init__()
        self.layer = kind(8, 12, batch_first=True, **options)
        self.out = nn.Linear(12, 10)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(self.layer(x)[0][:, -1])
        return out


class Cell(nn.Module):
    """An LSTM cell, stepped by hand, with dropout behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.drop, self.out = nn.LSTMCell(8, 12), nn.Dropout(0.25), nn.Linear(12, 10)

    def forward(self, x: Tensor) -> Tensor:
        state = None
        for row in x.unbind(1):
            state = self.cell(row, state)
        assert state is not None
        out: Tensor = self.out(self.drop(state[0]))
        return out


class Branching(nn.Module):
    """Looks at a number, writes into a tensor of its own, and has running statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.out = nn.Linear(64, 12), nn.BatchNorm1d(12), nn.Linear(12, 10)

    def forward(self, x: Tensor) -> Tensor:
        room = torch.zeros(len(x), 12, dtype=x.dtype)
        room[:] = self.norm(self.first(x.flatten(1)))
        out: Tensor = self.out(room if room[0, 0].item() > 0 else 0.5 * room)
        return out


class Counting(nn.Module):
    """Counts its steps in a tensor that is no buffer; each model counts for itself."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(64, 10)
        self.count = torch.zeros(1)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.count += 1
        out: Tensor = self.out(x.flatten(1)) * (1 + (self.count > 4))
        return out


class Annealed(nn.Module):
    """Counts its steps in Python; what it computes with grows from step to step."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(64, 10)
        self.steps = 0

    def forward(self, x: Tensor) -> Tensor:
        self.steps += self.training
        out: Tensor = self.out(x.flatten(1)) * (1 + self.steps / 50)
        return out


class Written(Annealed):
    """The same with a literal."""

    def forward(self, x: Tensor) -> Tensor:
        self.steps += self.training
        out: Tensor = self.out(x.flatten(1)) * torch.tensor(1 + self.steps / 50)
        return out


class Tied(nn.Module):
    """Two layers of one weight behind a recurrent layer of two directions."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.RNN(8, 8, batch_first=True, bidirectional=True)
        self.a, self.b = nn.Linear(16, 16), nn.Linear(16, 16)
        self.b.weight = self.a.weight
        self.out = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(self.b(self.a(self.layer(x)[0][:, -1]).relu()))
        return out


MODELS: dict[str, Callable[[], nn.Module]] = {
    "GRU": lambda: Recurrent(nn.GRU),
    "LSTM": lambda: Recurrent(nn.LSTM),
    "RNN": Tied,
    "LSTMCell": Cell,
    "branching": Branching,
    "counting": Counting,
    "annealed": Annealed,
    "written": Written,
}


def of_model(name: str) -> Task:
    """A task on small images; in float64 where batch normalisation makes gradients of rounding."""
    made = task(examples.named(MODELS[name]), examples.images(50), 16)
    return in_double(made) if name == "branching" else made
