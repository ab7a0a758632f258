"""Kernel calls as data: what was called, with what, what came out and whose memory that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from torch._ops import OpOverload

aten = torch.ops.aten

# What these return depends on shapes alone: made once, if nothing writes to it.
CONSTANT = {
    aten.arange.default,
    aten.full.default,
    aten.full_like.default,
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
        given = {id(tensor) for tensor in self.reads()} if self.writes else ()
        return [tensor for tensor in tensors(self.out) if id(tensor) not in given]

    @property
    def writes(self) -> bool:
        """Whether it changes one of its arguments."""
        return self.func._schema.is_mutable

    def changes(self) -> list[Tensor]:
        """The tensors among the arguments that it writes to."""
        given = zip(self.func._schema.arguments, self.args, strict=False)
        return [
            tensor
            for argument, value in given
            if argument.alias_info is not None and argument.alias_info.is_write
            for tensor in tensors(value)
        ]

    @property
    def views(self) -> bool:
        """Whether what comes out is a view of the first argument."""
        returns = self.func._schema.returns
        aliased = bool(returns) and returns[0].alias_info is not None
        return self.func in VIEWS or (aliased and not self.writes)


def tensors(value: Any) -> list[Tensor]:
    """The tensors in a value, however nested."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return []
    return [tensor for item in value for tensor in tensors(item)]


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
