"""A call of one of torch's kernels, by the names of its schema."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from trainscape.compiled.layouts import LAID

LITERALS = {"lift", "lift_fresh"}  # such as ``torch.tensor([1.0, 2.0])``
# though their schemas do not say so
VIEWS = {
    "_reshape_alias",
    "_unsafe_view",
    "unsafe_chunk",
    "unsafe_split",
    "unsafe_split_with_sizes",
}
# in place, but on shapes alone
TURNS = {"as_strided", "squeeze", "swapaxes", "swapdims", "t", "transpose", "unsqueeze"}


class Call:
    """A kernel, what it is given, and what came out.

    Attributes:
        name: of the operation, without what says that it writes in place.
        given: the tensors among the arguments.
        written: those of them that it writes to.
        out: what came out, after :meth:`run`.
    """

    def __init__(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.func, self.args, self.kwargs = func, args, kwargs
        schema = func._schema
        names = [argument.name for argument in schema.arguments]
        self.of = {**{a.name: a.default_value for a in schema.arguments if a.has_default_value()}}
        self.of.update(zip(names, args, strict=False))
        self.of.update(kwargs)
        name = schema.name.split("::")[1].strip("_") if schema.is_mutable else schema.name[6:]
        self.name = name
        self.given = tensors((args, kwargs))
        self.written = [
            tensor
            for argument in schema.arguments
            if argument.alias_info is not None and argument.alias_info.is_write
            for tensor in tensors(self.of.get(argument.name))
        ]
        self.mutates = schema.is_mutable
        self.draws = torch.Tag.nondeterministic_seeded in func.tags
        returned = schema.returns
        aliased = bool(returned) and returned[0].alias_info is not None
        literal = self.name in LITERALS
        self.views = (self.name in VIEWS or aliased) and not self.mutates and not literal
        if self.mutates and self.name in TURNS:
            self.views, self.written = True, []
        self.out: Any = None

    def run(self) -> None:
        """Call it."""
        if self.name in LAID and not self.written:
            # torch itself takes weights in some layouts only
            self.out = LAID[self.name](self.func(*map(_plain, self.args), **self.kwargs))
            return
        self.out = self.func(*self.args, **self.kwargs)
        if self.name in LITERALS:
            self.out = self.out.clone()  # what a literal says stays in it, whoever writes to it

    @property
    def made(self) -> list[Tensor]:
        """The tensors that came out."""
        return tensors(self.out)

    def __getitem__(self, name: str) -> Any:
        return self.of[name]


def _plain(value: Any) -> Any:
    return value.contiguous() if isinstance(value, Tensor) else value


def tensors(value: Any) -> list[Tensor]:
    """The tensors in a value, however nested."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return []
    return [tensor for item in value for tensor in tensors(item)]


def address(tensor: Tensor) -> int:
    """What names a tensor's buffer while a step is recorded: where its storage lies."""
    return tensor.untyped_storage().data_ptr()
