"""Initial weights that have the same bits on every CPU.

Torch's float32 code for normal numbers depends on the CPU's instruction set, as do its inverse
error function (``trunc_normal_``), the library behind its QR decomposition (``orthogonal_``), and
how uniform numbers are brought between two bounds. In double precision what differs lies in last
digits, which are gone once a number is rounded to float32. Uniform draws stay what torch makes of
them where a CPU has fused multiply-adds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

aten = torch.ops.aten
SINGLE = (torch.float32, torch.float16, torch.bfloat16)
MADE = (aten.randn, aten.randn_like)  # of a dtype that is asked for
CHANGED = (aten.normal_, aten.erfinv_, aten.log_normal_, aten.exponential_)
FOUND = (aten.normal, aten.erfinv, aten.linalg_qr)
HANDLED = frozenset((aten.uniform_, *MADE, *CHANGED, *FOUND))


class Portable(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is entered, such operations are worked out in double, and their results rounded."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # else torch imports its compiler to keep it away from __torch_dispatch__: 2 s a process
        return False

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        operation = func.overloadpacket
        if operation not in HANDLED or torch.Tag.out in func.tags:
            return func(*args, **kwargs)
        kinds = [of.dtype for of in tree_leaves(args) if isinstance(of, Tensor)]
        dtype = kwargs.get("dtype") or (kinds[0] if kinds else torch.get_default_dtype())
        if dtype not in SINGLE:
            return func(*args, **kwargs)
        if operation is aten.uniform_:
            return _uniform(*args, **kwargs)
        if operation in MADE:
            return func(*args, **{**kwargs, "dtype": torch.float64}).to(dtype)
        made = func(*tree_map_only(Tensor, Tensor.double, args), **kwargs)
        if operation in CHANGED:
            return args[0].copy_(made)
        return tree_map_only(Tensor, lambda value: value.to(dtype), made)


def _uniform(out: Tensor, low: float = 0.0, high: float = 1.0, **kwargs: Any) -> Tensor:
    """Fill ``out`` with uniform numbers between bounds, rounded once, as FMA does."""
    bounds = torch.tensor([low, high], dtype=out.dtype)
    parts = torch.empty_like(out).uniform_(**kwargs).double()
    return out.copy_(parts * (bounds[1] - bounds[0]).double() + bounds[0].double())
