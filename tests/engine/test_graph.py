"""A step that is captured once and launched again: nothing it reads may move.

Where there is no GPU, a graph is played on the CPU: the kernel calls of one step are kept with the
tensors that they read and wrote; a launch makes the same calls on the same memory again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from kit import examples
from kit.crowds import WORKLOADS
from kit.examples import task, trained, trial
from trainscape import optimizers, workloads
from trainscape.compiled.call import tensors
from trainscape.engine import graph
from trainscape.engine.pack import Pack

if TYPE_CHECKING:
    from collections.abc import Callable

RULES = sorted(optimizers.registry.names())


class Played:
    """Stands for a CUDA graph: keeps the kernel calls of its block."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, Any, Any, Any]] = []

    @torch.no_grad()
    def replay(self) -> None:
        """Make the calls again; what they return goes where it went."""
        for func, args, kwargs, out in self.calls:
            own = [t for t in tensors(out) if not _held(t, tensors(args) + tensors(kwargs))]
            made = tensors(func(*args, **kwargs)) if own or func._schema.is_mutable else []
            for tensor, value in zip(tensors(out), made, strict=False):
                if any(tensor is one for one in own):
                    tensor.copy_(value)


def _held(tensor: torch.Tensor, given: list[torch.Tensor]) -> bool:
    """Whether a result lies in the memory of an argument."""
    place = tensor.untyped_storage().data_ptr()
    return any(place == one.untyped_storage().data_ptr() for one in given)


class Recording(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Puts every kernel call of its block on the list of a played graph."""

    def __init__(self, played: Played) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.played = played

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default:
            raise RuntimeError("a graph cannot ask the device for a number")
        out = func(*args, **(kwargs or {}))
        if func is not torch.ops.aten._unsafe_view.default:  # a view, though it does not say so
            self.played.calls.append((func, args, kwargs or {}, out))
        return out


class Playing(graph.Captured):
    """Captures on the CPU, too."""

    count = 0

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self.can_capture = True

    def _capture(self, work: Callable[[], Any]) -> Any:
        played = Played()
        with Recording(played):  # a capture runs nothing, but what the calls do is what they did
            self.result = work()
        self.graph = played
        Playing.count += 1
        return self.result


@pytest.mark.parametrize("rule", RULES)
def test_launches_give_what_steps_give(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Epochs after the one of the capture have other rates, orders and corrections."""
    work = task(workloads.registry.get("digits-mlp"), examples.images(40), 16, {"epochs": 5})
    crowd = [trial(rule, 0.01, 0), trial(rule, 0.02, 1), trial("adam", 0.01, 0)]
    expected = trained(crowd, work, Pack)
    before = Playing.count
    monkeypatch.setattr("trainscape.engine.pack.Captured", Playing)
    assert trained(crowd, work, Pack) == expected
    assert Playing.count > before, "nothing was captured"


@pytest.mark.parametrize("kind", ["dropout", "batch-norm"])
def test_models_with_masks_and_buffers(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Masks are drawn anew at every launch, and statistics go on."""
    work = task(WORKLOADS[kind](), examples.images(40, 8), 16, {"epochs": 5})
    crowd = [trial("adam", 0.01, seed) for seed in range(3)]
    expected = trained(crowd, work, Pack)
    monkeypatch.setattr("trainscape.engine.pack.Captured", Playing)
    assert trained(crowd, work, Pack) == expected
