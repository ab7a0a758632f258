"""Norms of a parameter, one per trial, for rules that are not element-wise."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def norms(stacked: Tensor) -> Tensor:
    """‖w‖₂ of every trial's w.

    Each trial is a row of its own, reduced along the row: its norm has the same bits whatever the
    other rows hold and however many there are.

    Args:
        stacked: a parameter of T trials, (T, …).

    Returns:
        (T, 1, …, 1), to broadcast against ``stacked``.
    """
    rows = stacked.reshape(len(stacked), -1)
    found: Tensor = rows.norm(dim=1)
    return found.view(-1, *[1] * (stacked.dim() - 1))


def ratio(over: Tensor, under: Tensor) -> Tensor:
    """The quotient, and 1 where either vanishes: a layer without a norm takes a plain step."""
    known = (over > 0) & (under > 0)
    return (over / under).where(known, over.new_ones(()))
