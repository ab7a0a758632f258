"""Trials beside the real ones, where a machine rounds the last numbers of a tensor otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from torch import Tensor, nn
from torch.nn import functional

from kit import examples
from kit.crowds import crowd, parts, sized
from kit.examples import trained
from trainscape import workloads
from trainscape.engine.spares import BLOCK, spares
from trainscape.workloads import Metric, Workload

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = workloads.registry.names()
SHAPES = {"digits": (8, 8), "cifar10": (32, 32, 3), "point": (1,), "regression": (1,)}
# Batch normalisation: the fewest numbers that a trial holds of any tensor are 8, so that as many
# trials as have 31 numbers are added. Or a loss of their own: one number, or whole blocks of 32.
OWN_LOSS = [31, 30, 29, 12]
SPARES = {
    "cifar10-resnet": [4, 4, 4, 4],
    "valley": OWN_LOSS,
    "quadratic": OWN_LOSS,
    "regression": OWN_LOSS,
}
COUNTS = (1, 2, 3, 84)


def needed(workload: Workload, *counts: int) -> list[int]:
    """The spares of packs of so many trials."""
    shape = SHAPES.get(workload.dataset, (28, 28))
    return [spares(count, workload, examples.seeded((2, *shape))) for count in counts]


@pytest.mark.parametrize("name", NAMES)
def test_few_of_our_own_workloads_need_spares(name: str) -> None:
    """Plain networks are exact at every width from two on: no time goes into spares."""
    workload = workloads.registry.get(name)
    assert needed(workload, *COUNTS) == SPARES.get(name, [1, 0, 0, 0])


def test_other_models_get_spares() -> None:
    """They keep any tensor's last 31 numbers to themselves, or fill the pack to whole blocks."""
    silu = examples.named(examples.silu)  # its narrowest layer has 10 units
    assert needed(silu, 1, 3, 31, 32, 84) == [4, 4, 1, 0, 4]
    normed = examples.named(lambda: layers(nn.LayerNorm(13)))  # an example's statistics are exact
    assert needed(normed, 1, 3, 31, 32, 84) == [4, 4, 1, 0, 4]
    metric = replace(plain(), metric=Metric("softened", "min", "", softened))
    assert needed(metric, 1, 3, 32, 84) == [BLOCK - 1, 29, 0, 12]


def softened(output: Tensor, target: Tensor) -> Tensor:
    """The softplus of the mean cross-entropy: one number a trial, by code of two kinds."""
    return functional.softplus(functional.cross_entropy(output, target))


def layers(middle: nn.Module, units: int = 13, bias: bool = True) -> nn.Sequential:
    """Two linear layers with a module between them."""
    first, last = nn.Linear(64, units, bias=bias), nn.Linear(units, 10, bias=bias)
    return nn.Sequential(nn.Flatten(), first, middle, last)


def hooked() -> nn.Module:
    """A hook changes what an exact module returns."""
    model = layers(nn.ReLU())
    model[2].register_forward_hook(lambda *of: functional.softplus(of[2]))
    return model


def hooked_before() -> nn.Module:
    """A hook changes what an exact module is given."""
    model = layers(nn.ReLU())
    model[2].register_forward_pre_hook(lambda _, given: functional.softplus(given[0]))
    return model


def overridden() -> nn.Module:
    """One module of an exact kind computes something else."""
    model = layers(nn.ReLU())
    model[2].forward = functional.softplus
    return model


class Scaled(nn.Module):
    """Divides every example by a number of its own."""

    def forward(self, x: Tensor) -> Tensor:
        return x / functional.softplus(x.mean(1, keepdim=True))


class Softened(nn.Sequential):
    """Layers whose result goes through softplus."""

    def forward(self, x: Tensor) -> Tensor:
        inner: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
        return functional.softplus(inner)


def plain() -> Workload:
    """An exact network with our own loss and metric."""
    return examples.named(lambda: layers(nn.ReLU()))


INEXACT: dict[str, Callable[[], Workload]] = {
    "metric": lambda: replace(plain(), metric=Metric("softened", "min", "", softened)),
    "loss": lambda: replace(plain(), loss=softened),
    "hook": lambda: examples.named(hooked),
    "hook before": lambda: examples.named(hooked_before),
    "forward": lambda: examples.named(overridden),
    "subclass": lambda: examples.named(lambda: Softened(*layers(nn.ReLU()))),
    "no bias": lambda: examples.named(lambda: layers(nn.Softplus(), 3, bias=False)),
    "a number an example": lambda: examples.named(lambda: layers(Scaled())),
}


@pytest.mark.parametrize("name", INEXACT)
def test_what_rounds_by_its_place_is_the_same_in_every_pack(name: str) -> None:
    """At a batch of one, where a trial holds the fewest numbers, widths 1 to 33 agree."""
    of, trials = sized(INEXACT[name](), "one"), crowd()
    together = trained(trials, of)
    for part in parts():
        assert trained(trials[part], of) == together[part]
