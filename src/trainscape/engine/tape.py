"""A computation as a list of kernel calls on fixed memory: recorded once, then run again.

For a small model, vmap, autograd, the dispatcher and the allocator take longer than the arithmetic.
What they lead to is the same at every step: a straight line of kernel calls on tensors of known
shapes. A tape is that line. It is written down once, below vmap and autograd; then calls whose
result nobody needs are dropped, outputs get fixed places in memory that are used again as soon as
they are free, and views of such places are made once and for all. The kernels are the ones that
torch would have run, so the numbers are torch's, but for :mod:`trainscape.engine.rewrites`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from trainscape.engine.calls import LITERALS, Call
from trainscape.engine.rewrites import REWRITES, needed, owned, straightened
from trainscape.engine.writer import Arena, Writer
from trainscape.memory import out_of_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Work = Callable[[], Sequence[Tensor]]


def record(work: Work, arena: Arena, state: Iterable[Tensor], vary: Callable[[], None]) -> Work:
    """Write down what ``work`` does, and return a function that does it again.

    Args:
        work: returns tensors, computed from tensors that stay where they are from call to call.
            Whatever it does apart from calling kernels is done now and never again.
        arena: where outputs are placed.
        state: what ``work`` changes in place; left as it was.
        vary: changes the input, to try the recording on what it has not seen, and at every second
            call changes it back.

    Returns:
        A function that returns what ``work`` returns, in memory that its next call overwrites.
        Where the recording does not repeat what ``work`` does: ``work``, with a word on stderr.
    """
    before = [(tensor, tensor.detach().clone()) for tensor in state]

    def back() -> None:
        with torch.no_grad():
            for tensor, value in before:
                tensor.copy_(value)

    # first, as a model may make something once, at its first call, and keep it
    vary()
    expected = [tensor.detach().clone() for tensor in work()]
    back()
    vary()
    with Recorder() as recorder:
        outputs = [tensor.detach() for tensor in work()]
    back()
    vary()
    try:
        with out_of_memory():
            calls, outputs = owned(*straightened(recorder.calls, outputs))
            recorded = Writer(needed(calls, outputs), outputs, arena).written()
            same = all(map(_close, recorded(), expected))
        why = "" if same else "the recording gives other numbers"
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
    back()
    vary()
    if not why:
        return recorded
    print(f"a step runs unrecorded, more slowly: {why}", file=sys.stderr)
    return work


def _close(found: Tensor, expected: Tensor) -> bool:
    """Equal but for the rounding that rewrites change."""
    scale = expected.abs().nan_to_num(0, 0, 0).max().item() if expected.numel() else 0.0
    # tf32 rounds the operands of a product to 10 bits, and by another kernel otherwise
    coarse = found.is_cuda and torch.backends.cuda.matmul.allow_tf32
    rtol, atol = (1e-2, 1e-2 * scale) if coarse else (1e-3, 1e-4 * scale)
    return torch.allclose(found, expected, rtol=rtol, atol=atol, equal_nan=True)


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes down every kernel call that is made in its block."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[Call] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # else torch imports its compiler to keep it away from __torch_dispatch__: 1.1 s a process
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        rewrite = REWRITES.get(func)
        if rewrite is not None and (made := rewrite(self._call, *args)) is not None:
            return made
        return self._call(func, *args, **(kwargs or {}))

    def _call(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        out = func(*args, **kwargs)
        if func in LITERALS:
            out = out.clone()  # what the literal says stays in its argument, whoever writes to it
        self.calls.append(Call(func, args, kwargs, out))
        return out
