"""From kernel calls to the source of a function that makes them again on fixed memory."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from trainscape.engine.calls import LITERALS, Call, aliased, constants, makers, roots, tensors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch._ops import OpOverload

aten = torch.ops.aten

COPIES = {aten.clone.default, aten._to_copy.default, *LITERALS}


class Arena:
    """Memory that recordings share, of which no two run at the same time."""

    def __init__(self) -> None:
        self._all: list[torch.UntypedStorage] = []
        self._free: list[torch.UntypedStorage] = []

    def reset(self) -> None:
        """Take all pieces back: a new recording is placed."""
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


class Writer:
    """Turns calls into the source of a function, and places what they make.

    A tensor is *placed* when it lies in memory of known address: what was there before the
    recording, outputs in the arena, and views of both. What kernels that cannot be told where to
    write return is a local variable of the function, dropped after its last use.
    """

    def __init__(self, calls: list[Call], outputs: list[Tensor], arena: Arena) -> None:
        self.calls, self.outputs, self.arena = calls, outputs, arena
        self.made = makers(calls)
        # of a view or of what was written to: whose memory it is, which was there before it
        self.root = roots(calls)
        self.constant = constants(calls, outputs)  # a caller may write to an output
        self.placed: dict[int, Tensor] = {}
        self.local: dict[int, str] = {}
        self.owned: dict[int, torch.UntypedStorage] = {}  # by root
        self.names: dict[str, Any] = {}
        self.lines: list[str] = []
        self.last = self._last_uses()

    def written(self) -> Callable[[], list[Tensor]]:
        """The function."""
        self.arena.reset()
        for i, call in enumerate(self.calls):
            self._place(i, call)
            self._release(i)
        result = ", ".join(self._text(tensor) for tensor in self.outputs)
        body = "\n        ".join([*self.lines, f"return [{result}]"])
        self.names["no_grad"] = torch.no_grad
        text = f"def recorded():\n    with no_grad():\n        {body}\n"
        # our own text, built above; a list of partial calls takes 2% longer for 64 trials of
        # digits-mlp at batch size 16, 4 to 6% for 16 trials of digits-cnn
        exec(text, self.names)
        recorded: Callable[[], list[Tensor]] = self.names["recorded"]
        return recorded

    def _last_uses(self) -> dict[int, int]:
        """After which call nobody looks at a tensor, or at the memory of a root, any more."""
        last: dict[int, int] = {}
        for i, call in enumerate(self.calls):
            for tensor in call.makes():
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
        if call.makes() and self.constant.issuperset(map(id, call.makes())):
            self.placed.update((id(tensor), tensor) for tensor in call.makes())
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
            source = aliased(call, tensor)
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
        text = f"{self._global_name(func)}({', '.join(words)}{tail})"
        self.lines.append(f"{left} = {text}" if left else text)

    def _text(self, value: Any) -> str:
        if isinstance(value, Tensor):
            if id(value) in self.local:
                return self.local[id(value)]
            return self._global_name(self._real(value))
        if isinstance(value, list):
            return f"[{', '.join(map(self._text, value))}]"
        if isinstance(value, tuple):
            return f"({''.join(self._text(item) + ', ' for item in value)})"
        return repr(value) if isinstance(value, int | bool | None) else self._global_name(value)

    def _global_name(self, value: Any) -> str:
        """A global name of the function for a value."""
        name = f"c{len(self.names)}"
        self.names[name] = value
        return name


def _alike(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and a.stride() == b.stride() and a.dtype == b.dtype


@cache
def _out_variant(func: OpOverload, device: str) -> tuple[OpOverload, str] | None:
    """The overload that writes where it is told, and the name of that argument.

    Only where a kernel of the device does so itself: others compute elsewhere and copy. To take
    those as well makes a step of digits-mlp (64 trials, batch size 16) 3% longer.
    """
    key = getattr(torch._C.DispatchKey, device)
    wanted = [(a.name, str(a.type)) for a in func._schema.arguments]
    for name in func.overloadpacket.overloads():
        other = getattr(func.overloadpacket, name)
        arguments = other._schema.arguments
        outs = [a.name for a in arguments if a.is_out]
        rest = [(a.name, str(a.type)) for a in arguments if not a.is_out]
        if len(outs) != 1 or rest != wanted:
            continue
        if other.has_kernel_for_dispatch_key(key):
            return other, outs[0]
    return None
