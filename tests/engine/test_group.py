"""Rules that see whole parameters, weights to evaluate at, and rates that follow the losses."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import pytest
import torch

from kit import examples
from kit.crowds import SIZES
from kit.examples import task, train, trained
from trainscape.engine.trial import Trial
from trainscape.engine.unfused import Single
from trainscape.optimizers import Optimizer, registry
from trainscape.schedules import Schedule
from trainscape.schedules import registry as schedules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from trainscape.engine.task import Task
    from trainscape.optimizers import Now

CONSTANT = schedules.get("constant")()
SGD = registry.get("sgd")()


@dataclass(frozen=True)
class Normed(Optimizer):
    """w ← w − lr · g / ‖g‖, the norm of a whole parameter of one model."""

    name: ClassVar[str] = "normed"
    elementwise: ClassVar[bool] = False

    def update(
        self, param: Tensor, grad: Tensor, state: dict[str, Tensor], lr: Tensor, now: Now
    ) -> None:
        norm = grad.flatten(1).square().sum(1).sqrt_().clamp_min(1e-12)
        param.addcmul_(grad.div_(norm.view(lr.shape)), lr, value=-1)

    def reference(self, params: object, lr: float) -> torch.optim.Optimizer:
        return NormedOracle(params, {"lr": lr})  # type: ignore[arg-type]


class NormedOracle(torch.optim.Optimizer):
    """The same for one model's parameters."""

    @torch.no_grad()
    def step(self, closure: object = None) -> None:  # type: ignore[override]
        for param in self.param_groups[0]["params"]:
            param -= self.param_groups[0]["lr"] * param.grad / param.grad.norm()


@dataclass(frozen=True)
class Origin(Optimizer):
    """Trains as SGD does and is evaluated at zero."""

    name: ClassVar[str] = "origin"

    def update(
        self, param: Tensor, grad: Tensor, state: dict[str, Tensor], lr: Tensor, now: Now
    ) -> None:
        param.addcmul_(grad, lr, value=-1)

    def evaluated(self, param: Tensor, state: dict[str, Tensor]) -> Tensor:
        return torch.zeros_like(param)


@dataclass(frozen=True)
class Falling(Schedule):
    """A tenth of the rate for every evaluation so far whose loss was above ``limit``."""

    name: ClassVar[str] = "falling"
    limit: float = 0.0

    def shape(self, step: int, clock: object) -> float:
        return 1.0

    def feedback(self, losses: Sequence[float]) -> float:
        return float(0.1 ** sum(loss > self.limit for loss in losses))


@dataclass(frozen=True)
class Careful(Schedule):
    """A rate that stays, and takes no loss that is not a number."""

    name: ClassVar[str] = "careful"

    def shape(self, step: int, clock: object) -> float:
        return 1.0

    def feedback(self, losses: Sequence[float]) -> float:
        if not all(map(math.isfinite, losses)):
            raise ValueError("a loss is not finite")
        return 1.0


def digits(steps: int = 12, every: float = 0.5) -> Task:
    """A network of odd layers on 29 images, 16 a step."""
    arrays = examples.images(40)
    return task(examples.named(examples.odd), arrays, 16, {"steps": steps}, 0.25, every)


def alone(one: Trial, of: Task) -> dict[str, list[float]]:
    """The trial's history by the unfused engine, through its rule's reference."""
    record = Single(of, one).train(lambda _: None)
    return {name: getattr(record, name) for name in ("train_loss", "val_loss", "test_loss")}


def test_a_rule_for_whole_parameters_sees_each_of_them_by_itself() -> None:
    """Norms of every weight and bias, in a pack beside other rules, are those of a plain loop."""
    of = digits()
    trials = [Trial(Normed(), 0.05, CONSTANT, 1), Trial(SGD, 0.1, CONSTANT, 0)]
    record = train([*trials, replace(trials[0], seed=2)], of)[0]
    assert record.train_loss[-1] < record.train_loss[0]
    for name, values in alone(trials[0], of).items():
        assert getattr(record, name) == pytest.approx(values, rel=1e-4)


@pytest.mark.parametrize("size", SIZES)
def test_a_rule_for_whole_parameters_is_the_same_in_every_pack(size: str) -> None:
    """Alone in its group and pack, or one of many: the same bits."""
    examples_, batch = SIZES[size]
    arrays = examples.images(examples_ + 2)
    of = task(
        examples.named(examples.odd), arrays, batch, {"steps": 5}, validation=2 / (examples_ + 2)
    )
    trials = [Trial(Normed(), 0.01 * (1 + i), CONSTANT, i % 3) for i in range(7)]
    trials.insert(3, Trial(SGD, 0.1, CONSTANT, 0))
    together = trained(trials, of)
    for part in (slice(0, 1), slice(2, 4), slice(1, 6)):
        assert trained(trials[part], of) == together[part]


def test_weights_to_evaluate_at_are_scored_and_the_others_trained() -> None:
    """Scores are those of the weights that the rule names; training losses are SGD's own."""
    of = digits()
    sgd, origin = train([Trial(SGD, 0.1, CONSTANT, 1), Trial(Origin(), 0.1, CONSTANT, 1)], of)
    assert origin.train_loss == sgd.train_loss
    chance = torch.tensor(10.0).log().item()  # equal logits for ten classes
    assert origin.val_loss == pytest.approx([chance] * len(sgd.val_loss))
    assert sgd.val_loss[-1] != pytest.approx(chance, abs=0.01)


def test_a_rate_follows_the_validation_losses_from_the_next_step_on() -> None:
    """Where every evaluation divides the rate by ten, losses are a table schedule's, mid-epoch."""
    of = digits(steps=8, every=0.5)
    evaluations = of.plan.evaluations
    assert any(step % of.plan.epoch for step in evaluations), "one should fall within an epoch"

    @dataclass(frozen=True)
    class Table(Schedule):
        name: ClassVar[str] = "table"

        def shape(self, step: int, clock: object) -> float:
            return float(0.1 ** sum(at <= step for at in evaluations))

    trials = [Trial(SGD, 0.1, shape, 1) for shape in (Falling(), Table(), Falling(limit=1e9))]
    falling, table, still = train(trials, of)
    for name in ("train_loss", "val_loss", "test_loss"):
        assert getattr(falling, name) == pytest.approx(getattr(table, name), rel=1e-6)
    assert still == train([replace(trials[0], schedule=CONSTANT)], of)[0]
    assert still.train_loss[-1] < falling.train_loss[-1]
    for name, values in alone(trials[0], of).items():
        assert getattr(falling, name) == pytest.approx(values, rel=1e-4)


def test_a_diverged_trial_follows_no_losses() -> None:
    """Its schedule is asked no more, as where it trains alone; its neighbour trains on."""
    of = digits(steps=8, every=0.5)
    wild, tame = (Trial(SGD, lr, Careful(), 1) for lr in (1e30, 0.1))
    lost, kept = train([wild, tame], of)
    assert (lost.status, kept.status) == ("diverged", "ok")
    assert kept == train([tame], of)[0]
    assert alone(wild, of)["val_loss"] == lost.val_loss == []
