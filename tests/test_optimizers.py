"""One table over the registry: a new optimizer's file is tested without an edit here.

The oracle of an entry is ``reference()``, its counterpart in torch.optim. An entry that has none
brings ``tests/oracles/<name>.py`` with ``reference(optimizer, params, lr)``: a torch optimizer that
does the published rule for one tensor at a time, from its authors' package or written plainly.
"""

from __future__ import annotations

import math
from dataclasses import fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d, cross_entropy

from kit.oracles import oracle
from trainscape.cells.imported import switch
from trainscape.errors import UserError
from trainscape.optimizers import Optimizer, registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

torch.set_num_threads(1)  # as the engine does; for small tensors two take ten times as long


def other(value: Any, kind: Any = None) -> Any:
    """A valid value of a hyperparameter that is not ``value`` and far enough from it to show.

    Args:
        value: the default.
        kind: the type that it is declared with.
    """
    if get_origin(kind) is Literal:
        return next(word for word in get_args(kind) if word != value)
    if isinstance(value, tuple):
        return tuple(map(other, value))
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value - 1
    if 0 <= value < 1e-3:  # an ε, or a part that is off
        return 0.1
    return value * 0.9


def variants() -> Iterator[Any]:
    """Every optimizer with its defaults, with each hyperparameter changed, and with all changed."""
    for name in registry.names():
        plain = registry.get(name)()
        kinds = get_type_hints(type(plain))
        own = [f.name for f in fields(plain) if f.name != "clip_norm"]  # the engine clips
        changes = {key: other(getattr(plain, key), kinds[key]) for key in own}
        yield pytest.param(plain, id=name)
        for key, value in changes.items():
            yield pytest.param(replace(plain, **{key: value}), id=f"{name}-{key}")
        if len(changes) > 1:
            yield pytest.param(replace(plain, **changes), id=f"{name}-all")


VARIANTS = list(variants())


def network() -> list[Tensor]:
    """The weights of a convolution and two layers in float64, the same at every call.

    As matrices, one is taller than wide and two are wider.
    """
    generator = torch.Generator().manual_seed(1)
    shapes = [(5, 2, 3, 3), (5,), (12, 10), (12,), (3, 12), (3,)]
    return [torch.randn(s, generator=generator, dtype=torch.float64) / 2 for s in shapes]


def gradients(weights: list[Tensor], step: int) -> list[Tensor]:
    """The gradients of the cross-entropy on the batch of ``step``: 6 examples of 3 classes."""
    generator = torch.Generator().manual_seed(1000 + step)
    x = torch.randn(6, 2, 4, 3, generator=generator, dtype=torch.float64)
    y = torch.randint(3, (6,), generator=generator)
    leaves = [w.detach().requires_grad_() for w in weights]
    kernel, bias, tall, bias2, wide, bias3 = leaves
    hidden = torch.tanh(conv2d(x, kernel, bias)).flatten(1)
    loss = cross_entropy(torch.tanh(hidden @ tall.T + bias2) @ wide.T + bias3, y)
    return list(torch.autograd.grad(loss, leaves))


def shaped(optimizer: Optimizer, trials: int, *shape: int) -> tuple[int, ...]:
    """What the engine makes of a parameter of several trials before it calls a rule."""
    return (trials, math.prod(shape)) if optimizer.elementwise else (trials, *shape)


def spread(rates: Tensor, param: Tensor) -> Tensor:
    """Rates (T,) in a shape that broadcasts to a parameter (T, …)."""
    return rates.view(-1, *[1] * (param.dim() - 1))


def rate(step: int) -> float:
    """A learning rate that changes at every step (counted from 1), up and down."""
    return (0.015 if step % 2 else 0.005) / math.sqrt(step)


@cache
def history(optimizer: Optimizer) -> list[list[Tensor]]:
    """What :func:`trained` makes of 40 steps, for all tests."""
    return trained(optimizer, 40)


def trained(optimizer: Optimizer, steps: int) -> list[list[Tensor]]:
    """After every step of ours the network's weights, then the weights to evaluate it at."""
    weights = network()
    params = [w[None] for w in weights]  # views, with a leading axis of one trial
    states = [optimizer.init(p) for p in params]
    found = []
    for step in range(1, steps + 1):
        lr = torch.tensor(rate(step), dtype=torch.float64)
        for p, g, s in zip(params, gradients(weights, step), states, strict=True):
            optimizer.update(p, g[None], s, lr, optimizer.now(step, p))
        scored = [optimizer.evaluated(p, s) for p, s in zip(params, states, strict=True)]
        at = [w if x is None else x[0] for w, x in zip(weights, scored, strict=True)]
        found.append([w.clone() for w in (*weights, *at)])
    return found


@pytest.mark.usefixtures("counters_in_double")
@pytest.mark.parametrize("optimizer", VARIANTS)
def test_every_step_agrees_with_the_oracle(optimizer: Optimizer) -> None:
    """Forty steps in float64 with a changing lr stay within 1e-12 of the oracle's.

    So do the weights to evaluate at, where a rule has such.
    """
    weights = [w.requires_grad_() for w in network()]
    reference = oracle(optimizer, weights, 1.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(reference, lambda k: rate(k + 1))
    for step, ours in enumerate(history(optimizer), start=1):
        for w, g in zip(weights, gradients(weights, step), strict=True):
            w.grad = g
        reference.step()
        schedule.step()
        theirs = [w.detach().clone() for w in weights]
        switch(reference, training=False)
        theirs += [w.detach().clone() for w in weights]
        switch(reference, training=True)
        for w, mine in zip(theirs, ours, strict=True):
            torch.testing.assert_close(mine, w, rtol=0, atol=1e-12)


@pytest.mark.parametrize("optimizer", VARIANTS)
def test_a_hyperparameter_does_something(optimizer: Optimizer) -> None:
    """A changed hyperparameter changes the weights: none is read and forgotten."""
    plain = registry.get(optimizer.name)()
    same = all(map(torch.equal, history(optimizer)[-1], history(plain)[-1]))
    assert same == (optimizer == plain)


@pytest.mark.parametrize("optimizer", VARIANTS)
def test_training_twice_gives_the_same_bits(optimizer: Optimizer) -> None:
    """An update depends on its arguments only."""
    for first, second in zip(trained(optimizer, 10), history(optimizer)[:10], strict=True):
        assert all(map(torch.equal, first, second))


FLAT = [(2, (1,)), (5, (13,)), (33, (37,)), (7, (1031,))]
SHAPED = [(2, (1,)), (5, (13,)), (5, (1, 1)), (7, (23, 33)), (17, (12, 10)), (5, (8, 3, 3, 3))]


def stacks() -> Iterator[Any]:
    """Every variant with parameters of several trials, in shapes that do not fill whole vectors."""
    for variant in VARIANTS:
        (optimizer,) = variant.values
        for trials, shape in FLAT if optimizer.elementwise else SHAPED:
            name = "x".join(map(str, shape))
            yield pytest.param(optimizer, trials, shape, id=f"{variant.id}-{trials}-{name}")


@pytest.mark.parametrize(("optimizer", "trials", "shape"), list(stacks()))
def test_a_stack_equals_each_trial_alone(
    optimizer: Optimizer, trials: int, shape: tuple[int, ...]
) -> None:
    """Beside other learning rates, one of which diverges, a trial has the bits it has alone."""
    generator = torch.Generator().manual_seed(trials)
    start = torch.randn(trials, *shape, generator=generator)
    peak = torch.logspace(-4, 0, trials)
    lost = trials // 2
    peak[lost] = 1e38
    grads = torch.randn(12, trials, *shape, generator=generator)
    kept = [i for i in range(trials) if i != lost]
    rows = [slice(0, trials), *(slice(i, i + 1) for i in kept)]
    rows += [slice(i, i + 2) for i in kept[::4] if i + 1 in kept]
    finals = []
    for row in rows:
        param = start[row].clone()
        lr = spread(peak[row], param)
        state = optimizer.init(param)
        for step, grad in enumerate(grads, start=1):
            # the pull of the weights makes the lost trial overflow
            pull = (param + grad[row]) if step > 6 else grad[row].clone()
            optimizer.update(param, pull, state, lr / step, optimizer.now(step, param))
        scored = optimizer.evaluated(param, state)
        finals.append(torch.stack([param, param if scored is None else scored], dim=1))
    together, *parts = finals
    assert not together[lost].abs().max() < 1e30
    assert all(part.isfinite().all() for part in parts)
    for row, part in zip(rows[1:], parts, strict=True):
        assert torch.equal(together[row], part)


@pytest.mark.parametrize("optimizer", VARIANTS)
def test_an_update_is_in_place(optimizer: Optimizer) -> None:
    """The tensors of the weights and of the state stay the same objects, at the same address.

    State is shaped like the weights, or holds one number per trial.
    """
    for shape in ((5,), (5, 2)):
        param = torch.ones(shaped(optimizer, 3, *shape))
        state = optimizer.init(param)
        assert {t.shape for t in state.values()} <= {param.shape, param[..., :1].shape}
        assert all(t.dtype == param.dtype for t in state.values())
        before = [(id(t), t.data_ptr()) for t in (param, *state.values())]
        lr = spread(torch.full((3,), 0.1), param)
        for step in (1, 2):
            grad = torch.ones_like(param)
            optimizer.update(param, grad, state, lr, optimizer.now(step, param))
        assert [(id(t), t.data_ptr()) for t in (param, *state.values())] == before
        assert not torch.equal(param, torch.ones_like(param))


@pytest.mark.parametrize("optimizer", VARIANTS)
def test_evaluation_leaves_training_alone(optimizer: Optimizer) -> None:
    """The weights to evaluate at are a new tensor, and asking for them changes nothing."""
    param = torch.ones(shaped(optimizer, 3, 5, 2))
    state = optimizer.init(param)
    lr, grad = spread(torch.full((3,), 0.1), param), torch.ones_like(param)
    optimizer.update(param, grad, state, lr, optimizer.now(1, param))
    before = {name: t.clone() for name, t in {"": param, **state}.items()}
    scored = optimizer.evaluated(param, state)
    if scored is not None:
        assert scored.shape == param.shape
        scored.zero_()
    assert all(torch.equal(t, before[name]) for name, t in {"": param, **state}.items())


@pytest.mark.parametrize("name", registry.names())
def test_some_rate_finds_the_minimum_of_a_quadratic(name: str) -> None:
    """Of rates ten times apart, one brings a quadratic of condition 20 down by 1,000.

    They fall to 0: at a constant rate, steps whose length is not the gradient's never settle.
    """
    optimizer = registry.get(name)()
    curvature = torch.tensor([1.0, 5.0, 20.0], dtype=torch.float64)
    goal = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64)
    param = torch.zeros(shaped(optimizer, 6, 1, 3), dtype=torch.float64)
    lr = spread(torch.logspace(-4, 1, 6, dtype=torch.float64), param)
    state = optimizer.init(param)
    first = (curvature * goal**2).sum() / 2
    for step in range(1, 401):
        now = optimizer.now(step, param)
        optimizer.update(param, curvature * (param - goal), state, lr * (1 - step / 400), now)
    scored = optimizer.evaluated(param, state)
    found = (param if scored is None else scored).view(6, 3)
    last = (curvature * (found - goal) ** 2).sum(1) / 2
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
    # v = 2, Δ = √1/√3·2 = 2/√3, u = 2/3 → 1 − 0.2/√3;  v = 1.5, Δ = −√(5/3)/√2.5 = −√(2/3)
    "adadelta": (
        {"rho": 0.5, "eps": 1.0},
        [1 - 0.2 / 3**0.5, 1 - 0.2 / 3**0.5 + 0.1 * (2 / 3) ** 0.5],
    ),
    # m̂ = 2, u = 2 → 0.9;  m̂ = 8/19, u = max(1.998, 1)
    "adamax": ({}, [0.9, 0.9 - 0.1 * 8 / 19 / 1.998]),
    # ρₜ ≤ 5: m̂ = 2 → 0.8;  m̂ = 8/19
    "radam": ({}, [0.8, 0.8 - 0.1 * 8 / 19]),
    # + → 0.9;  m = 0.02, 0.9·0.02 − 0.1 < 0 → 1
    "lion": ({}, [0.9, 1.0]),
    # ‖w‖/‖g‖ = 1/2, b = η·1 = 0.5 → 0.95;  0.45 − 0.5·0.95 = −0.025 → 0.9525
    "lars": ({"trust_coefficient": 0.5}, [0.95, 0.9525]),
    # with λ = 1: 0.5/(2+1)·3 = 0.5 → 0.95;  0.45 + 0.5·0.95/(1+0.95)·(−1+0.95)
    "lars, weight decay": (
        {"trust_coefficient": 0.5, "weight_decay": 1},
        [0.95, 0.905 + 0.1 * 0.5 * 0.95 / 1.95 * 0.05],
    ),
    # a step of 1 · lr · ‖w‖ → 0.9;  again, m̂ being positive → 0.81
    "lamb": ({}, [0.9, 0.81]),
    # c = 1, z = 0.8, y = x = 0.8;  c = 1/2, z = 0.9, x = 0.85, y = 0.1·0.9 + 0.9·0.85
    "schedule_free_sgd": ({}, [0.8, 0.855]),
    # the same with steps of 1 and −1/√v̂, v̂ = 4.996/1.999:  z = 0.9 + 0.1/√v̂, y = 0.9 + 0.055/√v̂
    "schedule_free_adamw": ({}, [0.9, 0.9 + 0.055 / (4.996 / 1.999) ** 0.5]),
}


@pytest.mark.parametrize("case", WRITTEN_OUT)
def test_the_first_two_steps_are_as_worked_by_hand(case: str) -> None:
    """Two steps from w = 1 come out as the formula gives them on paper."""
    hyperparameters, expected = WRITTEN_OUT[case]
    kind = registry.get(case.split(",")[0])
    no_floor = {f.name: 0.0 for f in fields(kind) if f.name == "eps"}
    optimizer = kind(**{**no_floor, **hyperparameters})
    w = torch.ones(1, 1, 1, dtype=torch.float64)  # one trial's 1 × 1 matrix
    lr = torch.tensor([0.1], dtype=torch.float64)
    state = optimizer.init(w)
    for step, (gradient, after) in enumerate(zip((2.0, -1.0), expected, strict=True), start=1):
        now = optimizer.now(step, w)
        optimizer.update(w, torch.full_like(w, gradient), state, lr, now)
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
    for shape in ((2,), (2, 1)):
        start = torch.tensor([1.0, 2.0]).view(shaped(optimizer, 1, *shape))
        grad, param = torch.tensor([0.0, 3.0]).view(start.shape), start.clone()
        state = optimizer.init(param)
        lr = spread(torch.zeros(1), param)
        optimizer.update(param, grad, state, lr, optimizer.now(1, param))
        scored = optimizer.evaluated(param, state)
        assert torch.equal(param, start)
        assert scored is None or torch.allclose(scored, start)


@pytest.mark.parametrize("name", registry.names())
def test_weights_without_a_gradient_stay_finite(name: str) -> None:
    """Where weights and gradients are zero, with no ε, nothing is divided by zero."""
    kind = registry.get(name)
    try:
        optimizer = kind(**{f.name: 0.0 for f in fields(kind) if f.name.endswith("eps")})
    except UserError:  # the rule's ε is above 0
        optimizer = kind()
    param = torch.zeros(shaped(optimizer, 2, 3, 2))
    state, lr = optimizer.init(param), spread(torch.tensor([0.1, 0.2]), param)
    for step in (1, 2):
        grad = torch.zeros_like(param)
        optimizer.update(param, grad, state, lr, optimizer.now(step, param))
    assert torch.equal(param, torch.zeros_like(param))


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
