"""Says what a process that trains is doing where it makes no step for a while.

Who works says so here (:func:`doing`, :func:`stepped`); a thread looks on from time to time
(:func:`watched`). No number is made here, so this file is in no digest.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SILENCE = 60.0  # seconds without a step after which a line says what is going on


class _Now:
    """What this process is doing, and how many steps it has made so far."""

    what = "starting"
    steps = 0


def doing(what: str) -> None:
    """Say what is done from now on."""
    _Now.what = what


def stepped(count: int = 1) -> None:
    """Steps were made, and the next one begins."""
    _Now.steps += count
    _Now.what = "training"


@contextmanager
def watched(silence: float = SILENCE) -> Iterator[None]:
    """Print a line where the block makes no step for a while; the further ones come ever later.

    Args:
        silence: seconds without a step until the first line.
    """
    done = threading.Event()

    def watch() -> None:
        wait, seen = silence, _Now.steps
        while not done.wait(wait):
            if _Now.steps != seen:
                wait, seen = silence, _Now.steps
                continue
            print(f"no step in the last {wait:g} s, {_Now.steps} before: {_Now.what}", flush=True)
            wait *= 2

    doing("starting")
    thread = threading.Thread(target=watch, name="pulse", daemon=True)
    with suppress(RuntimeError):  # where memory holds no further thread
        thread.start()
    try:
        yield
    finally:
        done.set()
        if thread.ident is not None:
            thread.join()
