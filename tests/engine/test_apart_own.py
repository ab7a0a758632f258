"""Numbers that a model keeps or draws beside its parameters are each model's own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from kit import examples
from kit.apart import as_in_plain_loops
from kit.examples import task
from trainscape.engine.foresight import why_apart
from trainscape.engine.laid import Laid


class Replacing(nn.Module):
    """Keeps a running mean by assigning it, as a buffer or as a plain attribute."""

    def __init__(self, buffer: bool) -> None:
        super().__init__()
        self.out = nn.Linear(64, 10)
        self.n: Tensor
        if buffer:
            self.register_buffer("n", torch.zeros(()))
        else:
            self.n = torch.zeros(())

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.n = self.n * 0.9 + x.detach().abs().mean()
        out: Tensor = self.out(x.flatten(1)) / (1 + self.n)
        return out


@pytest.mark.parametrize("buffer", [True, False])
def test_a_tensor_that_is_assigned_is_kept_as_in_a_plain_loop(buffer: bool) -> None:
    """Each model keeps its own, and the line names it."""
    of = task(examples.named(lambda: Replacing(buffer)), examples.images(50), 16)
    line = why_apart(of)
    assert line and "the model (it assigns tensor 'n' in place of changing it) takes one" in line
    as_in_plain_loops(of)


class Projected(nn.Module):
    """Sees its input by a random projection that it does not train."""

    def __init__(self, buffer: bool) -> None:
        super().__init__()
        self.way: Tensor
        if buffer:
            self.register_buffer("way", torch.randn(64, 20))
        else:
            self.way = torch.randn(64, 20)
        self.fixed = torch.linspace(0, 1, 20)
        self.out = nn.Linear(20, 10)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.out(x.flatten(1) @ self.way + self.fixed)
        return made


@pytest.mark.parametrize("buffer", [True, False])
def test_a_tensor_that_is_drawn_is_each_models_own(buffer: bool) -> None:
    """As a buffer models fuse; else they train one by one, and the line names it."""
    of = task(examples.named(lambda: Projected(buffer)), examples.images(50), 16)
    line = why_apart(of)
    if buffer:
        assert line is None
    else:
        assert line and "the model (it draws tensor 'way', which is no buffer) takes one" in line
        assert "make 'way' a buffer" in line
    as_in_plain_loops(of, kind=Laid if buffer else None)


class Scaled(nn.Module):
    """Scales its outputs by numbers that it draws, and keeps as no tensor of its own."""

    def __init__(self, listed: bool) -> None:
        super().__init__()
        self.out = nn.Linear(64, 10)
        self.scale = [torch.rand(10) + 0.5] if listed else torch.rand(()).item() + 0.5

    def forward(self, x: Tensor) -> Tensor:
        scale = self.scale[0] if isinstance(self.scale, list) else self.scale
        made: Tensor = self.out(x.flatten(1)) * scale
        return made


@pytest.mark.parametrize("listed", [True, False])
def test_numbers_that_are_drawn_are_each_models_own(listed: bool) -> None:
    """However a model keeps them, outputs show whether they are another model's."""
    of = task(examples.named(lambda: Scaled(listed)), examples.images(50), 16)
    line = why_apart(of)
    assert line and "the model (it draws numbers that are no buffers) takes one" in line
    as_in_plain_loops(of)


class Counting(nn.Module):
    """Counts its calls in a buffer, those that score it among them."""

    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(64, 10)
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.count.add_(1)
        made: Tensor = self.out(x.flatten(1)) * (1 + 0.01 * self.count)
        return made


def test_a_buffer_that_changes_as_a_model_is_scored_is_no_obstacle() -> None:
    """Nothing is drawn there, and the models fuse."""
    of = task(examples.named(Counting), examples.images(50), 16)
    assert why_apart(of) is None
    as_in_plain_loops(of, kind=Laid)
