"""A step as nodes: written down below autograd while torch runs it once, for one model."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from trainscape.compiled.call import Call, address
from trainscape.compiled.decompositions import DECOMPOSITIONS
from trainscape.compiled.lowering import copied, lowered
from trainscape.compiled.nodes import Node, Ref, UnsupportedError
from trainscape.compiled.products import product  # noqa: F401  # enters its part of the table

# What these return depends on shapes and numbers alone.
MADE = {
    *("arange", "eye", "full", "full_like", "lift", "lift_fresh", "linspace", "new_full"),
    *("new_ones", "new_zeros", "ones", "ones_like", "scalar_tensor", "zeros", "zeros_like"),
}
EMPTY = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided"}


class Recording(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes down as nodes what torch does in its block.

    Attributes:
        nodes: in the order of the calls.
        kept: every tensor that was met: their storages stay, so that an address names one.
        made: the addresses of tensors that were made in the block.
        constants: by address, tensors that are the same at every run.
        why: what had no entry in the tables of operations; None for nothing.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.nodes: list[Node] = []
        self.kept: list[Tensor] = []
        self.made: set[int] = set()
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
        decomposed = DECOMPOSITIONS.get(func)
        if decomposed is not None:
            with self:
                made = decomposed(*args, **(kwargs or {}))
            if made is not NotImplemented:
                return made
        call = Call(func, args, kwargs or {})
        for tensor in call.written:
            self._vary(tensor)
        call.run()
        self.kept += [*call.given, *call.made]
        if not call.views and self.why is None:
            self._note(call)
        return call.out

    def _note(self, call: Call) -> None:
        given = [address(tensor) for tensor in call.given]
        fresh = [tensor for tensor in call.made if address(tensor) not in given]
        self.made.update(map(address, fresh))
        steady = call.name in MADE | EMPTY or (bool(given) and self.steady >= set(given))
        changed = {address(tensor) for tensor in (*fresh, *call.written)}
        self.steady = self.steady | changed if steady and not call.draws else self.steady - changed
        if call.name == "_local_scalar_dense" and steady:
            return
        if call.name in EMPTY:
            return
        fixed = call.name in MADE or (bool(given) and self.constants.keys() >= set(given))
        if fixed and not call.written and not call.draws:
            self.constants.update((address(tensor), tensor) for tensor in fresh)
        elif call.draws:
            self.why = f"{call.func} draws random numbers"
        else:
            try:
                self.nodes += lowered(call)
            except UnsupportedError as error:
                self.why = f"{call.func} {error}".strip()

    def _vary(self, tensor: Tensor) -> None:
        """A constant is written to: it is made from a literal at every run."""
        if self.constants.pop(address(tensor), None) is not None:
            whole = tensor.new_empty(0).set_(tensor.untyped_storage())  # type: ignore[call-overload]
            literal = whole.clone()
            self.kept += [whole, literal]
            self.constants[address(literal)] = literal
            self.nodes.append(copied(Ref.of(whole), Ref.of(literal)))
