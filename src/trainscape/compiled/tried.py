"""A program is tried before it is taken: whether it comes to what its work comes to by torch.

On other numbers than those that the work was written down with, since a program that reads what it
should not is right on those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from trainscape.compiled.nodes import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from trainscape.compiled.nodes import Roles

NEAR = 1.0078125  # the factor of the numbers that it is tried on


def differing(
    program: Callable[[], None],
    work: Callable[[], None],
    roles: Roles,
    fixed: Collection[str],
    *,
    exact: bool,
) -> list[str]:
    """The roles in which a program comes to something else; their values are left as they come.

    Args:
        program: runs it.
        work: does the same by torch.
        roles: the tensors that both go over.
        fixed: those that the work does not change.
        exact: whether what changes is to change alike, too: it hangs on no rounding.

    Raises:
        UnsupportedError: the work cannot be done again.
    """
    before = copies(roles)
    near = {
        name: of * NEAR if name in fixed and of.is_floating_point() else of
        for name, of in before.items()
    }
    for start in (near, before):  # numbers nearby may be none for this work: targets above 1, say
        put(roles, start)
        try:
            work()
            break
        except torch.OutOfMemoryError:
            raise
        except Exception:
            continue
    else:
        raise UnsupportedError("does not do twice what it did once")
    expected = copies(roles)
    put(roles, start)
    program()
    return [
        name
        for name, of in roles.items()
        if not _close(of.detach(), expected[name], start[name] if exact else None)
    ]


def copies(roles: Roles) -> Roles:
    """The values of roles."""
    return {name: tensor.detach().clone() for name, tensor in roles.items()}


@torch.no_grad()
def put(roles: Roles, values: Roles) -> None:
    """Give roles their values."""
    for name, tensor in roles.items():
        tensor.detach().copy_(values[name])


def equal(a: Tensor, b: Tensor) -> bool:
    """Whether all numbers are the same, NaN among them."""
    return torch.equal(a.nan_to_num(), b.nan_to_num())


def _close(found: Tensor, expected: Tensor, before: Tensor | None) -> bool:
    """Equal but for rounding; and moved alike from what was before, if that is given."""
    if not found.is_floating_point():
        return torch.equal(found, expected)
    scale = _largest(expected)
    if before is not None:
        far = _largest(found - expected)
        if far > 0.02 * _largest(expected - before) + 1e-6 * scale:
            return False
    return torch.allclose(found, expected, rtol=1e-3, atol=1e-4 * scale, equal_nan=True)


def _largest(values: Tensor) -> float:
    return values.abs().nan_to_num(0, 0, 0).max().item() if values.numel() else 0.0
