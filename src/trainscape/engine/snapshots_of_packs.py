"""The state of a pack's trials, a mapping for each (:mod:`trainscape.engine.snapshots`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from trainscape.engine.apart import Apart
from trainscape.engine.encoding import UnfitError, alike
from trainscape.engine.laid import Laid
from trainscape.engine.snapshots_of_models import of_model, put_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trainscape.engine.group import Group
    from trainscape.engine.pack import Pack

    State = dict[str, Any]


def of_pack(pack: Pack, count: int) -> list[State]:
    """What :func:`trainscape.engine.snapshots.taken` takes of a pack."""
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
                "model": of_model(pack.stack.models[_place(pack, i)])
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


def put_pack(pack: Pack, rows: Sequence[State], step: int) -> None:
    """Give a pack its states, one for each place; as :func:`trainscape.engine.snapshots.put`."""
    counts = {(one["loss_count"], len(one["history"]), len(one["traces"])) for one in rows}
    if len(counts) != 1:
        raise UnfitError("trials at several steps")
    _fill(pack.stack.blocks, [one["blocks"] for one in rows])
    _fill(list(pack.stack.buffers.values()), [one["buffers"] for one in rows])
    for group in pack.groups:
        _put_rule(group, [one["rule"] for one in rows[group.part]], isinstance(pack.stack, Laid))
    if isinstance(pack.stack, Apart):
        for model, one in zip(pack.stack.models, rows, strict=False):
            put_model(model, one["model"])
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
    if not alike(made, tensor):
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
            if here is not None and alike(here, value):
                here.copy_(value)
            elif fixed:
                raise UnfitError(f"{name!r} has another form")
            else:
                state[name] = value.to(group.row.device) if isinstance(value, Tensor) else value


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a.shape == b.shape and torch.equal(a.nan_to_num(), b.nan_to_num())
    return type(a) is type(b) and bool(a == b)
