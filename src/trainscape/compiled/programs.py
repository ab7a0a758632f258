"""From work that torch can do once to a function that does it for any trial, any number of times.

Work is written down while torch does it for one trial, turned into C, compiled, and tried on other
numbers: it is to come to the same. What is a trial's own lies in tensors that have
names here, *roles*; to run the work for another trial is to give it other addresses.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from trainscape.compiled.call import address
from trainscape.compiled.compiler import load
from trainscape.compiled.nodes import Kernel, Map, Roles, UnsupportedError
from trainscape.compiled.recording import Looking, Recording
from trainscape.compiled.text import written
from trainscape.compiled.tried import copies, differing, equal, put

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from trainscape.compiled.text import Text

    Addresses = NDArray[np.uint64]

# Work on this many elements stands for work on any count of them.
SPAN = 1009

HEAD = """\
#include "generic.h"
#include "kernels.h"

static char scratch[{scratch}] __attribute__((aligned(64)));
typedef void update(char **slots, long from, long to);

"""
# slots: for each trial the addresses of what the work goes over. An update rule comes after every
# step, once for each block of a trial's parameters, with addresses and sizes of its own. `gradient`
# is which of its addresses is that of the gradient: a rule that is called for some elements of a
# block as well as for all gets them in parts, and a block that is made so lies nowhere as a whole.
# It is -1 for a rule that must have all of it.
RUN = """
static void once(char **slots, long from, long to) {{
    {calls}
}}

/* A block's gradient, some rows at a time, and what takes them; 0 for one that is there already. */
static int in_parts(long block, update *rule, char **rules, long width, long gradient) {{
    char *own[width];
{parts}    return 0;
}}

/* Elements from a part to the whole. */
static void kept(char **own, long from, long to) {{
    memcpy((float *)own[0] + from, (float *)own[1] + from, (to - from) * sizeof(float));
}}

static void finish(char **slots) {{
    {finish}
}}

void work(char **slots, long from, long to) {{ once(slots, from, to); finish(slots); }}

int64_t outside(void) {{ return index_outside; }}

int run(long trials, long steps, char **slots, long each, update *rule, char **rules, long blocks,
        long width, const long *sizes, long gradient) {{
    any_outside = 0;
    for (long t = 0; t < trials; t++)
        for (long s = 0; s < steps; s++) {{
            once(slots + t * each, 0, 0);
            if (any_outside) return 1;
            if (gradient < 0) finish(slots + t * each);
            for (long b = 0; b < blocks; b++) {{
                char **own = rules + (t * blocks + b) * width;
                if (gradient < 0 || !in_parts(b, rule, own, width, gradient))
                    rule(own, 0, sizes[b]);
            }}
        }}
    return 0;
}}
"""
# of a block: its rows are always made at the same place, which stays in the cache
IN_PARTS = """\
    if (block == {block}) {{
        _Static_assert({each} % PRODUCT_ROWS == 0, "parts hold whole blocks of rows");
        static float part[{each} * {columns}] __attribute__((aligned(64)));
        memcpy(own, rules, sizeof own);
        for (long from = 0; from < {rows}; from += {each}) {{
            const long to = SMALLER({rows}, from + {each});
            own[gradient] = (char *)((uintptr_t)part - from * {columns} * sizeof *part);
            {call}
            rule(own, from * {columns}, to * {columns});
        }}
        return 1;
    }}
"""


@dataclass(frozen=True)
class Program:
    """Compiled work.

    Args:
        library: has ``run``, ``work`` and ``outside``.
        slots: for each address that it is given, a role, or a tensor that is always the same.
    """

    library: ctypes.CDLL
    slots: tuple[str | Tensor, ...]

    def addresses(self, places: Mapping[str, Addresses], count: int) -> Addresses:
        """What to give it, (count, slots).

        Args:
            places: by role, where each trial's tensor begins, (count,).
            count: of trials.
        """
        found = np.empty((count, len(self.slots)), np.uint64)
        for k, slot in enumerate(self.slots):
            found[:, k] = places[slot] if isinstance(slot, str) else address(slot)
        return found

    def run(
        self, slots: Addresses, steps: int = 1, rule: Program | None = None,
        rules: Addresses | None = None, sizes: NDArray[np.int64] | None = None,
        gradient: int = -1,
    ) -> None:  # fmt: skip
        """Do the work for some trials, one after the other.

        Args:
            slots: by trial, (n, slots).
            steps: how often for each.
            rule: what follows on every step, if anything.
            rules: its addresses, by trial and block, (n, blocks, slots).
            sizes: the numbers of every block, (blocks,).
            gradient: which of the rule's slots is a block's gradient, if it may come in parts.

        Raises:
            IndexError: data named a row that is not there.
        """
        slots = np.ascontiguousarray(slots)
        function, blocks, width = None, 0, 0
        if rule is not None and rules is not None:
            rules = np.ascontiguousarray(rules)
            function, (_, blocks, width) = ctypes.cast(rule.library.work, _POINTER), rules.shape
        lost = self.library.run(
            *map(ctypes.c_long, (len(slots), steps)),
            _pointer(slots),
            ctypes.c_long(slots.shape[1]),
            function,
            _pointer(rules),
            *map(ctypes.c_long, (blocks, width)),
            _pointer(sizes),
            ctypes.c_long(gradient),
        )
        if lost:
            self.library.outside.restype = ctypes.c_int64
            raise IndexError(f"index {self.library.outside()} is out of bounds")


_POINTER = ctypes.c_void_p


def _pointer(of: NDArray[Any] | None) -> ctypes.c_void_p | None:
    return None if of is None else of.ctypes.data_as(_POINTER)


def compiled(
    work: Callable[[], object],
    roles: Roles,
    any_size: bool = False,
    tries: int = 2,
    exact: bool = False,
    blocks: Sequence[str] = (),
) -> Program:
    """The program that does what ``work`` does.

    Args:
        work: computes with the tensors of ``roles`` and changes some of them, nothing else. What it
            does besides is done now and never again.
        roles: what is a trial's own; left as it was. Anything else that is read stays what it is.
        any_size: whether the work is done on ``SPAN`` elements that stand for any number.
        tries: how often it is run to try the program; the second time on what the first one left.
        exact: whether what it changes is to change alike, too: it hangs on no rounding.
        blocks: the roles that an update rule takes block by block, and that may come in parts.

    Raises:
        UnsupportedError: something in it has no entry in the tables of operations.
        NoCompiler: there is none.
        CompileError: the compiler failed.
    """
    before = copies(roles)
    work()  # a model may make something at its first call, and keep it
    fixed = [name for name, of in roles.items() if equal(of.detach(), before[name])]
    put(roles, before)
    with Recording() as recording, Looking(recording):
        work()
    put(roles, before)
    if recording.why is not None:
        raise UnsupportedError(recording.why)
    program = _built(recording, roles, any_size, blocks)
    slots = program.addresses({name: shared(of, 1) for name, of in roles.items()}, 1)

    def again() -> None:
        for _ in range(tries):
            if any_size:
                program.library.work(_pointer(slots), ctypes.c_long(0), ctypes.c_long(SPAN))
            else:
                program.run(slots)

    def wanted() -> None:
        for _ in range(tries):
            work()

    wrong = differing(again, wanted, roles, fixed, exact=exact)
    put(roles, before)
    if wrong:
        raise UnsupportedError(f"comes to other numbers when it is compiled ({', '.join(wrong)})")
    return program


def _check_any_size(recording: Recording, names: Mapping[int, str]) -> None:
    """See that nothing holds as many numbers as were written down but the roles and what maps make.

    Raises:
        UnsupportedError: something does: it would not do for another number.
    """
    for node in recording.nodes:
        for ref in (*node.reads(), *node.writes()):
            fixed = ref.buffer in recording.constants or ref.buffer not in recording.made
            if ref.numel < SPAN or (isinstance(node, Map) and not fixed):
                continue
            if isinstance(node, Kernel) or ref.buffer not in names:
                raise UnsupportedError("numbers that hang on how many there are")


def _built(recording: Recording, roles: Roles, any_size: bool, blocks: Sequence[str]) -> Program:
    names = {address(tensor): name for name, tensor in roles.items()}
    kept = {address(tensor): tensor for tensor in recording.kept}
    for node in recording.nodes:
        for ref in node.writes():
            if ref.buffer not in names and ref.buffer not in recording.made:
                raise UnsupportedError("changes a tensor in place that is no state of a trial's")
    if any_size:
        _check_any_size(recording, names)
    numbers = {address(roles[name]): roles[name].numel() for name in blocks}
    span = SPAN if any_size else None
    text = written(recording.nodes, recording.made, recording.constants, span, numbers)
    head = HEAD.format(scratch=max(text.scratch, 1))
    library = load(head + "\n".join(text.functions) + _run(text, list(numbers)))
    return Program(library, tuple(names.get(slot) or kept[slot] for slot in text.slots))


def _run(text: Text, blocks: Sequence[int]) -> str:
    """The functions that a program is called by.

    Args:
        text: its statements.
        blocks: the buffers that an update rule takes, in the order of its calls.
    """
    finish = [
        f"{{ char *whole[2] = {{{one.to[1]}, 0}}; "
        f"in_parts({blocks.index(one.to[0])}, kept, whole, 2, 1); }}"
        for one in text.parts
    ]
    parts = [
        IN_PARTS.format(
            block=blocks.index(one.to[0]),
            each=one.each,
            rows=one.rows,
            columns=one.columns,
            call=one.call("(void *)own[gradient]"),
        )
        for one in text.parts
    ]
    between = "\n    "
    return RUN.format(
        calls=between.join(text.calls), finish=between.join(finish), parts="".join(parts)
    )


def places_of(
    tensor: Tensor, rows: Sequence[int] | NDArray[np.int64], like: Tensor | None = None
) -> Addresses:
    """Where rows of a tensor begin, as addresses.

    Args:
        tensor: (R, …).
        rows: which, in any order.
        like: the tensor (1, …) of the role that the work was written down with; None for work on
            any number of elements.

    Raises:
        UnsupportedError: there is no such row, or it does not lie in memory as that tensor does.
    """
    if tensor.dim() == 0 or len(tensor) <= max(rows, default=-1):
        raise UnsupportedError("a state without an axis of trials")
    if like is not None and layout(tensor) != layout(like):
        raise UnsupportedError("a state that lies otherwise in memory for several trials")
    step = tensor.stride(0) * tensor.element_size()
    return (tensor.data_ptr() + np.asarray(rows, np.int64) * step).astype(np.uint64)


def layout(tensor: Tensor) -> tuple[object, ...]:
    """How a row lies in memory."""
    pairs = zip(tensor.shape[1:], tensor.stride()[1:], strict=True)
    return tensor.shape[1:], [stride for size, stride in pairs if size > 1]


def shared(tensor: Tensor, count: int) -> Addresses:
    """The address of one tensor, ``count`` times."""
    return np.full(count, tensor.data_ptr(), np.uint64)


def roles_of(**tensors: Tensor | Iterable[Tensor] | Mapping[str, Tensor]) -> Roles:
    """Tensors by role: lists and mappings of them get names such as ``block.0``."""
    found: Roles = {}
    for name, value in tensors.items():
        if isinstance(value, Tensor):
            found[name] = value
        else:
            pairs = value.items() if hasattr(value, "items") else enumerate(value)
            found.update((f"{name}.{key}", tensor) for key, tensor in pairs)
    return found
