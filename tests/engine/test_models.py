"""Models in a pack: buffers, tied and frozen parameters, and those that are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from kit import examples
from kit.examples import task, train, trial
from kit.tasks import batches, digits, line
from trainscape.engine.model import build
from trainscape.errors import UserError
from trainscape.optimizers import Optimizer

if TYPE_CHECKING:
    from trainscape.optimizers import Now


def test_running_statistics_belong_to_their_trial() -> None:
    """Each trial's BatchNorm buffers are those of its model alone, moved once every step."""
    of = task(examples.batch_norm(), examples.images(40), 16, {"steps": 3})
    trials = [trial("sgd", lr, seed, "constant") for lr in (0.01, 0.2) for seed in (0, 1)]
    for one, found in zip(trials, examples.weights(of, trials), strict=True):
        model = build(of.workload.build, one.seed)
        optimizer = torch.optim.SGD(model.parameters(), one.lr)
        for x, y in batches(of, one.seed, 3):
            optimizer.zero_grad()
            of.workload.loss(model(x), y).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        for name, buffer in model.named_buffers():
            torch.testing.assert_close(found[name], buffer, rtol=1e-4, atol=1e-5)
        assert found["2.num_batches_tracked"].item() == 3


class Tied(nn.Module):
    """Two layers of one weight, a scalar, a frozen weight, and one that nothing uses."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 3)
        self.second.weight = self.first.weight
        self.scale = nn.Parameter(torch.tensor(0.5))
        self.frozen = nn.Linear(3, 1).requires_grad_(False)
        self.unused = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.frozen(self.second(self.first(x).tanh()) * self.scale)
        return out


def test_tied_frozen_and_unused_parameters_train_as_in_a_plain_loop() -> None:
    """Tied ones move together, frozen ones stay, unused ones are no obstacle."""
    of = line(budget={"steps": 5})
    of = replace(of, workload=replace(of.workload, build=Tied))
    found = examples.weights(of, [trial("momentum", 0.05, 6, "constant"), trial("sgd", 1.0, 5)])[0]
    model = build(Tied, 6)
    start = {name: p.clone() for name, p in model.named_parameters()}
    optimizer = torch.optim.SGD(model.parameters(), 0.05, 0.9)
    for x, y in batches(of, 6, 5):
        optimizer.zero_grad()
        of.workload.loss(model(x), y).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert set(found) == set(start)
    for name, param in model.named_parameters():
        torch.testing.assert_close(found[name], param.detach(), rtol=1e-4, atol=1e-6)
        still = name.startswith(("frozen", "unused"))
        assert torch.equal(found[name], start[name]) == still, name


def test_a_model_that_draws_nothing_differs_by_its_data_order_only() -> None:
    """With weights of zero all seeds start alike and part with the first batch."""
    of = line(budget={"steps": 2})

    def zeros() -> nn.Module:
        layer = nn.Linear(3, 1)
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
        return layer

    of = replace(of, workload=replace(of.workload, build=zeros))
    whole = replace(of, plan=replace(of.plan, batch_size=45))
    still = train([trial("sgd", 0.0, s) for s in (0, 1)], whole)
    assert still[0].test_loss == still[1].test_loss
    moved = train([trial("sgd", 0.1, s) for s in (0, 1)], of)
    assert moved[0].test_loss != moved[1].test_loss


class Drawing(nn.Module):
    """Drops by a function instead of a module."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        return functional.dropout(self.layer(x.flatten(1)), 0.5, self.training)


class Twice(Drawing):
    """Uses one dropout module at two places."""

    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.drop(self.layer(self.drop(x.flatten(1))))
        return out


class Turned(Twice):
    """Drops with the features in front of the examples."""

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.drop(self.layer(x.flatten(1)).T).T
        return out


REFUSED = {
    Drawing: "the model draws random numbers in its forward pass; use nn.Dropout modules",
    Twice: "dropout 'drop' is used 2 times; make one for each use",
    Turned: "dropout 'drop' is given (10, 2); put examples first",
    lambda: nn.Sequential(nn.Flatten(), nn.AlphaDropout(), nn.Linear(64, 10)): (
        "nn.AlphaDropout has no masked form; "
        "use nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d"
    ),
    lambda: nn.Sequential(nn.Flatten(), nn.Linear(65, 10)): (
        "size mismatch, got input (16), mat (16x64), vec (65)"
    ),
}


@pytest.mark.parametrize("model", REFUSED, ids=["drawing", "twice", "turned", "alpha", "size"])
def test_a_model_that_cannot_train_is_refused_in_one_line(model: type[nn.Module]) -> None:
    """The line names the workload, the batch size and what is wrong."""
    of = task(examples.named(model, "mine"), examples.images(40))
    with pytest.raises(UserError) as refused:
        train([trial()], of)
    start, _, why = str(refused.value).partition(", batch_size 16: ")
    assert start == "workload 'mine'"
    if "size mismatch" in REFUSED[model]:  # torch's own words, which change between versions
        assert why
        assert "\n" not in why
    else:
        assert why == REFUSED[model]


def test_batch_norm_on_one_example_is_refused_with_the_nearest_batch_size() -> None:
    """37 examples in batches of 4 leave one: the line says so, and names a batch size that fits."""
    of = task(examples.batch_norm(), examples.images(37), 4, validation=0.0)
    with pytest.raises(UserError) as refused:
        train([trial()], of)
    assert str(refused.value) == (
        "workload 'batch-norm', batch_size 4: BatchNorm cannot train on a batch of one example, "
        "which 37 examples leave; choose batch_size 5, or last_batch: drop"
    )
    fitting = replace(of, plan=replace(of.plan, batch_size=5))
    assert train([trial()], fitting)[0].status == "ok"


def test_batch_norm_on_data_of_one_example_is_refused() -> None:
    """Where no batch size fits, none is named."""
    of = task(examples.batch_norm(), examples.images(1), 1, validation=0.0)
    with pytest.raises(UserError, match=r"BatchNorm cannot train on data of one example$"):
        train([trial()], of)


def test_running_out_of_memory_is_not_blamed_on_the_model() -> None:
    """It is a status, not a user's error."""

    def loss(output: Tensor, target: Tensor) -> Tensor:
        raise torch.OutOfMemoryError

    of = digits()
    [record] = train([trial()], replace(of, workload=replace(of.workload, loss=loss)))
    assert record.status == "oom"


class Huge(nn.Module):
    """A model whose activation is more than any memory holds."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(64, 10))

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        return x @ self.weight + x.new_empty(len(x), 1 << 46).sum()


def test_the_cpus_own_words_for_no_memory_are_understood() -> None:
    """What the CPU's allocator raises is an out-of-memory error, as on a GPU."""
    of = digits()
    [record] = train([trial()], replace(of, workload=replace(of.workload, build=Huge)))
    assert record.status == "oom"


class Forgetful(Optimizer):
    """An optimizer whose rule is wrong in a way that users get wrong."""

    name = "forgetful"

    def update(
        self, param: Tensor, grad: Tensor, state: dict[str, Tensor], lr: Tensor, now: Now
    ) -> None:
        param = param - lr * grad


class Stateless(Forgetful):
    """One that asks for a state it never made."""

    name = "stateless"

    def update(
        self, param: Tensor, grad: Tensor, state: dict[str, Tensor], lr: Tensor, now: Now
    ) -> None:
        param.sub_(lr * state["mean"])


@pytest.mark.parametrize(
    ("rule", "words"),
    [(Forgetful(), "change param in place"), (Stateless(), "KeyError: 'mean'")],
)
def test_a_wrong_update_rule_is_refused_in_one_line(rule: Optimizer, words: str) -> None:
    """A rule that changes nothing, or raises, is named; it never passes for one that trained."""
    of = digits()
    with pytest.raises(UserError, match=words) as refused:
        train([replace(trial(), optimizer=rule)], of)
    assert f"optimizer {rule.name!r}" in str(refused.value)
    assert "\n" not in str(refused.value)
