"""Calls in forked processes, which know all that this one knows: nothing is handed over to them."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from trainscape import interrupts
from trainscape.hardware import usable_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_calls: Sequence[Callable[[], Any]]


@contextmanager
def begun(calls: Sequence[Callable[[], Any]], processes: int) -> Iterator[list[Callable[[], Any]]]:
    """Begin calls in processes beside this one, which end with the block.

    Where there is one core, or where processes cannot be forked, a call runs when it is waited for.

    Args:
        calls: what to call, in this order; what comes back must pickle.
        processes: how many calls may run at once; more than there are cores are not begun.

    Yields:
        For each call, what waits for its result.
    """
    cores = len(usable_cores())
    if processes < 1 or cores < 2 or "fork" not in multiprocessing.get_all_start_methods():
        yield list(calls)
        return
    pool = ProcessPoolExecutor(
        min(cores, processes), multiprocessing.get_context("fork"), _know, (calls,)
    )
    try:
        with interrupts.unheard():
            waits: list[Callable[[], Any]] = [
                pool.submit(_call, i).result for i in range(len(calls))
            ]
        yield waits
    finally:
        pool.shutdown(cancel_futures=True)


def _know(calls: Sequence[Callable[[], Any]]) -> None:
    """Keep, in a new process, what it may be asked to call: a call need not pickle."""
    global _calls
    _calls = calls
    interrupts.heard()


def _call(number: int) -> Any:
    return _calls[number]()
