"""The loop that is timed, the memory it takes, and both as a row."""

from __future__ import annotations

import math
from itertools import islice
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from kit.oracles import oracle
from trainscape import optimizers
from trainscape.engine.data import Split
from trainscape.throughput.identity import Measurement
from trainscape.throughput.suite import loop as steps
from trainscape.throughput.suite.memory import peak
from trainscape.throughput.suite.passes import Block, Blocks
from trainscape.throughput.suite.row import row, row_of_none

CPU = torch.device("cpu")

# A measurement as a row

ONE = Measurement("digits-mlp", "sgd", {"name": "sgd"}, 64, "step")


def times(**changes: float) -> SimpleNamespace:
    """What pytest-benchmark says of a measurement's blocks, with changes."""
    return SimpleNamespace(**{"median": 0.125, "iqr": 0.005, "rounds": 8, **changes})


def found(*seconds: float) -> Blocks:
    """A measurement of four steps a block."""
    return Blocks([Block(one, 4, 0.03) for one in seconds], within=0.2)


EVEN = found(*[0.5 + 0.01 * step for step in (-4, -3, -2, -1, 1, 2, 3, 4)])


def test_row() -> None:
    """Times are a step's, where those measured are a block's."""
    assert row(ONE, times(), EVEN, memory=1000) == {
        "workload": "digits-mlp",
        "optimizer": "sgd",
        "batch_size": 64,
        "mode": "step",
        "step_time_s": 0.125,
        "step_low_s": 0.115,
        "step_high_s": 0.135,
        "iqr_s": 0.005,
        "blocks": 8,
        "samples_per_s": 512.0,
        "peak_memory_bytes": 1000,
        "passes": 8,
        "noisy": 0,
        "noisy_because": None,
        "load": 0.03,
    }


def test_row_without_an_interval() -> None:
    """Of seven blocks not even the least and the most hold the median in 95% of measurements."""
    with pytest.raises(ValueError, match="step_low_s is nan"):
        row(ONE, times(), found(*[0.5] * 7), memory=1000)


def test_row_of_a_noisy_measurement() -> None:
    """It says that it is noisy, and why."""
    made = row(ONE, times(), found(*[0.5] * 5, *[0.7] * 5), memory=1000)
    assert (made["noisy"], made["noisy_because"]) == (1, "spread")


def test_row_of_none() -> None:
    """What did not fit the memory has the same columns, null but for what was measured."""
    made = row_of_none(ONE)
    assert {name for name, value in made.items() if value is not None} == {
        *ONE.key(),
        "blocks",
        "passes",
    }
    assert (made["blocks"], made["passes"]) == (0, 0)
    assert {*made} == {*row(ONE, times(), EVEN, memory=1000)}


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("step_time_s", {"median": 0.0}),
        ("step_time_s", {"median": math.nan}),
        ("iqr_s", {"iqr": math.inf}),
        ("iqr_s", {"iqr": -1.0}),
    ],
)
def test_impossible_row(name: str, changes: dict[str, float]) -> None:
    """A time that cannot be is refused, never written."""
    with pytest.raises(ValueError, match=f"digits-mlp sgd batch 64 step: {name} is"):
        row(ONE, times(**changes), EVEN, memory=1000)


def test_impossible_memory() -> None:
    """A step that takes no memory is refused."""
    with pytest.raises(ValueError, match="peak_memory_bytes is 0"):
        row(ONE, times(), EVEN, memory=0)


# The loop that is timed


def split(size: int) -> Split:
    """``size`` examples whose label is their number."""
    return Split(torch.randn(size, 8, 8), torch.arange(size) % 10)


def loop(optimizer: str, mode: str = "step", size: int = 16) -> steps.Loop:
    """A loop over 40 examples."""
    one = Measurement("digits-mlp", optimizer, {"name": optimizer}, size, mode)
    return steps.Loop(one, split(40), CPU)


@pytest.mark.parametrize("name", optimizers.registry.names())
def test_every_optimizer_runs(name: str) -> None:
    """In a plain loop torch's own counterpart of every optimizer, else our rule, moves weights."""
    made = loop(name)
    before = [param.detach().clone() for param in made.model.parameters()]
    made.run(3)
    for param, old in zip(made.model.parameters(), before, strict=True):
        assert not torch.equal(param, old)
        assert torch.allclose(param, old, atol=1e-3)
    known = optimizers.registry.get(name)().reference(made.model.parameters(), 0.1)
    assert type(made.optimizer) is (type(known) if known else steps.Ours)
    assert not known or type(known).__module__.startswith("torch.optim")


@pytest.mark.usefixtures("counters_in_double")
@pytest.mark.parametrize("name", optimizers.registry.names())
def test_our_rule_as_optimizer(name: str) -> None:
    """Where torch has no counterpart our rule is timed, and it is the same rule."""
    rule = optimizers.registry.get(name)()
    x, y = torch.randn(20, 3, dtype=torch.float64), torch.randn(20, 1, dtype=torch.float64)
    found = []
    for ours in (True, False):
        torch.manual_seed(1)
        model = nn.Linear(3, 1).double()
        params = list(model.parameters())
        optimizer = steps.Ours(params, rule, 0.01) if ours else oracle(rule, params, 0.01)
        for _ in range(10):
            optimizer.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        found.append(nn.utils.parameters_to_vector(model.parameters()).detach())
    assert torch.allclose(found[0], found[1], rtol=0, atol=1e-12)


def test_loader_batches() -> None:
    """A loader gives full batches, no example twice an epoch, and another order in the next.

    Where a study's order is fixed it is the split's own in each.
    """
    train = Split(torch.arange(25.0)[:, None], torch.arange(25))
    batches = [y.tolist() for _, y in islice(steps._loaded(train, 10, CPU, True), 6)]
    assert [len(batch) for batch in batches] == [10] * 6
    epochs = [batches[i] + batches[i + 1] for i in (0, 2, 4)]
    assert all(len(set(epoch)) == 20 for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    fixed = [y.tolist() for _, y in islice(steps._loaded(train, 10, CPU, False), 4)]
    assert fixed == [[*range(10)], [*range(10, 20)]] * 2


def test_batches_in_memory() -> None:
    """Batches in memory are full, different, parts of the split, and come again when used up."""
    train = Split(torch.arange(25.0)[:, None], torch.arange(25))
    batches = [*islice(steps._in_memory(train, 10), 3)]
    assert batches[1][0].data_ptr() == train.x[10:].data_ptr()
    found = [y.tolist() for _, y in batches]
    assert found == [[*range(10)], [*range(10, 20)], [*range(10)]]


def test_peak() -> None:
    """The peak counts what the work holds at once: not what it freed, nor what was there before."""
    before = torch.ones(5000)

    def work() -> None:
        first = torch.zeros(1000)
        del first
        kept = [torch.zeros(2000), before.clone()]
        kept.clear()
        torch.zeros(300)

    assert peak(work, CPU) == 4 * 7000


def test_peak_of_state() -> None:
    """Adam's two moments stand in its peak: at least two more tensors as large as the weights."""
    weights = sum(param.numel() * 4 for param in loop("sgd").model.parameters())
    found = {name: peak(lambda n=name: loop(n).run(2), CPU) for name in ("sgd", "adam")}  # type: ignore[misc]
    assert found["sgd"] > 2 * weights  # and gradients
    assert found["adam"] >= found["sgd"] + 2 * weights


@pytest.mark.parametrize(
    "path", ["torch.optim.NAdam", "torch.optim.LBFGS", "schedulefree.SGDScheduleFree"]
)
def test_an_optimizer_by_import_path_is_timed(path: str) -> None:
    """The class itself, in its mode for training, with a closure where it takes one."""
    package, _, name = path.partition(".")
    pytest.importorskip(package)
    spec = {"name": "torch", "torch": path}
    made = steps.Loop(Measurement("digits-mlp", "x", spec, 16, "step"), split(40), CPU)
    before = [param.detach().clone() for param in made.model.parameters()]
    made.run(3)
    assert type(made.optimizer).__name__ == name.rpartition(".")[2]
    assert not any(map(torch.equal, made.model.parameters(), before))
