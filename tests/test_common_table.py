"""What every registry entry must pass, a column a test: a new entry is a new row, without an edit.

Finer tests of each kind are in test_optimizers, test_schedules, test_workloads, test_datasets and
engine/.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kit import examples
from kit.examples import Trained, task, trained, trial
from kit.plain_loop import EMBEDDED, LR, made, plain, small
from kit.schedule_tables import ORACLES, WRITTEN_OUT
from kit.small_arrays import same
from kit.tasks import line
from trainscape import datasets, optimizers, schedules, workloads
from trainscape.datasets import Raw

if TYPE_CHECKING:
    from trainscape.engine.task import Task
    from trainscape.engine.trial import Trial

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
REGISTRIES = {"optimizer": optimizers, "schedule": schedules, "workload": workloads}
ROWS = [(kind, name) for kind, of in REGISTRIES.items() for name in of.registry.names()]
DATASETS = datasets.registry.names()
FACTORS = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000)  # on the rule's rate in kit.plain_loop
LOST = 1e30  # a rate at which anything diverges

every_row = pytest.mark.parametrize(("kind", "name"), ROWS, ids=[f"{k}-{n}" for k, n in ROWS])


@cache
def table(kind: str, name: str) -> tuple[Task, list[Trained]]:
    """The row's task, and its trials in one pack: at several rates, and one that diverges."""
    of = setting(kind, name)
    return of, trained(pack(kind, name), of)


def setting(kind: str, name: str, *, long: bool = True) -> Task:
    """What the row trains on: a workload itself, an optimizer on the quadratic in one weight.

    A schedule has least squares, a quadratic in four weights that can be validated: one follows it.
    A ``long`` one is long enough for the loss to come down.
    """
    if kind == "optimizer":
        quadratic = workloads.registry.get("quadratic")
        return task(quadratic, made("point"), 1, {"epochs": 300 if long else 30}, validation=0)
    if kind == "schedule":
        return line(budget={"epochs": 60 if long else 10})
    workload = workloads.registry.get(name)
    if workload.dataset in EMBEDDED:
        return small(workload)
    shape = {"side": 32, "colours": 3} if workload.dataset == "cifar10" else {"side": 28}
    return task(workload, examples.images(12, test=4, **shape), 4, {"epochs": 5}, validation=0.25)


def pack(kind: str, name: str) -> list[Trial]:
    """The row's trials, the diverging one last."""
    rule = name if kind == "optimizer" else "sgd" if kind == "schedule" else "adam"
    shape = name if kind == "schedule" else "linear"
    rates = [LR.get(rule, 0.002) * factor for factor in FACTORS]
    few = kind == "workload" and workloads.registry.get(name).dataset not in EMBEDDED
    return [trial(rule, lr, 0, shape) for lr in [*(rates[:2] if few else rates), LOST]]


@every_row
def test_agrees_with_its_oracle(kind: str, name: str) -> None:
    """In the engine, an optimizer or workload trains as in a plain loop with the rule's oracle.

    A schedule has torch's counterpart or values worked by hand, step by step in test_schedules.
    """
    if kind == "schedule":
        assert [1 for case, *_ in (*ORACLES.values(), *WRITTEN_OUT) if case == name]
        return
    of, found = table(kind, name)
    expected = plain(pack(kind, name)[0], of)["train_loss"]
    assert found[0].record.train_loss == pytest.approx(expected, rel=1e-3)


@every_row
def test_trains_to_the_same_bits_whatever_its_pack(kind: str, name: str) -> None:
    """Again in another order, alone, and in twos: records, weights and buffers of each trial."""
    of, trials = setting(kind, name, long=False), pack(kind, name)
    found = trained(trials, of)
    assert trained(trials[::-1], of) == found[::-1]
    assert trained(trials[:1], of) == found[:1]
    assert trained(trials[1:3], of) == found[1:3]


@every_row
def test_converges(kind: str, name: str) -> None:
    """At one of the rates the loss comes down: to a thousandth on a quadratic."""
    _, found = table(kind, name)
    losses = [t.record.train_loss for t in found if t.record.status == "ok"]
    share = min(history[-1] / history[0] for history in losses)
    assert share < (1 if kind == "workload" else 1e-3)


@every_row
def test_a_diverging_rate_is_recorded(kind: str, name: str) -> None:
    """As diverged, with the step, whatever the others of its pack do."""
    *_, lost = table(kind, name)[1]
    assert lost.record.status == "diverged"
    assert lost.record.diverged_at


@pytest.mark.parametrize("name", [*(name for _, name in ROWS), *DATASETS])
def test_the_readme_names_it(name: str) -> None:
    """A part as a name, a dataset in the words of its authors: CIFAR-10."""
    words = README.casefold().replace("-", "")
    assert (name.replace("-", "") if name in DATASETS else f"`{name.replace('-', '')}`") in words


@pytest.mark.parametrize("name", DATASETS)
def test_a_dataset_is_the_same_again(name: str) -> None:
    """Made again it has the same arrays; one that is downloaded is known by a hash."""
    entry = datasets.registry.get(name)
    if name in EMBEDDED:
        assert same(entry.make(Raw(Path())), entry.make(Raw(Path())))
    assert len(entry.sha256) == 64
