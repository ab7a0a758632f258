"""Kernel calls as data: what was called, with what, what came out and whose memory that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch._ops import OpOverload

aten = torch.ops.aten

# Literals, such as ``torch.tensor([1.0, 2.0])``. Torch returns what it was given, which would be a
# view of itself; in a recording a copy comes out (:class:`trainscape.engine.tape.Recorder`).
LITERALS = {aten.lift_fresh.default, aten.lift.default}
# What these return depends on shapes and numbers alone: made once, if nothing writes to it.
CONSTANT = {
    *LITERALS,
    aten.arange.default,
    aten.arange.start,
    aten.arange.start_step,
    aten.eye.default,
    aten.eye.m,
    aten.full.default,
    aten.full_like.default,
    aten.linspace.default,
    aten.new_full.default,
    aten.new_ones.default,
    aten.new_zeros.default,
    aten.ones.default,
    aten.ones_like.default,
    aten.scalar_tensor.default,
    aten.zeros.default,
    aten.zeros_like.default,
}
# These return a view, though their schemas do not say so.
VIEWS = {aten._unsafe_view.default}


@dataclass(eq=False)
class Call:
    """A kernel call: what was called, with what, and what came out."""

    func: OpOverload
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    out: Any

    def reads(self) -> list[Tensor]:
        """The tensors among the arguments."""
        return tensors((self.args, self.kwargs))

    def makes(self) -> list[Tensor]:
        """The tensors that came out, but for those that went in."""
        given = {id(tensor) for tensor in self.reads()}
        return [tensor for tensor in tensors(self.out) if id(tensor) not in given]

    @property
    def writes(self) -> bool:
        """Whether it changes one of its arguments."""
        return self.func._schema.is_mutable

    def changes(self) -> list[Tensor]:
        """The tensors among the arguments that it writes to."""
        arguments = self.func._schema.arguments
        names = [argument.name for argument in arguments]
        given = {**dict(zip(names, self.args, strict=False)), **self.kwargs}
        return [
            tensor
            for argument in arguments
            if argument.alias_info is not None and argument.alias_info.is_write
            for tensor in tensors(given.get(argument.name))
        ]

    @property
    def views(self) -> bool:
        """Whether what comes out is a view of the first argument."""
        returns = self.func._schema.returns
        aliased = bool(returns) and returns[0].alias_info is not None
        copied = self.writes or self.func in LITERALS
        return self.func in VIEWS or (aliased and not copied)


def tensors(value: Any) -> list[Tensor]:
    """The tensors in a value, however nested."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return []
    return [tensor for item in value for tensor in tensors(item)]


def makers(calls: Iterable[Call]) -> dict[int, Call]:
    """By tensor (its id), the call that made it: the first that has to do with it, as its result.

    What a call reads was there before. So a walk from a tensor to what it was made of, and on, only
    ever meets earlier calls, and ends.
    """
    seen: set[int] = set()
    made: dict[int, Call] = {}
    for call in calls:
        seen.update(map(id, call.reads()))
        made.update((id(tensor), call) for tensor in call.makes() if id(tensor) not in seen)
        seen.update(map(id, call.makes()))
    return made


def roots(calls: Sequence[Call]) -> dict[int, int]:
    """By tensor that is a view, or was written to, the tensor that was there first (their ids)."""
    made = makers(calls)
    found: dict[int, int] = {}
    for call in calls:
        for tensor in call.makes() if call.views or call.writes else ():
            source = aliased(call, tensor)
            if source is not None and made.get(id(tensor)) is call:
                found[id(tensor)] = found.get(id(source), id(source))
    return found


def constants(calls: Sequence[Call], written: Iterable[Tensor] = ()) -> set[int]:
    """The tensors (their ids) that are the same at every run, so that they are made once.

    These are literals, what is made of shapes, and what is computed from such alone; not where
    somebody writes to their memory. On a GPU this keeps a literal that is moved there, as by
    ``torch.tensor([1.0, 2.0]).to(x.device)``, out of the captured step: such a copy has to wait for
    the device, which a capture refuses.

    Args:
        calls: a recording.
        written: tensors that are written to by others than the calls.
    """
    root = roots(calls)
    changed = [*written, *(tensor for call in calls for tensor in call.changes())]
    varying = {root.get(id(tensor), id(tensor)) for tensor in changed}
    found: set[int] = set()
    for call in calls:
        read = set(map(id, call.reads()))
        drawn = torch.Tag.nondeterministic_seeded in call.func.tags
        if call.func in CONSTANT or (read and read <= found and not call.writes and not drawn):
            made = map(id, call.makes())
            found.update(key for key in made if root.get(key, key) not in varying)
    return found


def foreign(calls: Sequence[Call], own: Iterable[Tensor]) -> bool:
    """Whether calls write to memory that was there before them and is none of ``own``."""
    made, root = makers(calls), roots(calls)
    kept = {tensor.untyped_storage().data_ptr() for tensor in own}
    return any(
        root.get(id(tensor), id(tensor)) not in made
        and tensor.untyped_storage().data_ptr() not in kept
        for call in calls
        for tensor in call.changes()
    )


def numbers(calls: Iterable[Call]) -> set[str]:
    """What calls compute with besides tensors: every kernel with its numbers, literals too."""
    return {
        f"{call.func} {_without_tensors(call.args)} {_without_tensors(call.kwargs)}"
        + (f" {call.args[0].tolist()}" if call.func in LITERALS else "")
        for call in calls
    }


def _without_tensors(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_tensors(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_tensors(item) for item in value]
    return None if isinstance(value, Tensor) else value


def aliased(call: Call, out: Tensor) -> Tensor | None:
    """Which argument a result is a view of, or the same as; None for a tensor of its own."""
    if call.views:
        return tensors(call.args)[0]
    schema = call.func._schema
    for made, returned in zip(_listed(call.out), schema.returns, strict=False):
        if made is out and returned.alias_info is not None:
            for argument, given in zip(schema.arguments, call.args, strict=False):
                info = argument.alias_info
                if info is not None and info.before_set == returned.alias_info.before_set:
                    return given if isinstance(given, Tensor) else None
    return None


def _listed(out: Any) -> list[Any]:
    return list(out) if isinstance(out, list | tuple) else [out]
