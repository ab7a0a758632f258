"""The state of trials in training, taken out and put back: bit for bit, at any step.

What a trial draws follows from its seed and the step, so its state is its weights and buffers, what
its optimizer keeps, and what was recorded so far. A pack gives a mapping for each of its trials, so
that where its place in a pack decides no bit a trial can go on in any pack. No number is made
here, so this file is in no digest.
"""

from __future__ import annotations

import enum
import functools
import random
import types
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from trainscape.engine.apart import Apart
from trainscape.engine.encoding import UnkeptError
from trainscape.engine.laid import Laid
from trainscape.engine.model import MaskedDropout
from trainscape.engine.pack import Pack
from trainscape.engine.trial import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from trainscape.engine.group import Group
    from trainscape.engine.unfused import Single

    State = dict[str, Any]

# what a model's own class may hold that does not change as it trains
CONSTANTS = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.ModuleType,
    type,
    functools.partial,
    weakref.ref,
    enum.Enum,
    nn.Module,
    torch.dtype,
    torch.device,
    torch.Size,
)


class UnfitError(Exception):
    """A state is not that of these trials."""


def step_of(of: Pack | Single) -> tuple[int, int]:
    """How many steps and how many evaluations are done."""
    history = of.history if isinstance(of, Pack) else of.history["train_loss"]
    return of.done, len(history)


def taken(of: Pack | Single, count: int) -> list[State]:
    """The states of the first ``count`` trials; tensors of their own memory, on the CPU.

    Raises:
        UnkeptError: something in them cannot be kept.
    """
    return _of_pack(of, count) if isinstance(of, Pack) else [_of_single(of)]


def put(of: Pack | Single, states: Sequence[State], step: int) -> None:
    """Bring trials that have just been loaded to states after ``step`` steps.

    Args:
        of: the trials.
        states: as :func:`taken` gives them; places behind them repeat the last.
        step: from 1.

    Raises:
        UnfitError: they do not fit these trials, which are to be loaded again.
    """
    try:
        if isinstance(of, Pack):
            rows = [*states, *[states[-1]] * (of.stack.width - len(states))]
            _put_pack(of, rows, step)
        else:
            _put_single(of, states[0], step)
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
        raise UnfitError(f"{type(error).__name__}: {error}") from error


def reset(of: Pack | Single) -> None:
    """Bring trials back to where they were when they were loaded."""
    if isinstance(of, Pack):
        of.load(of.trials)
    else:
        of.__init__(of.task, of.trial, of.apart)  # type: ignore[misc]
        of.model.train()


def _of_pack(pack: Pack, count: int) -> list[State]:
    blocks, buffers = _rows(pack.stack.blocks, count), _rows(pack.stack.buffers.values(), count)
    sums = {name: getattr(pack, name).tolist() for name in ("finite", "diverged_at")}
    [loss_sum] = _rows([pack.loss_sum], count)
    since = pack.done - pack.epoch.start if pack.task.trace else 0
    [losses] = _rows([pack.losses_of[:since].t()], count)
    held = [_held(group) for group in pack.groups]
    states = []
    for i in range(count):
        group, rules = next(
            (group, rules)
            for group, rules in zip(pack.groups, held, strict=True)
            if group.part.start <= i < group.part.stop
        )
        at = i - group.part.start
        states.append(
            {
                "blocks": [block[i].clone() for block in blocks],
                "buffers": [buffer[i].clone() for buffer in buffers],
                "rule": [
                    {
                        name: {"own": value[at].clone()} if own else {"all": value}
                        for name, (own, value) in state.items()
                    }
                    for state in rules
                ],
                "model": _of_model(pack.stack.models[_place(pack, i)])
                if isinstance(pack.stack, Apart)
                else None,
                "loss_sum": loss_sum[i].clone(),
                "loss_count": pack.loss_count,
                "losses": losses[i].clone(),
                **{name: values[i] for name, values in sums.items()},
                "scale": pack.rates.scale[i].item(),
                "history": [{name: of[i] for name, of in entry.items()} for entry in pack.history],
                "traces": [step[i] for step in pack.traces],
                "paths": [weights[i] for weights in pack.paths if weights],
                "noise": [entry[_place(pack, i)] for entry in pack.questions.noise]
                if pack.questions
                else [],
            }
        )
    return states


def _put_pack(pack: Pack, rows: Sequence[State], step: int) -> None:
    counts = {(one["loss_count"], len(one["history"]), len(one["traces"])) for one in rows}
    if len(counts) != 1:
        raise UnfitError("trials at several steps")
    _fill(pack.stack.blocks, [one["blocks"] for one in rows])
    _fill(list(pack.stack.buffers.values()), [one["buffers"] for one in rows])
    for group in pack.groups:
        _put_rule(group, [one["rule"] for one in rows[group.part]], isinstance(pack.stack, Laid))
    if isinstance(pack.stack, Apart):
        for model, one in zip(pack.stack.models, rows, strict=False):
            _put_model(model, one["model"])
    pack.rates.scale.copy_(torch.tensor([one["scale"] for one in rows], dtype=torch.float64))
    pack.go_to(step)
    since = step - pack.epoch.start if pack.task.trace else 0
    pack.losses_of[:since].copy_(torch.stack([one["losses"] for one in rows], 1))
    pack.loss_sum.copy_(torch.stack([one["loss_sum"] for one in rows]))
    pack.finite.copy_(torch.tensor([one["finite"] for one in rows]))
    pack.diverged_at.copy_(torch.tensor([one["diverged_at"] for one in rows]))
    pack.loss_count = rows[0]["loss_count"]
    pack.history = [
        {name: [one["history"][k][name] for one in rows] for name in entry}
        for k, entry in enumerate(rows[0]["history"])
    ]
    pack.traces = [list(values) for values in zip(*(one["traces"] for one in rows), strict=True)]
    if pack.workload.path:
        pack.paths = [list(of) for of in zip(*(one["paths"] for one in rows), strict=True)]
    if pack.questions:
        asked = rows[: pack.stack.count]
        noise = zip(*(one["noise"] for one in asked), strict=True)
        pack.questions.noise = [list(values) for values in noise]


def _place(pack: Pack, i: int) -> int:
    """Where among the trials that count there is one in place ``i``: those behind repeat."""
    return min(i, pack.stack.count - 1)


def _rows(tensors: Any, count: int) -> list[Tensor]:
    return [of.detach()[:count].cpu() for of in tensors]


def _fill(tensors: Sequence[Tensor], rows: Sequence[Sequence[Tensor]]) -> None:
    """Give tensors (T, …) the rows of each trial."""
    for j, tensor in enumerate(tensors):
        _fill_one(tensor, [row[j] for row in rows])


def _fill_one(tensor: Tensor, rows: Sequence[Tensor]) -> None:
    made = torch.stack(list(rows))
    if _form(made) != _form(tensor):
        raise UnfitError(f"{tuple(made.shape)} {made.dtype} for {tuple(tensor.shape)}")
    tensor.copy_(made)


def _held(group: Group) -> list[dict[str, tuple[bool, Any]]]:
    """What a rule keeps, by parameter and name: whether each trial has a row of it, and the value.

    Whatever has no axis of trials, such as a count of steps, is the same for all.
    """
    found = []
    width = group.part.stop - group.part.start
    for param, state in zip(group.params, group.states, strict=True):
        one = group.optimizer.init(param[:1].clone())
        kept: dict[str, tuple[bool, Any]] = {}
        for name, value in state.items():
            like = one.get(name)
            own = (
                isinstance(value, Tensor)
                and value.dim() > 0
                and len(value) == width
                and (like is None or like.shape == (1, *value.shape[1:]))
            )
            kept[name] = own, value.detach().cpu() if isinstance(value, Tensor) else value
        found.append(kept)
    return found


def _put_rule(group: Group, rows: Sequence[Sequence[Mapping[str, Any]]], fixed: bool) -> None:
    """Give a group's rule what it kept.

    Args:
        group: some trials.
        rows: by trial and parameter.
        fixed: whether programs know where it lies, so that nothing may be put in its place.
    """
    for j, state in enumerate(group.states):
        for name, first in rows[0][j].items():
            values = [row[j][name] for row in rows]
            if "all" in first and not all(_equal(one["all"], first["all"]) for one in values):
                raise UnfitError(f"{name!r} differs from trial to trial")
            value = torch.stack([one["own"] for one in values]) if "own" in first else first["all"]
            here = state.get(name)
            if here is not None and _alike(here, value):
                here.copy_(value)
            elif fixed:
                raise UnfitError(f"{name!r} has another form")
            else:
                state[name] = value.to(group.row.device) if isinstance(value, Tensor) else value


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.shape == b.shape and torch.equal(a.nan_to_num(), b.nan_to_num())
    return type(a) is type(b) and bool(a == b)


def _of_single(single: Single) -> State:
    _, words, *rest = np.random.get_state(legacy=True)
    cuda = single.device.type == "cuda"
    return {
        "params": [param.detach().cpu().clone() for param in single.model.parameters()],
        "model": _of_model(single.model),
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


def _put_single(single: Single, state: State, step: int) -> None:
    with torch.no_grad():
        for param, value in zip(single.model.parameters(), state["params"], strict=True):
            if _form(param) != _form(value):
                raise UnfitError(f"{tuple(value.shape)} for {tuple(param.shape)}")
            param.copy_(value)
    _put_model(single.model, state["model"])
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
        if name not in blank and not _is_constant(value, places)
    }
    made = {"state": states, "groups": groups, "own": own}
    _check_memory(made, single.params)
    return made


def _put_optimizer(single: Single, kept: State) -> None:
    optimizer = single.optimizer
    optimizer.state.clear()
    for k, state in kept["state"]:
        optimizer.state[single.params[k]] = _moved(state, single.device)
    for group, values in zip(optimizer.param_groups, kept["groups"], strict=True):
        group.update(_moved(values, single.device))
    vars(optimizer).update(_moved(kept["own"], single.device))


def _moved(value: Any, device: torch.device) -> Any:
    """A value with its tensors where they are used; counts of steps stay on the CPU, as torch's."""
    if device.type == "cpu":
        return value
    if isinstance(value, Tensor):
        return value.to(device) if value.dim() else value
    if isinstance(value, dict):
        return type(value)((key, _moved(one, device)) for key, one in value.items())
    if isinstance(value, list | tuple):
        return type(value)(_moved(one, device) for one in value)
    return value


def _of_model(model: nn.Module) -> State:
    """The buffers of a model, and what modules of a user's hold besides.

    Raises:
        UnkeptError: something may change and cannot be kept.
    """
    tensors = [*model.parameters(), *model.buffers()]
    own, blank = {id(tensor) for tensor in tensors}, vars(nn.Module())
    buffers, aside = [], []
    for layer, module in model.named_modules():
        if isinstance(module, MaskedDropout):
            continue
        for name, buffer in module._buffers.items():
            value = None if buffer is None else buffer.detach().cpu().clone()
            buffers.append([layer, name, value])
        if not type(module).__module__.startswith("torch.nn."):
            aside += [
                [layer, name, value]
                for name, value in vars(module).items()
                if name not in blank and not _is_constant(value, own)
            ]
    _check_memory(aside, tensors)
    return {"buffers": buffers, "aside": aside}


def _put_model(model: nn.Module, kept: State) -> None:
    device = next(model.parameters()).device
    for layer, name, value in kept["buffers"]:
        module = model.get_submodule(layer)
        here = module._buffers[name]
        if here is None or value is None or _form(here) != _form(value):
            module._buffers[name] = None if value is None else value.to(device)
        else:
            with torch.no_grad():
                here.copy_(value)
    for layer, name, value in kept["aside"]:
        setattr(model.get_submodule(layer), name, _moved(value, device))


def _alike(a: Any, b: Any) -> bool:
    return isinstance(a, Tensor) and isinstance(b, Tensor) and _form(a) == _form(b)


def _form(tensor: Tensor) -> tuple[torch.Size, torch.dtype]:
    return tensor.shape, tensor.dtype


def _check_memory(value: Any, tensors: Iterable[Tensor]) -> None:
    """Refuse a value with a tensor that lies in the memory of one of these.

    Raises:
        UnkeptError: it has one: read back, it would no longer change with the other.
    """
    memory = {tensor.untyped_storage().data_ptr() for tensor in tensors if tensor.numel()}
    if any(tensor.untyped_storage().data_ptr() in memory for tensor in _tensors(value)):
        raise UnkeptError("a tensor in the memory of a parameter or buffer")


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        if value.numel():
            yield value
    elif isinstance(value, dict | list | tuple):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _tensors(one)


def _is_constant(value: Any, own: Any) -> bool:
    """Whether a value stays as it was built: code, modules, the model's own tensors, lists of them.

    Args:
        value: an attribute.
        own: the ids of the model's own tensors.
    """
    if isinstance(value, list | tuple) and not isinstance(value, torch.Size):
        return len(value) > 0 and all(_is_constant(one, own) for one in value)
    if isinstance(value, dict):
        return len(value) > 0 and all(_is_constant(one, own) for one in value.values())
    return id(value) in own or isinstance(value, CONSTANTS)
