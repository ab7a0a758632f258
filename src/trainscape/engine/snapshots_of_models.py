"""What a model keeps besides its parameters (:mod:`trainscape.engine.snapshots`)."""

from __future__ import annotations

import enum
import functools
import types
import weakref
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from trainscape.engine.encoding import UnkeptError, alike
from trainscape.engine.model import MaskedDropout

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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


def of_model(model: nn.Module) -> State:
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
                if name not in blank and not is_constant(value, own)
            ]
    check_memory(aside, tensors)
    return {"buffers": buffers, "aside": aside}


def put_model(model: nn.Module, kept: State) -> None:
    """Give a model what :func:`of_model` found in another that was built alike."""
    device = next(model.parameters()).device
    for layer, name, value in kept["buffers"]:
        module = model.get_submodule(layer)
        here = module._buffers[name]
        if here is None or not alike(here, value):
            module._buffers[name] = None if value is None else value.to(device)
        else:
            with torch.no_grad():
                here.copy_(value)
    for layer, name, value in kept["aside"]:
        setattr(model.get_submodule(layer), name, moved(value, device))


def check_memory(value: Any, tensors: Iterable[Tensor]) -> None:
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


def is_constant(value: Any, own: Any) -> bool:
    """Whether a value stays as it was built: code, modules, the model's own tensors, lists of them.

    Args:
        value: an attribute.
        own: the ids of the model's own tensors.
    """
    if isinstance(value, list | tuple) and not isinstance(value, torch.Size):
        return len(value) > 0 and all(is_constant(one, own) for one in value)
    if isinstance(value, dict):
        return len(value) > 0 and all(is_constant(one, own) for one in value.values())
    return id(value) in own or isinstance(value, CONSTANTS)


def moved(value: Any, device: torch.device) -> Any:
    """A value with its tensors where they are used; counts of steps stay on the CPU, as torch's."""
    if device.type == "cpu":
        return value
    if isinstance(value, Tensor):
        return value.to(device) if value.dim() else value
    if isinstance(value, dict):
        return type(value)((key, moved(one, device)) for key, one in value.items())
    if isinstance(value, list | tuple):
        return type(value)(moved(one, device) for one in value)
    return value
