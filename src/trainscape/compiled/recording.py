"""A step as nodes: written down below autograd while torch runs it once, for one model."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from trainscape.compiled.call import Call, address, tensors
from trainscape.compiled.nodes import Node, Ref, UnsupportedError
from trainscape.compiled.operations import copied, decomposition, lowered

# What these return depends on shapes and numbers alone.
MADE = {
    *("arange", "eye", "full", "full_like", "lift", "lift_fresh", "linspace", "new_full"),
    *("new_ones", "new_zeros", "ones", "ones_like", "scalar_tensor", "zeros", "zeros_like"),
}
# These hand numbers to Python, below what a dispatch mode sees.
LOOKS = {Tensor.tolist, Tensor.numpy, Tensor.__array__}
EMPTY = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided"}


class Recording(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes down as nodes what torch does in its block.

    Attributes:
        nodes: in the order of the calls.
        kept: every tensor that was met: their storages stay, so that an address names one.
        made: the addresses of tensors that were made in the block.
        filled: those of them that a node writes to.
        apart: the addresses of what torch would have had in one memory and is in two here.
        constants: by address, tensors that are the same at every run.
        why: what had no entry in the tables of operations; None for nothing.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.nodes: list[Node] = []
        self.kept: list[Tensor] = []
        self.made: set[int] = set()
        self.filled: set[int] = set()
        self.apart: set[int] = set()
        self.constants: dict[int, Tensor] = {}
        # addresses of what hangs on literals and shapes alone, written to or not: a model may
        # look at such numbers, as they are the same at every run
        self.steady: set[int] = set()
        self.why: str | None = None

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # else torch imports its compiler to keep it away from __torch_dispatch__: 1.1 s a process
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        made = self._decomposed(func, args, kwargs)
        if made is not NotImplemented:
            return made
        call = Call(func, args, kwargs)
        for tensor in call.written:
            self._vary(tensor)
            if address(tensor) in self.apart:
                self._refuse(f"{func} changes in place what lies otherwise in memory")
        call.run()
        self.kept += [*call.given, *call.made]
        if call.views:
            self._see(call)
        elif self.why is None:
            self._note(call)
        return call.out

    def _see(self, call: Call) -> None:
        given = {(address(tensor), tensor.dtype) for tensor in call.given}
        if not {(address(tensor), tensor.dtype) for tensor in call.made} <= given:
            self._refuse(f"{call.func} sees other memory, or as of another type")

    def _decomposed(self, func: Any, args: Any, kwargs: Any) -> Any:
        """What a kernel comes to by others; NotImplemented for one that is to be noted itself."""
        if func is torch.ops.aten.view.default and not _can_view(*args):
            return self._copy_viewed(*args)
        with self:
            of = decomposition(func)
            if of is not None:
                return of(*args, **kwargs)
            # within a decomposition even functions arrive that torch itself takes apart, such as
            # ``contiguous``: they may copy, though their schemas say that they only see
            return func.decompose(*args, **kwargs)

    def _copy_viewed(self, x: Tensor, sizes: Any) -> Tensor:
        """Images that lie with their channels last may need a copy where torch needed none."""
        with self:
            copy = x.contiguous()
            self.apart |= {address(x), address(copy)}
            return copy.view(sizes)

    def _refuse(self, why: str) -> None:
        self.why = self.why or why

    def _note(self, call: Call) -> None:
        given = [address(tensor) for tensor in call.given]
        fresh = [tensor for tensor in call.made if address(tensor) not in given]
        self.made.update(map(address, fresh))
        steady = call.name in MADE | EMPTY or (bool(given) and self.steady >= set(given))
        changed = {address(tensor) for tensor in (*fresh, *call.written)}
        if steady and not call.draws:
            self.steady |= changed
        else:
            self.steady -= changed
        if call.name == "_local_scalar_dense":
            if not steady:
                self._refuse(f"{call.func} looks at a number: by .item(), or by an if on a value")
            return
        if call.name in EMPTY:
            return
        fixed = call.name in MADE or (bool(given) and self.constants.keys() >= set(given))
        if fixed and not call.written and not call.draws:
            self.constants.update((address(tensor), tensor) for tensor in fresh)
        elif call.draws:
            self._refuse(f"{call.func} draws random numbers")
        else:
            try:
                self._take(lowered(call))
            except UnsupportedError as error:
                self._refuse(f"{call.func} {error}")

    def _take(self, nodes: list[Node]) -> None:
        """Add nodes, unless they read what a kernel made that nobody saw."""
        for node in nodes:
            if any(self._unseen(ref.buffer) for ref in node.reads()):
                raise UnsupportedError("reads what nothing has written")
            self.filled.update(ref.buffer for ref in node.writes())
        self.nodes += nodes

    def _unseen(self, buffer: int) -> bool:
        """Whether something made it, and nothing that was noted has filled it."""
        written = buffer in self.filled or buffer in self.constants
        return buffer in self.made and not written

    def _vary(self, tensor: Tensor) -> None:
        """A constant is written to: it is made from a literal at every run."""
        if self.constants.pop(address(tensor), None) is not None:
            whole = tensor.new_empty(0).set_(tensor.untyped_storage())
            literal = whole.clone()
            self.kept += [whole, literal]
            self.constants[address(literal)] = literal
            # first of all, for it may have been read already
            self.nodes.insert(0, copied(Ref.of(whole), Ref.of(literal)))
            self.filled.add(address(whole))


class Looking(TorchFunctionMode):
    """Sees when Python is handed numbers, while a step is recorded.

    Args:
        recording: is told; such a step is not the same at every run.
    """

    def __init__(self, recording: Recording) -> None:
        super().__init__()
        self.recording = recording

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in LOOKS and not self.recording.steady >= set(map(address, tensors(args))):
            self.recording._refuse(f"{func.__name__}() looks at numbers")
        return func(*args, **(kwargs or {}))


def _can_view(x: Tensor, sizes: Any) -> bool:
    try:
        x.view(sizes)
    except RuntimeError:
        return False
    return True
