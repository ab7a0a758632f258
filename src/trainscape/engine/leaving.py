"""A process that is asked to leave does so where a trial in training can be kept.

SIGTERM, SIGUSR1 (the warning of a scheduler) and Ctrl-C ask. While trials train the question waits
for the next place where their state is whole (:func:`check`); else the process leaves at once. No
number is made here, so this file is in no digest.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGUSR1", "SIGINT") if hasattr(signal, name)
)
LIMIT = 120.0  # seconds from the question to leaving, whatever is being done


class Leaving(BaseException):
    """The process was asked to leave, by a signal of this number."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def status(self) -> int:
        """The exit status: what a shell says of a process that the signal ended."""
        return 128 + self.number

    def __str__(self) -> str:
        return signal.Signals(self.number).name


class _Now:
    """Which signal has asked, and how many blocks put the answer off."""

    asked: int | None = None
    deferred = 0
    to_steps = 0  # of these, how many put it off until a step is done


def check(between_steps: bool = False) -> None:
    """Leave, if this process was asked to.

    Args:
        between_steps: whether no step and no evaluation is half done.

    Raises:
        Leaving: it was.
    """
    if _Now.asked is not None and (between_steps or not _Now.to_steps):
        raise Leaving(_Now.asked)


@contextmanager
def deferred(to_steps: bool = False) -> Iterator[None]:
    """Leave the block at its calls of :func:`check` alone.

    Args:
        to_steps: and at those between steps alone.
    """
    _Now.deferred += 1
    _Now.to_steps += to_steps
    try:
        yield
    finally:
        _Now.deferred -= 1
        _Now.to_steps -= to_steps


@contextmanager
def heeded(limit: float = LIMIT) -> Iterator[None]:
    """Heed the signals in the block; a second one ends the process at once, and so does the limit.

    Those that this process was started to ignore, as one in the background Ctrl-C, stay ignored.

    Args:
        limit: seconds from the first signal.
    """
    main = threading.current_thread() is threading.main_thread()  # others hear none
    heard = [n for n in SIGNALS if main and signal.getsignal(n) != signal.SIG_IGN]
    before = {number: signal.signal(number, _ask(limit)) for number in heard}
    try:
        yield
    finally:
        _Now.asked = None
        for number, handler in before.items():
            signal.signal(number, handler)


def _ask(limit: float) -> Callable[[int, object], None]:
    """What to do at a signal."""

    def ask(number: int, _: object) -> None:
        if _Now.asked is not None:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        _Now.asked = number
        timer = threading.Timer(limit, _give_up, (number, limit))
        timer.daemon = True
        timer.start()
        if not _Now.deferred:
            raise Leaving(number)

    return ask


def _give_up(number: int, limit: float) -> None:
    if _Now.asked is None:
        return
    name = signal.Signals(number).name
    print(f"trainscape: {name}: not done after {limit:g} s: left at once", file=sys.stderr)
    sys.stderr.flush()
    os._exit(128 + number)
