"""Plain values and tensors as bytes, and back: bit for bit, and no code is run to read them.

The first line of a file is the sha256 (hex) of all that follows: a line of JSON, then the tensors,
one behind the other. No number is made here, so this file is in no digest.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from trainscape.errors import DamagedFileError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

PLAIN = (type(None), bool, int, float, str)
KINDS: dict[str, Any] = {"tuple": tuple, "list": list, "dict": dict, "ordered": OrderedDict}
NAMES = {kind: name for name, kind in KINDS.items()}
DTYPES = {str(of): of for of in vars(torch).values() if isinstance(of, torch.dtype)}


class UnkeptError(Exception):
    """Something has a form that cannot be kept; says which, in words that follow ``holds``."""


class UnfitError(Exception):
    """A state is not that of these trials."""


def alike(a: Any, b: Any) -> bool:
    """Whether both are tensors of one shape and type."""
    tensors = isinstance(a, Tensor) and isinstance(b, Tensor)
    return tensors and (a.shape, a.dtype) == (b.shape, b.dtype)


class _Writer:
    """Takes a value apart into JSON and tensors.

    A tensor that is met again is the same one when it is read; lists and mappings are to be met
    once, and tensors are not to share memory in part.
    """

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []
        self.places: dict[int, int] = {}  # of a tensor, by its id
        self.owners: dict[int, int] = {}  # of memory: its first tensor's id
        self.met: set[int] = set()

    def form(self, value: Any) -> Any:
        """The value as JSON, with tensors by their places."""
        kind = type(value)
        if kind in PLAIN:
            return value
        if isinstance(value, float):  # numpy's
            return float(value)
        if kind in (Tensor, nn.Parameter):
            return {"tensor": self.place(value)}
        if kind not in NAMES:
            raise UnkeptError(f"a {kind.__name__}")
        if kind is not tuple and id(value) in self.met:
            raise UnkeptError(f"one {kind.__name__} in two places")
        self.met.add(id(value))
        if issubclass(kind, dict):
            return {NAMES[kind]: [[self.form(key), self.form(one)] for key, one in value.items()]}
        return {NAMES[kind]: [self.form(one) for one in value]}

    def place(self, tensor: Tensor) -> int:
        if id(tensor) in self.places:
            return self.places[id(tensor)]
        if tensor.grad_fn is not None or tensor.layout != torch.strided:
            raise UnkeptError("a tensor with a history of its own, or a sparse one")
        memory = tensor.untyped_storage().data_ptr()
        if memory and self.owners.setdefault(memory, id(tensor)) != id(tensor):
            raise UnkeptError("tensors that share memory")
        self.places[id(tensor)] = len(self.tensors)
        self.tensors.append(tensor)
        return self.places[id(tensor)]


def write(file: BinaryIO, value: Any) -> None:
    """Write a value of None, numbers, texts, lists, tuples, mappings and tensors.

    Args:
        file: open for writing, and to be sought in.
        value: the value.

    Raises:
        UnkeptError: it holds something else.
    """
    writer = _Writer()
    form = writer.form(value)
    like = [torch.empty_like(of, device="meta") for of in writer.tensors]  # lie as they do
    heads = [[str(of.dtype), list(of.shape), list(of.stride())] for of in like]
    line = json.dumps({"value": form, "tensors": heads}).encode() + b"\n"
    sum_ = hashlib.sha256()
    file.write(b"0" * sum_.digest_size * 2 + b"\n")
    parts: list[Any] = [line, *map(_bytes, writer.tensors)]
    for part in parts:
        sum_.update(part)
        file.write(part)
    file.seek(0)
    file.write(sum_.hexdigest().encode())


def read(path: Path) -> Any:
    """What :func:`write` wrote; tensors lie on the CPU.

    Raises:
        DamagedFileError: it is not whole.
        OSError: it cannot be read.
    """
    content = bytearray(path.read_bytes())
    head = content.find(b"\n") + 1
    rest = memoryview(content)[head:]
    if not head or hashlib.sha256(rest).hexdigest().encode() != bytes(content[: head - 1]):
        raise DamagedFileError(path, "is not a whole file (its checksum differs)")
    at = content.index(b"\n", head) + 1
    made = json.loads(content[head:at])
    tensors = []
    for name, shape, stride in made["tensors"]:
        dtype = DTYPES[name]
        size = torch.Size(shape).numel() * dtype.itemsize
        tensor = torch.empty_strided(shape, stride, dtype=dtype)
        if size:
            flat = torch.frombuffer(content, dtype=torch.uint8, count=size, offset=at).clone()
            tensor.copy_(flat.view(dtype).view(shape))
        tensors.append(tensor)
        at += size
    return _value(made["value"], tensors)


def _bytes(tensor: Tensor) -> Any:
    """A tensor's numbers, in the order of its axes, as a buffer."""
    if not tensor.numel():
        return b""
    return tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy()


def _value(form: Any, tensors: list[Tensor]) -> Any:
    if not isinstance(form, dict):
        return form
    [(name, inner)] = form.items()
    if name == "tensor":
        return tensors[inner]
    kind = KINDS[name]
    if issubclass(kind, dict):
        return kind((_value(key, tensors), _value(one, tensors)) for key, one in inner)
    return kind(_value(one, tensors) for one in inner)
