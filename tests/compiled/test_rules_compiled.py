"""Update rules, compiled: every optimizer of the registry."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from kit.programs import agree, case, numbers
from kit.programs import one_thread as one_thread  # autouse, once it is here
from trainscape import optimizers

RULES = optimizers.registry.names()


@pytest.mark.parametrize("names", [RULES[k::3] for k in range(3)])
def test_update_rules(names: list[str]) -> None:
    """Two steps of every optimizer, on parameters of real shapes of one trial."""
    cases = []
    for name, shape in itertools.product(names, ((1, 5), (1, 4, 6), (1, 3, 2, 3, 3))):
        rule = optimizers.registry.make({"name": name})
        param, grad = numbers(*shape), numbers(*shape)
        state = rule.init(param)
        keys = list(state)
        scalars = list(rule.scalars(1))

        def update(param: Tensor, grad: Tensor, rows: Tensor, *states: Tensor, rule: Any = rule,
                   keys: Any = keys, scalars: Any = scalars) -> None:  # fmt: skip
            state = dict(zip(keys, states, strict=True))
            rate = torch.full([1] * param.dim(), 0.1)
            for row in rows:
                now = {key: row[k] for k, key in enumerate(scalars)}
                rule.update(param, grad.clone(), state, rate, now)

        rows = torch.tensor([[*rule.scalars(step).values(), 0.0] for step in (1, 2)])
        cases.append(case(f"{name} {shape}", update, param, grad, rows, *state.values()))
    agree(*cases, rtol=1e-4)
