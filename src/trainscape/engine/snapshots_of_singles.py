"""The state of a trial that an optimizer of torch's kind trains (:mod:`.snapshots`)."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from trainscape.engine.encoding import UnfitError, UnkeptError, alike
from trainscape.engine.snapshots_of_models import (
    check_memory,
    is_constant,
    moved,
    of_model,
    put_model,
)
from trainscape.engine.trial import METRICS

if TYPE_CHECKING:
    from trainscape.engine.unfused import Single

    State = dict[str, Any]


def of_single(single: Single) -> State:
    """What :func:`trainscape.engine.snapshots.taken` takes of a trial."""
    _, words, *rest = np.random.get_state(legacy=True)
    cuda = single.device.type == "cuda"
    return {
        "params": [param.detach().cpu().clone() for param in single.model.parameters()],
        "model": of_model(single.model),
        "optimizer": _of_optimizer(single),
        "random": [
            random.getstate(),
            [np.asarray(words).tolist(), *rest],
            torch.get_rng_state(),
            torch.cuda.get_rng_state(single.device) if cuda else None,
        ],
        "scale": single.scale,
        "loss_sum": single.loss_sum.clone(),
        "finite": single.finite.clone(),
        "loss_count": single.loss_count,
        "history": {name: list(values) for name, values in single.history.items()},
        "trace": [loss.item() for loss in single.trace],
        "path": [list(weights) for weights in single.path],
        "noise": [list(pair) for pair in single.noise],
    }


def put_single(single: Single, state: State, step: int) -> None:
    """Give a trial its state; as :func:`trainscape.engine.snapshots.put`, but for the errors."""
    with torch.no_grad():
        for param, value in zip(single.model.parameters(), state["params"], strict=True):
            if not alike(param, value):
                raise UnfitError(f"{tuple(value.shape)} for {tuple(param.shape)}")
            param.copy_(value)
    put_model(single.model, state["model"])
    _put_optimizer(single, state["optimizer"])
    single.scale = state["scale"]
    single.loss_sum.copy_(state["loss_sum"])
    single.finite.copy_(state["finite"])
    single.loss_count = state["loss_count"]
    single.history = {name: state["history"][name] for name in METRICS}
    single.trace = [torch.tensor(loss, dtype=torch.float64) for loss in state["trace"]]
    single.path, single.noise = state["path"], state["noise"]
    single.go_to(step)
    pythons, (words, *rest), cpu, cuda = state["random"]
    random.setstate(pythons)
    np.random.set_state(("MT19937", np.array(words, np.uint32), *rest))
    torch.set_rng_state(cpu)
    if cuda is not None:
        torch.cuda.set_rng_state(cuda, single.device)


def _of_optimizer(single: Single) -> State:
    """What a ``torch.optim.Optimizer`` keeps: by parameter, by group, and in itself."""
    optimizer, places = single.optimizer, {id(p): k for k, p in enumerate(single.params)}
    blank = vars(torch.optim.SGD([nn.Parameter(torch.zeros(1))]))
    states = []
    for param, state in optimizer.state.items():
        if id(param) not in places:
            raise UnkeptError("a state of what is no parameter")
        states.append([places[id(param)], dict(state)])
    groups = [
        {name: value for name, value in group.items() if name != "params"}
        for group in optimizer.param_groups
    ]
    own = {
        name: value
        for name, value in vars(optimizer).items()
        if name not in blank and not is_constant(value, places)
    }
    made = {"state": states, "groups": groups, "own": own}
    check_memory(made, single.params)
    return made


def _put_optimizer(single: Single, kept: State) -> None:
    optimizer = single.optimizer
    optimizer.state.clear()
    for k, state in kept["state"]:
        optimizer.state[single.params[k]] = moved(state, single.device)
    for group, values in zip(optimizer.param_groups, kept["groups"], strict=True):
        group.update(moved(values, single.device))
    vars(optimizer).update(moved(kept["own"], single.device))
