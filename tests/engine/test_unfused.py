"""Any torch optimizer, trial by trial: the numbers of a pack, and of no neighbour."""

from __future__ import annotations

import importlib.util
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import nn

from kit import examples
from kit.examples import CPU, task, train, trial
from kit.plain_loop import in_double
from kit.tasks import digits, line
from trainscape import schedules, study
from trainscape.cells import grid
from trainscape.cells.cell import TrialRecord
from trainscape.cells.imported import Imported
from trainscape.engine import run
from trainscape.engine.trial import METRICS, Trial
from trainscape.engine.unfused import Single, Unfused
from trainscape.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from trainscape.engine.task import Task

# one of ours and the same rule of torch's, with a rate
SAME: list[tuple[str, dict[str, Any], float]] = [
    ("momentum", {"torch": "torch.optim.SGD", "momentum": 0.9}, 0.03),
    ("adam", {"torch": "torch.optim.Adam"}, 0.002),
    ("adamw", {"torch": "torch.optim.AdamW"}, 0.002),
    ("rmsprop", {"torch": "torch.optim.RMSprop"}, 0.002),
]
OTHERS: list[dict[str, Any]] = [
    {"torch": "torch.optim.NAdam"},
    {"torch": "torch.optim.LBFGS", "max_iter": 4},
    {"torch": "schedulefree.AdamWScheduleFree", "warmup_steps": 3},
    {"torch": "schedulefree.RAdamScheduleFree"},
    {"torch": "pytorch_optimizer.Lion"},
    {"torch": "pytorch_optimizer.SOAP"},
]


def here(path: str) -> str:
    """The path, where its package is installed."""
    package = path.partition(".")[0]
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    return path


def named(spec: dict[str, Any], lr: float = 0.01, seed: int = 0, schedule: str = "cosine") -> Trial:
    """A trial of an optimizer by its import path."""
    optimizer = Imported.of({"name": "torch", **spec, "torch": here(spec["torch"])})
    return Trial(optimizer, lr, schedules.registry.get(schedule)(), seed)


def unfused(trials: list[Trial], of: Task, precision: str = "fp32") -> list[TrialRecord]:
    """The records of trials that train one after the other."""
    parts = Unfused(replace(of, precision=precision)).train(trials, lambda _: None)
    return [record for made in parts for record in made]


def dropout() -> Task:
    """Dropout of channels and features, the last batch short, several chunks to score."""
    return task(examples.named(examples.dropout), examples.images(300, test=290), 64)


def batch_norm() -> Task:
    """Running statistics, in float64: see :func:`in_double`."""
    return in_double(task(examples.batch_norm(), examples.images(100), 32))


@pytest.mark.parametrize("of", [digits, dropout, batch_norm, line])
@pytest.mark.parametrize(("name", "spec", "lr"), SAME, ids=[name for name, *_ in SAME])
def test_torchs_own_rules_train_as_ours_do_in_a_pack(
    of: Callable[[], Task], name: str, spec: dict[str, Any], lr: float
) -> None:
    """Weights, batches, masks, rates, scores: every number of the history is a pack's to 1e-4."""
    made = of()
    [fused] = train([trial(name, lr, 3)], made)
    [alone] = unfused([named(spec, lr, 3)], made)
    assert (alone.seed, alone.status, alone.diverged_at) == (3, "ok", None)
    for metric in METRICS:
        found, expected = getattr(alone, metric), getattr(fused, metric)
        assert len(found) == len(expected) > 0
        assert found == pytest.approx(expected, rel=1e-4), metric


@pytest.mark.parametrize("spec", OTHERS, ids=[spec["torch"] for spec in OTHERS])
def test_any_optimizer_learns_and_depends_on_no_neighbour(spec: dict[str, Any]) -> None:
    """It takes the training loss down, and its record is the same alone, again and after others."""
    of = dropout()
    one, other = named(spec, 0.01, 1), named({"torch": "torch.optim.SGD"}, 0.1, 2)
    [alone] = unfused([one], of)
    torch.rand(3)  # whatever else the process draws
    again = unfused([other, one, other], of)
    assert again[1] == alone
    assert again[0] == again[2] != alone
    assert alone.status == "ok"
    assert alone.fit_loss[-1] < alone.train_loss[0]


def test_averaged_weights_are_scored_and_the_others_trained() -> None:
    """Schedule-Free is scored on its average: how often does not change how it trains."""
    spec = {"torch": "schedulefree.SGDScheduleFree"}
    often, seldom = digits(budget={"steps": 6}, every=1 / 3), digits(budget={"steps": 6}, every=9)
    [a], [b] = (unfused([named(spec, 0.5, schedule="constant")], of) for of in (often, seldom))
    assert len(a.test_loss) == 6 > len(b.test_loss)
    assert a.test_loss[-1] == b.test_loss[-1]
    seen = Single(often, named(spec, 0.5))
    seen.train(lambda _: None)
    scored = seen._score(often.splits.test)[0].item()
    seen._mode(training=False)
    assert seen._score(often.splits.test)[0].item() != scored


def test_the_rate_is_the_peak_times_the_schedules_factor() -> None:
    """Every parameter group gets it at every step."""
    of = digits(budget={"epochs": 2})
    one = Single(of, named({"torch": "torch.optim.SGD"}))
    rates = []
    for k in range(of.plan.total):
        one.step(k)
        rates.append([group["lr"] for group in one.optimizer.param_groups])
    assert rates == [[0.01 * factor] for factor in one.factors]
    assert len({rate for [rate] in rates}) == of.plan.total


@pytest.mark.parametrize("every", [0.5, 9])
@pytest.mark.parametrize("name", ["torch.optim.SGD", "torch.optim.LBFGS"])
def test_divergence_is_recorded_as_in_a_pack(name: str, every: float) -> None:
    """Status and step are the pack's; the history ends before, and a neighbour goes on."""
    of = line(budget={"epochs": 30}, every=every)
    wild, tame = named({"torch": name}, 1e9), named({"torch": "torch.optim.SGD"}, 0.01)
    records = unfused([wild, tame], of)
    if name == "torch.optim.SGD":
        [fused] = train([trial("sgd", 1e9)], of)
        assert records[0].diverged_at == fused.diverged_at
        assert every < 1 or fused.diverged_at not in of.plan.evaluations, "or it shows little"
        assert len(records[0].test_loss) == len(fused.test_loss)
    assert records[0].status == "diverged"
    assert len(records[0].val_loss) < len(of.plan.evaluations) == len(records[1].val_loss)


class Noisy(torch.optim.SGD):
    """Draws from every generator."""

    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for p in group["params"]:
                noise = random.random() + np.random.random()
                p.grad.add_(torch.rand_like(p), alpha=0.01 * noise)
        return super().step(closure)


def test_what_an_optimizer_draws_is_decided_by_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its random numbers are its own: the same after other trials, others for another seed."""
    monkeypatch.setattr(torch.optim, "Noisy", Noisy, raising=False)
    one, other = (named({"torch": "torch.optim.Noisy"}, seed=seed) for seed in (1, 2))
    records = unfused([one, other, one], digits())
    assert records[0] == records[2] != records[1]


class Refuses(torch.optim.SGD):
    """Goes on over nothing that is not finite, nor past its third step."""

    taken = 0

    def step(self, closure: Any = None) -> Any:
        self.taken += 1
        grads = [p.grad for group in self.param_groups for p in group["params"]]
        if not all(grad.isfinite().all() for grad in grads):
            raise ValueError("gradients are not finite")
        if self.taken > 3 and not self.defaults["nesterov"]:
            raise RuntimeError("step 4\nis one too many")
        return super().step(closure)


@pytest.fixture
def refuses(monkeypatch: pytest.MonkeyPatch) -> str:
    """The import path of the class above."""
    monkeypatch.setattr(torch.optim, "Refuses", Refuses, raising=False)
    return "torch.optim.Refuses"


def test_an_optimizer_that_raises_is_named(refuses: str) -> None:
    """What it says stands in one line; refusing a loss that is not finite is a divergence."""
    with pytest.raises(UserError) as error:
        unfused([named({"torch": refuses})], digits())
    said = "optimizer 'torch.optim.Refuses': RuntimeError: step 4 is one too many"
    assert str(error.value) == said
    spec = {"torch": refuses, "nesterov": True, "momentum": 0.9}
    [record] = unfused([named(spec, 1e25)], line(budget={"epochs": 30}))
    assert record.status == "diverged"


def test_cells_beside_one_that_fails_are_trained(refuses: str) -> None:
    """The error comes last, once for all cells that met it."""
    axes = {"optimizer": [{"torch": refuses}, "sgd", {"torch": "torch.optim.NAdam"}]}
    budget = {"budget": {"epochs": 2}, "seeds": 1}
    raw = {**budget, "grid": {**axes, "batch_size": [20], "lr": [0.01, 0.02]}}
    specs = [cell.spec() for cell in grid.cells(study.parse(raw, "test"))]
    done: list[int] = []
    with pytest.raises(UserError) as error:
        run.train_cells(specs, examples.images(60), CPU, finished=lambda i, *_: done.append(i))
    assert str(error.value) == (
        "optimizer 'torch.optim.Refuses': RuntimeError: step 4 is one too many"
    )
    assert sorted(done) == [2, 3, 4, 5]


def test_a_model_that_draws_random_numbers_is_refused() -> None:
    """As in a pack: trials of a seed would no longer meet the same randomness."""

    def build() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 10), Noise())

    of = task(examples.named(build), examples.images(40))
    with pytest.raises(UserError, match="draws random numbers in its forward pass"):
        unfused([named({"torch": "torch.optim.SGD"})], of)


class Noise(nn.Module):
    """Adds noise."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.rand_like(x)


def test_bfloat16_is_the_packs() -> None:
    """The precision lowers the model's products alone."""
    of = digits()
    spec = {"torch": "torch.optim.SGD", "momentum": 0.9}
    [low], [full] = (unfused([named(spec, 0.1)], of, p) for p in ("bf16", "fp32"))
    assert low.train_loss != full.train_loss
    assert low.train_loss == pytest.approx(full.train_loss, rel=0.02)


def test_lack_of_memory_is_a_status(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trial has no history, and the next one trains."""
    step = Single.step

    def attempt(one: Single, k: int) -> None:
        if one.trial.seed == 1:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        step(one, k)

    monkeypatch.setattr(Single, "step", attempt)
    spec = {"torch": "torch.optim.SGD"}
    records = unfused([named(spec, seed=1), named(spec, seed=2)], digits())
    assert records[0] == TrialRecord.untrained(1, "oom")
    assert records[1].status == "ok"


def test_cells_of_both_kinds_train_in_one_call() -> None:
    """Records, progress and backends come for each, as if the others were not there."""
    entries = ["sgd", {"torch": "torch.optim.NAdam"}, "adam", {"torch": "torch.optim.Rprop"}]
    axes = {"optimizer": entries, "batch_size": [20], "lr": [0.01]}
    raw = {"grid": axes, "seeds": 2, "budget": {"epochs": 2}}
    specs = [cell.spec() for cell in grid.cells(study.parse(raw, "test"))]
    arrays = examples.images(60)
    told: dict[int, tuple[list[TrialRecord], str]] = {}
    steps: list[tuple[int, int]] = []
    _, records = run.train_cells(
        specs,
        arrays,
        CPU,
        lambda done, total: steps.append((done, total)),
        lambda i, made, backend: told.update({i: (made, backend)}),
    )
    assert {i: made for i, (made, _) in told.items()} == dict(enumerate(records))
    assert all(backend.startswith("cpu") for _, backend in told.values())
    total = 4 * 2 * 2 * 3  # cells, seeds, epochs, steps of 48 examples in batches of 20
    assert steps == sorted(steps) and steps[-1] == (total, total)
    for spec, record in zip(specs, records, strict=True):
        assert run.train_cells([spec], arrays, CPU)[1] == [record]
