"""Compiled steps train as torch does, one model by one, also where a rule or a loss is unusual."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from kit import examples
from kit.examples import task, trial
from trainscape import optimizers
from trainscape.compiled import text
from trainscape.compiled.compiler import load
from trainscape.compiled.programs import compiled, shared
from trainscape.engine.apart import Apart
from trainscape.engine.fused import Fused
from trainscape.engine.laid import Laid
from trainscape.engine.lanes import Lanes
from trainscape.optimizers import Optimizer
from trainscape.workloads import Metric

if TYPE_CHECKING:
    from collections.abc import Callable
    from ctypes import CDLL

    from trainscape.engine.task import Task
    from trainscape.engine.trial import Trial
    from trainscape.optimizers import Now

    State = dict[str, Tensor]


def agree(of: Task, trials: list[Trial], *, compiled: bool) -> None:
    """The trials' records are those of models that run one by one; whether they were compiled."""
    engine, apart = (Fused(of, None, lambda _: None) for _ in range(2))
    apart.usual = Apart
    ours, theirs = (
        [asdict(record) for part in one.train(trials, lambda _: None) for record in part]
        for one in (engine, apart)
    )
    assert set(engine.ways.values()) == {Laid if compiled else Apart}
    for found, expected in zip(ours, theirs, strict=True):
        for name, value in expected.items():
            if name.endswith(("loss", "metric")):
                assert found[name] == pytest.approx(value, rel=1e-4), name
            else:
                assert found[name] == value


def network(hidden: int = 40, **changes: object) -> Task:
    """A small network on digits, whose first layer has more numbers than rules are tried on."""

    def build() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 10))

    made = replace(examples.named(build), **changes)  # type: ignore[arg-type]
    return task(made, examples.images(44, test=20), 8, validation=5 / 11)


def smoothed(output: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy with smoothed labels: not marked as a mean over examples."""
    return functional.cross_entropy(output, target, label_smoothing=0.1)


def test_splits_of_one_size_are_scored_each() -> None:
    """Validation, test and fit hold 20 examples each, and are scored whole."""
    agree(network(loss=smoothed), [trial("sgd", 0.05, s) for s in range(3)], compiled=True)


def test_targets_have_bounds() -> None:
    """A loss that takes probabilities against 0 and 1 refuses numbers a little above them."""

    def loss(output: Tensor, target: Tensor) -> Tensor:
        wanted = functional.one_hot(target, 10).to(output.dtype)
        return functional.binary_cross_entropy(output.sigmoid(), wanted)

    metric = Metric("loss", "min", "", loss)
    agree(network(loss=loss, metric=metric), [trial("sgd", 0.5)], compiled=False)


class Signs(Optimizer):
    """Steps of one length, by constants as large as a parameter."""

    name = "signs"

    def update(self, param: Tensor, grad: Tensor, state: State, lr: Tensor, now: Now) -> None:
        up = torch.where(grad > 0, torch.ones_like(grad), torch.full_like(grad, -1.0))
        param.sub_(lr * torch.where(grad == 0, torch.zeros_like(grad), up))


class Assigns(Optimizer):
    """Puts another tensor in the place of its state."""

    name = "assigns"

    def init(self, param: Tensor) -> State:
        return {"mean": torch.zeros_like(param)}

    def update(self, param: Tensor, grad: Tensor, state: State, lr: Tensor, now: Now) -> None:
        state["mean"] = 0.5 * state["mean"] + grad
        param.sub_(lr * state["mean"])


class Counts(Optimizer):
    """Keeps one number for all trials."""

    name = "counts"

    def init(self, param: Tensor) -> State:
        return {"step": param.new_zeros(1)}

    def update(self, param: Tensor, grad: Tensor, state: State, lr: Tensor, now: Now) -> None:
        state["step"].add_(1)
        param.sub_(lr * grad / state["step"])


class Halves(Optimizer):
    """Keeps two numbers for each element, in one state of twice the length."""

    name = "halves"

    def init(self, param: Tensor) -> State:
        return {"both": torch.cat([param, param], -1).zero_()}

    def update(self, param: Tensor, grad: Tensor, state: State, lr: Tensor, now: Now) -> None:
        mean, square = state["both"].chunk(2, -1)
        mean.lerp_(grad, 0.1)
        square.lerp_(grad * grad, 0.1)
        param.sub_(lr * mean / (square.sqrt() + 1e-3))


class Across(Optimizer):
    """Keeps a state whose trials lie side by side, element after element."""

    name = "across"

    def init(self, param: Tensor) -> State:
        turned = torch.zeros(param.shape[::-1])
        return {"mean": turned.permute(*range(param.dim())[::-1])}

    def update(self, param: Tensor, grad: Tensor, state: State, lr: Tensor, now: Now) -> None:
        state["mean"].mul_(0.9).add_(grad)
        param.sub_(lr * state["mean"])


class AcrossWhole(Across):
    """The same, of a parameter at a time."""

    elementwise = False


RULES = ((Signs, True), (Assigns, False), (Counts, False), (Halves, True))


@pytest.mark.parametrize(("rule", "compiled"), [*RULES, (Across, False), (AcrossWhole, False)])
def test_unusual_rules_train_as_elsewhere(rule: Callable[[], Optimizer], compiled: bool) -> None:
    """What cannot be compiled for any trial trains by torch."""
    one = replace(trial("sgd", 0.003), optimizer=rule())
    agree(network(), [one, replace(one, seed=1)], compiled=compiled)


class Mixed(nn.Module):
    """A scale of doubles beside a layer of floats."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 10)
        self.scale = nn.Parameter(torch.ones(10, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x.flatten(1)) * self.scale.float()
        return out


def test_parameters_of_two_types() -> None:
    """An element-wise rule takes whole blocks of both."""
    of = task(examples.named(Mixed), examples.images(40), 8)
    agree(of, [trial("momentum", 0.02, s) for s in range(3)], compiled=True)


def test_a_batch_that_a_short_plan_never_meets_is_not_made() -> None:
    """The last example of an epoch would be a batch of its own, which BatchNorm cannot take."""
    of = task(examples.batch_norm(), examples.images(41, test=4), 20, {"steps": 2}, validation=0)
    agree(of, [trial("sgd", 0.01)], compiled=True)


def test_what_fades_becomes_zero() -> None:
    """A moment without gradients is halved to the smallest normal number, then is 0."""
    kept = torch.ones(3, 40)
    program = compiled(lambda: kept.mul_(0.5), {"kept": kept})
    slots = program.addresses({"kept": shared(kept, 1)}, 1)
    program.run(slots, 126)
    assert (kept == 2.0**-126).all()
    program.run(slots)
    assert (kept == 0).all()


def test_rules_and_traces_share_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another rule is one more program, and a trace none: each takes a second to compile."""
    texts: set[str] = set()

    def noted(made: str) -> CDLL:
        texts.add(made)
        return load(made)

    monkeypatch.setattr("trainscape.compiled.programs.load", noted)
    plain, counts = network(), []
    for of, name in ((plain, "sgd"), (plain, "adam"), (replace(plain, trace=3), "adam")):
        Lanes(of, 1).prepare(optimizers.registry.make({"name": name}))
        counts.append(len(texts))
    assert counts == [counts[0], counts[0] + 1, counts[0] + 1]


WHOLE = ("lamb", "schedule_free_sgd", "schedule_free_adamw")  # that keep more than an element's


@pytest.mark.parametrize("name", ["momentum", "adam", *WHOLE])
def test_gradients_in_parts_change_no_bit(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Of a large block a few rows are made and updated at a time; a rule of all has it whole."""
    texts: list[str] = []

    def noted(made: str) -> CDLL:
        texts.append(made)
        return load(made)

    monkeypatch.setattr("trainscape.compiled.programs.load", noted)
    monkeypatch.setattr(text, "PART", 1)  # 64 rows come as 24, 24 and 16
    found = []
    for least in (text.LARGE, 1):
        monkeypatch.setattr(text, "LARGE", least)
        texts.clear()
        pack = Lanes(network(), 3)
        pack.load([trial(name, 0.05, seed) for seed in range(3)])
        pack.advance(6)
        assert any("static float part[24 * 40]" in own for own in texts) == (least == 1)
        [rule] = pack.template.rules.values()
        assert (rule.gradient < 0) == (name in WHOLE)
        found.append([block.clone() for block in pack.stack.blocks])
    assert all(map(torch.equal, *found))


class Arc(Optimizer):
    """A rule with an operation that the tables have no entry for."""

    name = "arc"

    def update(self, param: Tensor, grad: Tensor, state: State, lr: Tensor, now: Now) -> None:
        param.sub_(lr * grad.atan())


def test_the_line_says_that_it_is_the_update_rule() -> None:
    """Not the model, whose operations are all known."""
    said: list[str] = []
    one = replace(trial("sgd", 0.05), optimizer=Arc())
    list(Fused(network(), None, said.append).train([one], lambda _: None))
    (line,) = said
    assert "more slowly: in its update rule, aten.atan.default has no entry" in line
