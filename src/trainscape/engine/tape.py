"""A computation as a list of kernel calls on fixed memory: recorded once, then replayed.

For a small model, vmap, autograd, the dispatcher and the allocator take longer than the arithmetic.
What they lead to is the same at every step: a straight line of kernel calls on tensors of known
shapes. A tape is that line. It is written down once, below vmap and autograd; then calls whose
result nobody needs are dropped, outputs get fixed places in memory that are used again as soon as
they are free, and views of such places are made once and for all. The kernels are the ones that
torch would have run, so the numbers are torch's, but for the rewrites below.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from torch._ops import OpOverload

    Work = Callable[[], Sequence[Tensor]]

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
COPIES = {aten.clone.default, aten._to_copy.default}
# Schemas that don't own up to returning a view.
VIEWS = {aten._unsafe_view.default}
NARROW = 64  # classes up to which log_softmax is faster across rows than along them


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
        """Whether what comes out is the first argument seen otherwise."""
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


class Arena:
    """Memory that tapes share which never run at the same time."""

    def __init__(self) -> None:
        self._all: list[torch.UntypedStorage] = []
        self._free: list[torch.UntypedStorage] = []

    def reset(self) -> None:
        """Everything is free: a new tape begins."""
        self._free = list(self._all)

    def take(self, size: int, device: torch.device) -> torch.UntypedStorage:
        """A free piece of at least ``size`` bytes and at most twice that, the last given first."""
        fitting = [s for s in self._free if size <= s.nbytes() <= 2 * size and s.device == device]
        if fitting:
            found = min(reversed(fitting), key=lambda storage: storage.nbytes())
            self._free = [storage for storage in self._free if storage is not found]
            return found
        made = torch.empty(size, dtype=torch.uint8, device=device).untyped_storage()
        self._all.append(made)
        return made

    def give(self, storage: torch.UntypedStorage) -> None:
        """Take a piece back."""
        self._free.append(storage)


def record(work: Work, arena: Arena, state: Iterable[Tensor], vary: Callable[[], None]) -> Work:
    """Write down what ``work`` does, and return a function that does it again.

    Args:
        work: returns tensors, computed from tensors that stay where they are from call to call.
            Whatever it does apart from calling kernels is done now and never again.
        arena: where outputs are placed.
        state: what ``work`` changes in place; left as it was.
        vary: changes the input, to try the recording on what it has not seen, and at a second
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

    with _Recorder() as recorder:
        outputs = [tensor.detach() for tensor in work()]
    back()
    vary()
    expected = [tensor.detach().clone() for tensor in work()]
    back()
    try:
        calls, outputs = _owned(*_straightened(recorder.calls, outputs))
        replay = _Writer(_needed(calls, outputs), outputs, arena).written()
        why = "" if all(map(_close, replay(), expected)) else "its replay differs"
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
    back()
    vary()
    if not why:
        return replay
    print(f"a step runs unrecorded, more slowly: {why}", file=sys.stderr)
    return work


def _close(found: Tensor, expected: Tensor) -> bool:
    """Equal but for the rounding that rewrites change."""
    scale = expected.abs().nan_to_num(0, 0, 0).max().item() if expected.numel() else 0.0
    return torch.allclose(found, expected, rtol=1e-3, atol=1e-4 * scale, equal_nan=True)


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes down every kernel call that is made in its block."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[Call] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else torch imports its compiler, for seconds, to keep it away from us

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        rewrite = REWRITES.get(func)
        if rewrite is not None and (made := rewrite(self._call, *args)) is not None:
            return made
        return self._call(func, *args, **(kwargs or {}))

    def _call(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        out = func(*args, **kwargs)
        self.calls.append(Call(func, args, kwargs, out))
        return out


def _log_softmax(call: Any, x: Tensor, dim: int, half: bool) -> Tensor | None:
    """Across rows torch's CPU kernel is vectorised; along a few classes it goes row by row."""
    if x.device.type != "cpu" or x.dim() != 3 or dim % 3 != 2 or x.shape[2] > NARROW or half:
        return None
    across = call(aten.clone.default, call(aten.transpose.int, x, 1, 2), memory_format=DENSE)
    out: Tensor = call(aten.transpose.int, call(aten._log_softmax.default, across, 1, half), 1, 2)
    return out


def _log_softmax_backward(
    call: Any, grad: Tensor, out: Tensor, dim: int, dtype: torch.dtype
) -> Tensor | None:
    if out.device.type != "cpu" or out.dim() != 3 or dim % 3 != 2 or out.shape[2] > NARROW:
        return None
    across = call(aten.clone.default, call(aten.transpose.int, grad, 1, 2), memory_format=DENSE)
    rows = call(aten.transpose.int, out, 1, 2)
    made = call(aten._log_softmax_backward_data.default, across, rows, 1, dtype)
    turned: Tensor = call(aten.transpose.int, made, 1, 2)
    return turned


def _times_one(call: Any, x: Tensor, factor: object) -> Tensor | None:
    """Vmap's rule for linear layers multiplies biases by 1."""
    return call(aten.alias.default, x) if factor == 1 and x.is_floating_point() else None


DENSE = torch.contiguous_format
REWRITES: dict[Any, Callable[..., Tensor | None]] = {
    aten._log_softmax.default: _log_softmax,
    aten._log_softmax_backward_data.default: _log_softmax_backward,
    aten.mul.Scalar: _times_one,
}


def _straightened(calls: list[Call], outputs: list[Tensor]) -> tuple[list[Call], list[Tensor]]:
    """Make outputs that are transposed products by multiplying the other way round.

    Autograd computes the gradient of a linear layer's weight transposed; an update rule would then
    walk through it across the memory.
    """
    made = {id(tensor): call for call in calls for tensor in call.makes()}
    swapped: dict[int, Call] = {}
    for i, tensor in enumerate(outputs):
        steps = list(_back(tensor, made))
        if not steps or steps[-1].func is not aten.bmm.default:
            continue
        product, turns = steps[-1], [s for s in steps if s.func is aten.transpose.int]
        if (
            len(turns) == 1
            and not tensor.is_contiguous()
            and {*turns[0].args[1:]} <= {1, 2, -1, -2}
        ):
            a, b = product.args
            at, bt = a.transpose(1, 2), b.transpose(1, 2)
            out = torch.bmm(bt, at)
            swapped[id(product)] = Call(aten.bmm.default, (bt, at), {}, out)
            calls = _before(calls, product, _turn(a, at), _turn(b, bt), swapped[id(product)])
            outputs[i] = out
    return calls, outputs


def _back(tensor: Tensor, made: dict[int, Call]) -> Iterator[Call]:
    """The calls that lead from a product to its view of equal matrices, backwards."""
    while (call := made.get(id(tensor))) is not None:
        yield call
        same = call.func is aten.transpose.int or (
            call.views and call.args[0].shape == tensor.shape
        )
        if not same:
            return
        tensor = call.args[0]


def _turn(a: Tensor, turned: Tensor) -> Call:
    return Call(aten.transpose.int, (a, 1, 2), {}, turned)


def _before(calls: list[Call], place: Call, *new: Call) -> list[Call]:
    at = calls.index(place)
    return [*calls[:at], *new, *calls[at:]]


def _owned(calls: list[Call], outputs: list[Tensor]) -> tuple[list[Call], list[Tensor]]:
    """Give every output dense memory of its own, made anew each time: callers write to it."""
    made = {id(tensor): call for call in calls for tensor in call.makes()}
    seen: set[int] = set()
    for i, tensor in enumerate(outputs):
        root, call = tensor, made.get(id(tensor))
        while call is not None and (source := _aliased(call, root)) is not None:
            root, call = source, made.get(id(source))
        lent = call is None or call.func in CONSTANT or id(root) in seen
        seen.add(id(root))
        if lent or not tensor.is_contiguous():
            outputs[i] = tensor.clone(memory_format=DENSE)
            copy = Call(aten.clone.default, (tensor,), {"memory_format": DENSE}, outputs[i])
            calls = [*calls, copy]
    return calls, outputs


def _needed(calls: list[Call], outputs: list[Tensor]) -> list[Call]:
    """The calls without those whose result nobody reads."""
    wanted = {id(tensor) for tensor in outputs}
    kept = []
    for call in reversed(calls):
        if call.writes or any(id(tensor) in wanted for tensor in call.makes()):
            kept.append(call)
            wanted.update(id(tensor) for tensor in call.reads())
    return kept[::-1]


class _Writer:
    """Turns calls into the source of a function, and places what they make.

    A tensor is *placed* when it lies in memory of known address: what was there before the
    recording, outputs in the arena, and views of both. What kernels that cannot be told where to
    write return is a local variable of the function, dropped after its last use.
    """

    def __init__(self, calls: list[Call], outputs: list[Tensor], arena: Arena) -> None:
        self.calls, self.outputs, self.arena = calls, outputs, arena
        self.made = {id(tensor) for call in calls for tensor in call.makes()}
        self.root: dict[int, int] = {}  # of a view or of what was written to: whose memory it is
        self.placed: dict[int, Tensor] = {}
        self.local: dict[int, str] = {}
        self.owned: dict[int, torch.UntypedStorage] = {}  # by root
        self.names: dict[str, Any] = {}
        self.lines: list[str] = []
        self.last = self._last_uses()
        self.written_to = {self._root(t) for call in calls for t in call.changes()}

    def written(self) -> Callable[[], list[Tensor]]:
        """The function."""
        self.arena.reset()
        for i, call in enumerate(self.calls):
            self._place(i, call)
            self._release(i)
        result = ", ".join(self._text(tensor) for tensor in self.outputs)
        body = "\n        ".join([*self.lines, f"return [{result}]"])
        self.names["no_grad"] = torch.no_grad
        text = f"def replay():\n    with no_grad():\n        {body}\n"
        exec(text, self.names)  # our own text, built above
        replay: Callable[[], list[Tensor]] = self.names["replay"]
        return replay

    def _last_uses(self) -> dict[int, int]:
        """After which call nobody looks at a tensor, or at the memory of a root, any more."""
        last: dict[int, int] = {}
        for i, call in enumerate(self.calls):
            for tensor in call.makes():
                if call.views or call.writes:
                    source = _aliased(call, tensor)
                    if source is not None:
                        self.root[id(tensor)] = self._root(source)
                last[id(tensor)] = i
            for tensor in call.reads():
                last[id(tensor)] = last[self._root(tensor)] = i
        for tensor in self.outputs:
            last[id(tensor)] = last[self._root(tensor)] = len(self.calls)
        return last

    def _root(self, tensor: Tensor) -> int:
        key = id(tensor)
        while key in self.root:
            key = self.root[key]
        return key

    def _place(self, i: int, call: Call) -> None:
        fixed = all(self._fixed(tensor) for tensor in call.reads())
        if call.func in CONSTANT and self._root(call.out) not in self.written_to:
            self.placed[id(call.out)] = call.out
        elif call.views and fixed:
            seen = call.func(*self._real(call.args), **self._real(call.kwargs))
            pairs = zip(call.makes(), tensors(seen), strict=True)
            self.placed.update((id(out), tensor) for out, tensor in pairs)
        elif call.writes:
            self._write(call)
        elif call.func in COPIES:
            room = self._room(i, call)
            self.placed[id(call.out)] = room
            self._line(aten.copy_.default, Call(call.func, (room, call.args[0]), {}, None))
        elif variant := self._variant(call):
            func, key = variant
            self.placed[id(call.out)] = self._room(i, call)
            self._line(func, call, f", {key}={self._text(call.out)}")
        elif call.func is aten.relu.default and self._dying(i, call, call.args[0]):
            self._inherit(call.out, call.args[0])
            self.placed[id(call.out)] = self.placed[id(call.args[0])]
            self._line(aten.relu_.default, call)
        else:
            self._line(call.func, call, to=call.makes())

    def _write(self, call: Call) -> None:
        fresh = []
        for tensor in call.makes():
            source = _aliased(call, tensor)
            if source is None:
                fresh.append(tensor)
            elif self._fixed(source):
                self.placed[id(tensor)] = self._real(source)
            else:
                self.local[id(tensor)] = self.local[id(source)]
        self._line(call.func, call, to=fresh if len(fresh) == len(call.makes()) else ())

    def _room(self, i: int, call: Call) -> Tensor:
        """Where a call's output goes: the memory of an input that ends here, or a new place."""
        out = call.out
        if torch.Tag.pointwise in call.func.tags:
            for tensor in call.reads():
                if self._dying(i, call, tensor) and _alike(self.placed[id(tensor)], out):
                    self._inherit(out, tensor)
                    return self.placed[id(tensor)]
        storage = self.arena.take(max(out.numel(), 1) * out.element_size(), out.device)
        self.owned[id(out)] = storage
        return torch.empty(0, dtype=out.dtype, device=out.device).set_(
            storage, 0, out.size(), out.stride()
        )

    def _variant(self, call: Call) -> tuple[OpOverload, str] | None:
        if call.views or not isinstance(call.out, Tensor):
            return None
        return _out_variant(call.func, call.out.device.type.upper())

    def _inherit(self, out: Tensor, source: Tensor) -> None:
        """An output takes over the memory of an input that ends."""
        last = self.last[id(out)]
        self.root[id(out)] = self._root(source)
        self.last[self._root(out)] = last

    def _dying(self, i: int, call: Call, tensor: Tensor) -> bool:
        """Whether a call may write over an input: ours, and read here for the last time."""
        root = self._root(tensor)
        others = [t for t in call.reads() if t is not tensor]
        return (
            root in self.owned
            and self.last[root] == i
            and id(tensor) in self.placed
            and all(self._root(t) != root for t in others)
        )

    def _release(self, i: int) -> None:
        for root in [root for root in self.owned if self.last[root] == i]:
            self.arena.give(self.owned.pop(root))
        done = {name for key, name in self.local.items() if self.last.get(key) == i}
        alive = {name for key, name in self.local.items() if self.last.get(key, i) > i}
        for name in sorted(done - alive):
            self.lines.append(f"del {name}")

    def _fixed(self, tensor: Tensor) -> bool:
        return id(tensor) not in self.made or id(tensor) in self.placed

    def _real(self, value: Any) -> Any:
        """A value with the placed tensors in the place of the recorded ones."""
        if isinstance(value, Tensor):
            return self.placed.get(id(value), value)
        if isinstance(value, dict):
            return {key: self._real(item) for key, item in value.items()}
        return type(value)(map(self._real, value)) if isinstance(value, list | tuple) else value

    def _line(self, func: Any, call: Call, tail: str = "", to: Sequence[Tensor] = ()) -> None:
        words = [self._text(arg) for arg in call.args]
        words += [f"{key}={self._text(value)}" for key, value in call.kwargs.items()]
        for tensor in to:
            self.local[id(tensor)] = f"v{len(self.local)}"
        left = ""
        if to and isinstance(call.out, list | tuple):  # kernels return None for what is not asked
            left = "".join(f"{self.local.get(id(part), '_')}, " for part in call.out)
        elif to:
            left = self.local[id(call.out)]
        text = f"{self._name(func)}({', '.join(words)}{tail})"
        self.lines.append(f"{left} = {text}" if left else text)

    def _text(self, value: Any) -> str:
        if isinstance(value, Tensor):
            if id(value) in self.local:
                return self.local[id(value)]
            return self._name(self._real(value))
        if isinstance(value, list):
            return f"[{', '.join(map(self._text, value))}]"
        if isinstance(value, tuple):
            return f"({''.join(self._text(item) + ', ' for item in value)})"
        return repr(value) if isinstance(value, int | bool | None) else self._name(value)

    def _name(self, value: Any) -> str:
        """The name under which the function finds a value."""
        name = f"c{len(self.names)}"
        self.names[name] = value
        return name


def _aliased(call: Call, out: Tensor) -> Tensor | None:
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


def _alike(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and a.stride() == b.stride() and a.dtype == b.dtype


@cache
def _out_variant(func: OpOverload, backend: str) -> tuple[OpOverload, str] | None:
    """The overload that writes where it is told, and the name of that argument.

    Only where a kernel of the device does so itself: others compute elsewhere and copy.
    """
    wanted = [(a.name, str(a.type)) for a in func._schema.arguments]
    for name in func.overloadpacket.overloads():
        other = getattr(func.overloadpacket, name)
        arguments = other._schema.arguments
        outs = [a.name for a in arguments if a.is_out]
        rest = [(a.name, str(a.type)) for a in arguments if not a.is_out]
        if len(outs) != 1 or rest != wanted:
            continue
        if torch._C._dispatch_has_kernel_for_dispatch_key(other.name(), backend):
            return other, outs[0]
    return None
