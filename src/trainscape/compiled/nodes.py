"""What a program is made of: places in memory, and the loops and kernels that go over them."""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping

C_TYPES = {
    torch.float32: "float",
    torch.float64: "double",
    torch.int64: "int64_t",
    torch.int32: "int32_t",
    torch.uint8: "uint8_t",
    torch.bool: "uint8_t",
}


Roles = dict[str, Tensor]  # what is a trial's own, by names that programs know it by


class UnsupportedError(Exception):
    """A step has something that the tables of operations have no entry for."""


@dataclass(frozen=True)
class Ref:
    """A tensor as a place in memory: which elements of which buffer.

    Args:
        buffer: the address of the storage while the step was recorded; it names the buffer.
        dtype: of its elements.
        offset: of the first element, in elements.
        sizes: the shape.
        strides: elements from one index to the next, for each axis.
    """

    buffer: int
    dtype: torch.dtype
    offset: int
    sizes: tuple[int, ...]
    strides: tuple[int, ...]

    @classmethod
    def of(cls, tensor: Tensor) -> Ref:
        """The place of a tensor.

        Raises:
            UnsupportedError: its type has no counterpart in C.
        """
        if tensor.dtype not in C_TYPES:
            raise UnsupportedError(f"of type {tensor.dtype}")
        storage = tensor.untyped_storage().data_ptr()
        offset, strides = int(tensor.storage_offset()), tuple(tensor.stride())
        return cls(storage, tensor.dtype, offset, tuple(tensor.shape), strides)

    @property
    def c_type(self) -> str:
        """The type of an element in C."""
        return C_TYPES[self.dtype]

    @property
    def numel(self) -> int:
        """How many elements."""
        count = 1
        for size in self.sizes:
            count *= size
        return count

    @property
    def steps(self) -> list[tuple[int, int]]:
        """The sizes and strides of all axes that have more than one index."""
        pairs = zip(self.sizes, self.strides, strict=True)
        return [(size, stride) for size, stride in pairs if size != 1]

    @property
    def end(self) -> int:
        """One more than the place of the last element in the buffer."""
        return self.offset + 1 + sum((size - 1) * stride for size, stride in self.steps)

    @property
    def bytes(self) -> int:
        """The bytes of memory that its elements take."""
        return self.numel * self.dtype.itemsize

    def broadcast(self, sizes: tuple[int, ...]) -> Ref:
        """The same place, read as a tensor of ``sizes``."""
        lacking = len(sizes) - len(self.sizes)
        own = zip((1,) * lacking + self.sizes, (0,) * lacking + self.strides, strict=True)
        strides = tuple(0 if size == 1 else stride for size, stride in own)
        return Ref(self.buffer, self.dtype, self.offset, sizes, strides)

    def seen(self, order: list[int]) -> Ref:
        """The same place with these of its axes, in this order."""
        sizes = tuple(self.sizes[k] for k in order)
        return Ref(
            self.buffer, self.dtype, self.offset, sizes, tuple(self.strides[k] for k in order)
        )

    def at(self, names: list[str]) -> str:
        """The index in the buffer, in C, of the element that variables name, an axis each."""
        terms = [str(self.offset)] if self.offset else []
        for name, stride in zip(names, self.strides, strict=True):
            if stride and name != "0":
                terms.append(name if stride == 1 else f"{name} * {stride}")
        return " + ".join(terms) or "0"


@dataclass
class Map:
    """An element of ``out`` for each element of ``ins``, which are broadcast to its shape.

    Args:
        out: where the elements go.
        ins: what they are made of.
        text: the value in C; ``$0`` stands for the first of ``ins``, and so on.
        types: the C type that each of ``ins`` is taken as.
        c_type: of the value, before it is stored.
        doing: the operation that it comes from.
    """

    out: Ref
    ins: list[Ref]
    text: str
    types: list[str]
    c_type: str
    doing: str = ""

    def reads(self) -> list[Ref]:
        """What is read."""
        return self.ins

    def writes(self) -> list[Ref]:
        """What is written."""
        return [self.out]


@dataclass
class Kernel:
    """Anything else: statements in C over the buffers of some tensors.

    Args:
        ins: what is read; ``$r0`` in the body points to the buffer of the first of them.
        outs: what is written, ``$w0`` and so on.
        body: the statements.
        scratch: bytes of working memory that ``$scratch`` points to.
        partial: whether ``outs`` keep some elements, or are read as well.
        doing: the operation that it comes from.
        rows: the statements that make the rows ``$from`` to ``$to`` of ``outs[0]`` alone, if there
            are such.
    """

    ins: list[Ref]
    outs: list[Ref]
    body: str
    scratch: int = 0
    partial: bool = False
    doing: str = ""
    rows: str = ""

    def reads(self) -> list[Ref]:
        """What is read."""
        return [*self.ins, *(self.outs if self.partial else [])]

    def writes(self) -> list[Ref]:
        """What is written."""
        return self.outs


Node = Map | Kernel


def filled(text: str, words: Mapping[str, str]) -> str:
    """A text of C with a word in the place of every ``$name``."""
    return re.sub(r"\$(\w+)", lambda found: words[found[1]], text)


def axes(count: int, letter: str = "i") -> list[str]:
    """The names of ``count`` loop variables."""
    return [f"{letter}{k}" for k in range(count)]


def nested(sizes: tuple[int, ...], names: list[str], body: str) -> str:
    """Statements within a loop for each axis."""
    loops = "".join(
        f"for (long {name} = 0; {name} < {size}; {name}++) "
        for name, size in zip(names, sizes, strict=True)
    )
    return f"{loops}{{ {body} }}"


def literal(value: float, c_type: str) -> str:
    """A number in C, exact to the last bit."""
    if c_type.startswith(("int", "uint", "truth")):
        if value != int(value):
            raise UnsupportedError(f"with {value} as a whole number")
        return f"((int64_t){int(value) & (1 << 64) - 1:#x}ull)"
    number = ctypes.c_float(value).value if c_type == "float" else float(value)
    if number != number:
        return "NAN"
    if abs(number) == float("inf"):
        return "INFINITY" if number > 0 else "-INFINITY"
    return f"({number.hex()}{'f' if c_type == 'float' else ''})"


def joined_axes(refs: list[Ref]) -> list[Ref]:
    """Tensors of one shape with as few axes as can be: neighbours that all hold densely are one."""
    sizes = refs[0].sizes
    keep = [k for k in range(len(sizes)) if sizes[k] != 1]
    shape: list[int] = []
    strides: list[list[int]] = [[] for _ in refs]
    for k in keep:
        fits = bool(shape) and all(
            own[-1] == ref.strides[k] * sizes[k] for own, ref in zip(strides, refs, strict=True)
        )
        if fits:
            shape[-1] *= sizes[k]
        else:
            shape.append(sizes[k])
        for own, ref in zip(strides, refs, strict=True):
            if fits:
                own[-1] = ref.strides[k]
            else:
                own.append(ref.strides[k])
    return [
        Ref(ref.buffer, ref.dtype, ref.offset, tuple(shape), tuple(own))
        for ref, own in zip(refs, strides, strict=True)
    ]
