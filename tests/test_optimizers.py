"""One table over the registry: a new optimizer's file is tested without an edit here.

The oracle of an entry is ``reference()``, its counterpart in torch.optim. An entry that has none
brings ``tests/oracles/<name>.py`` with ``reference(optimizer, params, lr)``: a torch optimizer that
does the published rule for one tensor at a time, written plainly.
"""

from __future__ import annotations

import importlib.util
import math
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor

from trainscape.errors import UserError
from trainscape.optimizers import Optimizer, registry

if TYPE_CHECKING:
    from collections.abc import Iterator

ORACLES = Path(__file__).parent / "oracles"


def other(value: Any) -> Any:
    """A valid value of a hyperparameter that is not ``value`` and far enough from it to show."""
    if isinstance(value, bool):
        return not value
    if value < 1e-3:  # an ε, or a part that is off
        return 0.1
    return value * 0.9


def variants() -> Iterator[Any]:
    """Every optimizer with its defaults, with each hyperparameter changed, and with all changed."""
    for name in registry.names():
        plain = registry.get(name)()
        changes = {f.name: other(getattr(plain, f.name)) for f in fields(plain)}
        yield pytest.param(plain, id=name)
        for key, value in changes.items():
            yield pytest.param(replace(plain, **{key: value}), id=f"{name}-{key}")
        if len(changes) > 1:
            yield pytest.param(replace(plain, **changes), id=f"{name}-all")


VARIANTS = list(variants())


def oracle(
    optimizer: Optimizer, params: list[Tensor], lr: float, folder: Path = ORACLES
) -> torch.optim.Optimizer:
    """The implementation that ``optimizer`` must agree with; fails where there is none."""
    found = optimizer.reference(params, lr)
    if found is not None:
        return found
    path = folder / f"{optimizer.name}.py"
    if not path.is_file():
        pytest.fail(f"{optimizer.name!r} has no reference() and no oracle at {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = module.reference(optimizer, params, lr)
    assert isinstance(made, torch.optim.Optimizer)
    return made


def network() -> list[Tensor]:
    """The weights of a 5-7-3 network in float64, the same at every call."""
    generator = torch.Generator().manual_seed(1)
    shapes = [(7, 5), (7,), (3, 7), (3,)]
    return [torch.randn(s, generator=generator, dtype=torch.float64) / 2 for s in shapes]


def gradients(weights: list[Tensor], step: int) -> list[Tensor]:
    """The gradients of the cross-entropy on the batch of ``step``: 6 examples of 3 classes."""
    generator = torch.Generator().manual_seed(1000 + step)
    x = torch.randn(6, 5, generator=generator, dtype=torch.float64)
    y = torch.randint(3, (6,), generator=generator)
    leaves = [w.detach().requires_grad_() for w in weights]
    hidden = torch.tanh(x @ leaves[0].T + leaves[1])
    loss = torch.nn.functional.cross_entropy(hidden @ leaves[2].T + leaves[3], y)
    return list(torch.autograd.grad(loss, leaves))


def rate(step: int) -> float:
    """A learning rate that changes at every step (counted from 1), up and down."""
    return (0.015 if step % 2 else 0.005) / math.sqrt(step)


def trained(optimizer: Optimizer, steps: int) -> list[list[Tensor]]:
    """The network's weights after every step of ours."""
    weights = network()
    states = [optimizer.init(w) for w in weights]
    history = []
    for step in range(1, steps + 1):
        lr = torch.tensor(rate(step), dtype=torch.float64)
        for w, g, s in zip(weights, gradients(weights, step), states, strict=True):
            optimizer.update(w, g, s, lr, optimizer.now(step, w))
        history.append([w.clone() for w in weights])
    return history


@pytest.mark.parametrize("optimizer", VARIANTS)
def test_every_step_agrees_with_the_oracle(optimizer: Optimizer) -> None:
    """Fifty steps in float64 with a changing lr stay within 1e-12 of torch.optim's."""
    weights = [w.requires_grad_() for w in network()]
    reference = oracle(optimizer, weights, 1.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(reference, lambda k: rate(k + 1))
    for step, ours in enumerate(trained(optimizer, 50), start=1):
        for w, g in zip(weights, gradients(weights, step), strict=True):
            w.grad = g
        reference.step()
        schedule.step()
        for w, mine in zip(weights, ours, strict=True):
            torch.testing.assert_close(mine, w.detach(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("optimizer", VARIANTS)
def test_a_hyperparameter_does_something(optimizer: Optimizer) -> None:
    """A changed hyperparameter changes the weights: none is read and forgotten."""
    plain = registry.get(optimizer.name)()
    same = all(map(torch.equal, trained(optimizer, 5)[-1], trained(plain, 5)[-1]))
    assert same == (optimizer == plain)


@pytest.mark.parametrize("optimizer", VARIANTS)
def test_training_twice_gives_the_same_bits(optimizer: Optimizer) -> None:
    """An update depends on its arguments only."""
    for first, second in zip(trained(optimizer, 20), trained(optimizer, 20), strict=True):
        assert all(map(torch.equal, first, second))


@pytest.mark.parametrize(("trials", "size"), [(2, 1), (5, 13), (33, 37), (7, 1031)])
@pytest.mark.parametrize("optimizer", VARIANTS)
def test_a_stack_equals_each_trial_alone(optimizer: Optimizer, trials: int, size: int) -> None:
    """Beside other learning rates, one of which diverges, a trial has the bits it has alone."""
    generator = torch.Generator().manual_seed(trials)
    start = torch.randn(trials, size, generator=generator)
    peak = torch.logspace(-4, 0, trials)[:, None]
    lost = trials // 2
    peak[lost] = 1e38
    grads = torch.randn(12, trials, size, generator=generator)
    rows = [slice(0, trials)] + [slice(i, i + 1) for i in range(trials) if i != lost]
    finals = []
    for row in rows:
        param = start[row].clone()
        state = optimizer.init(param)
        for step, grad in enumerate(grads, start=1):
            # the pull of the weights makes the lost trial overflow
            pull = (param + grad[row]) if step > 6 else grad[row].clone()
            optimizer.update(param, pull, state, peak[row] / step, optimizer.now(step, param))
        finals.append(param)
    together, *alone = finals
    assert not together[lost].abs().max() < 1e30
    assert all(t.isfinite().all() for t in alone)
    kept = [i for i in range(trials) if i != lost]
    assert torch.equal(together[kept], torch.cat(alone))


@pytest.mark.parametrize("optimizer", VARIANTS)
def test_an_update_is_in_place(optimizer: Optimizer) -> None:
    """The tensors of the weights and of the state stay the same objects, at the same address."""
    param = torch.ones(3, 5)
    state = optimizer.init(param)
    assert all(t.shape == param.shape and t.dtype == param.dtype for t in state.values())
    before = [(id(t), t.data_ptr()) for t in (param, *state.values())]
    for step in (1, 2):
        now = optimizer.now(step, param)
        optimizer.update(param, torch.ones(3, 5), state, torch.full((3, 1), 0.1), now)
    assert [(id(t), t.data_ptr()) for t in (param, *state.values())] == before
    assert not torch.equal(param, torch.ones(3, 5))


@pytest.mark.parametrize("name", registry.names())
def test_some_rate_finds_the_minimum_of_a_quadratic(name: str) -> None:
    """Of rates ten times apart, one brings a quadratic of condition 20 down by 1,000."""
    optimizer = registry.get(name)()
    lr = torch.logspace(-4, 1, 6, dtype=torch.float64)[:, None]
    curvature = torch.tensor([1.0, 5.0, 20.0], dtype=torch.float64)
    goal = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)
    param = torch.zeros(6, 3, dtype=torch.float64)
    state = optimizer.init(param)
    first = (curvature * goal**2).sum() / 2
    for step in range(1, 401):
        now = optimizer.now(step, param)
        optimizer.update(param, curvature * (param - goal), state, lr, now)
    last = (curvature * (param - goal) ** 2).sum(1) / 2
    assert last.nan_to_num(float("inf")).min() < first / 1000


# w after each step from w = 1 with the gradients 2, then −1, at lr 0.1 and ε = 0: worked by hand.
WRITTEN_OUT: dict[str, tuple[dict[str, Any], list[float]]] = {
    # 1 − 0.1·2 = 0.8;  0.8 + 0.1·1 = 0.9
    "sgd": ({}, [0.8, 0.9]),
    # g = 2 + 0.5·1 = 2.5 → 0.75;  g = −1 + 0.5·0.75 = −0.625 → 0.8125
    "sgd, weight decay": ({"weight_decay": 0.5}, [0.75, 0.8125]),
    # b = 2 → 0.8;  b = 0.9·2 − 1 = 0.8 → 0.72
    "momentum": ({}, [0.8, 0.72]),
    # the first b is 2 undamped → 0.8;  b = 0.9·2 − 0.5·1 = 1.3 → 0.67
    "momentum, dampened": ({"dampening": 0.5}, [0.8, 0.67]),
    # b = 2, g + 0.9b = 3.8 → 0.62;  b = 0.8, −1 + 0.72 = −0.28 → 0.648
    "nesterov": ({}, [0.62, 0.648]),
    # s = 4, 2/2 → 0.9;  s = 5, −1/√5 → 0.9 + 0.1/√5
    "adagrad": ({}, [0.9, 0.9 + 0.1 / 5**0.5]),
    # s = 5 + 4 = 9, 2/3 → 1 − 0.2/3;  s = 10, and lr 0.1/(1+1) → + 0.05/√10
    "adagrad, from 5": (
        {"initial_accumulator_value": 5, "lr_decay": 1},
        [1 - 0.2 / 3, 1 - 0.2 / 3 + 0.05 / 10**0.5],
    ),
    # v = 0.04, 2/0.2 = 10 → 0;  v = 0.0396 + 0.01 = 0.0496 → 0.1/√0.0496
    "rmsprop": ({}, [0.0, 0.1 / 0.0496**0.5]),
    # v = 2, m = 1, √(2−1) = 1, → 0.8;  v = 1 + 0.5, m = 0, √1.5 → 0.8 + 0.1/√1.5
    "rmsprop, centred": ({"alpha": 0.5, "centered": True}, [0.8, 0.8 + 0.1 / 1.5**0.5]),
    # m̂ = 2, v̂ = 4 → 0.9;  m̂ = (0.18 − 0.1)/0.19 = 8/19, v̂ = (0.003996 + 0.001)/0.001999
    "adam": ({}, [0.9, 0.9 - 0.1 * 8 / 19 / (4.996 / 1.999) ** 0.5]),
    # the decay by 1 − 0.1·0.5 = 0.95, then adam's step of 0.1;  0.85·0.95, then adam's second
    "adamw": (
        {"weight_decay": 0.5},
        [0.85, 0.8075 - 0.1 * 8 / 19 / (4.996 / 1.999) ** 0.5],
    ),
}


@pytest.mark.parametrize("case", WRITTEN_OUT)
def test_the_first_two_steps_are_as_worked_by_hand(case: str) -> None:
    """Two steps from w = 1 come out as the formula gives them on paper."""
    hyperparameters, expected = WRITTEN_OUT[case]
    kind = registry.get(case.split(",")[0])
    no_floor = {f.name: 0.0 for f in fields(kind) if f.name == "eps"}
    optimizer = kind(**no_floor, **hyperparameters)
    w = torch.tensor([1.0], dtype=torch.float64)
    lr = torch.tensor([0.1], dtype=torch.float64)
    state = optimizer.init(w)
    for step, (gradient, after) in enumerate(zip((2.0, -1.0), expected, strict=True), start=1):
        now = optimizer.now(step, w)
        optimizer.update(w, torch.tensor([gradient], dtype=torch.float64), state, lr, now)
        assert w.item() == pytest.approx(after, rel=0, abs=1e-14)


def test_momentum_under_a_constant_gradient_grows_tenfold() -> None:
    """With μ = 0.9 the step under a constant gradient grows to 10 times lr × gradient."""
    optimizer = registry.get("momentum")()
    w = torch.zeros(1, dtype=torch.float64)
    state = optimizer.init(w)
    for step in range(1, 301):
        before = w.item()
        lr, now = torch.tensor([0.1], dtype=w.dtype), optimizer.now(step, w)
        optimizer.update(w, torch.ones_like(w), state, lr, now)
    assert before - w.item() == pytest.approx(10 * 0.1, rel=1e-9)


@pytest.mark.parametrize("name", registry.names())
def test_a_rate_of_zero_moves_nothing(name: str) -> None:
    """At lr 0, where some schedules end, weights stay, those without a gradient too."""
    optimizer = registry.get(name)()
    param = torch.tensor([[1.0, 2.0]])
    state = optimizer.init(param)
    now = optimizer.now(1, param)
    optimizer.update(param, torch.tensor([[0.0, 3.0]]), state, torch.zeros(1, 1), now)
    assert torch.equal(param, torch.tensor([[1.0, 2.0]]))


@pytest.mark.parametrize(
    ("name", "key", "value", "why"),
    [
        ("sgd", "weight_decay", -1e-3, "is out of range; choose a number in [0, inf)"),
        ("sgd", "weight_decay", float("inf"), "is out of range; choose a number in [0, inf)"),
        ("momentum", "momentum", float("nan"), "is out of range; choose a number in [0, 1)"),
        ("momentum", "momentum", 1, "is out of range; choose a number in [0, 1)"),
        ("momentum", "dampening", 1.5, "is out of range; choose a number in [0, 1]"),
        ("nesterov", "momentum", 0.0, "is out of range; choose a number in (0, 1)"),
        ("adagrad", "eps", "tiny", "is no number; choose one in [0, inf)"),
        ("adagrad", "lr_decay", None, "is no number; choose one in [0, inf)"),
        ("rmsprop", "alpha", True, "is no number; choose one in [0, 1)"),
        ("rmsprop", "centered", "yes", "is neither true nor false; choose one"),
        ("adam", "beta1", [0.9], "is no number; choose one in [0, 1)"),
        ("adamw", "beta2", "1.0", "is out of range; choose a number in [0, 1)"),
    ],
)
def test_a_bad_hyperparameter_is_refused(name: str, key: str, value: Any, why: str) -> None:
    """It is refused when the optimizer is made: one line with key, value and what is valid."""
    with pytest.raises(UserError) as refused:
        registry.get(name)(**{key: value})
    assert str(refused.value) == f"{name}.{key}: {value!r} {why}"


@pytest.mark.parametrize("name", registry.names())
def test_no_number_may_be_nan_or_below_zero(name: str) -> None:
    """Every numeric hyperparameter of every optimizer refuses NaN and −1."""
    for field in fields(registry.get(name)):
        if isinstance(field.default, float):
            for value in (float("nan"), -1.0):
                with pytest.raises(UserError, match=rf"^{name}\.{field.name}: "):
                    registry.get(name)(**{field.name: value})


def test_numbers_that_mean_the_same_are_the_same() -> None:
    """Whole numbers and YAML's text for 1e-4 become floats, so that equal specs have equal JSON."""
    made: Any = registry.get("adamw")(weight_decay="1e-4", beta1=0)  # type: ignore[call-arg]
    assert (made.weight_decay, made.beta1) == (1e-4, 0.0)
    assert {type(made.weight_decay), type(made.beta1)} == {float}


def test_an_entry_without_a_counterpart_needs_an_oracle(tmp_path: Path) -> None:
    """With neither reference() nor its file the common table fails; with the file it runs."""
    orphan = type("Orphan", (Optimizer,), {"name": "orphan"})()
    weights = [torch.zeros(1, requires_grad=True)]
    with pytest.raises(pytest.fail.Exception, match="'orphan' has no reference"):
        oracle(orphan, weights, 0.1, tmp_path)
    (tmp_path / "orphan.py").write_text(
        "from torch.optim import SGD\n"
        "def reference(optimizer, params, lr):\n"
        "    return SGD(params, lr)\n"
    )
    assert isinstance(oracle(orphan, weights, 0.1, tmp_path), torch.optim.SGD)


def test_listing_optimizers_does_not_import_torch() -> None:
    """Every entry and its hyperparameters can be read without the seconds that torch costs."""
    code = (
        "import sys; from trainscape.optimizers import registry\n"
        "for name in registry.names(): registry.get(name)()\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
