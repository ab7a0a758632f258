"""A Ctrl-C ends a command with a word, and the processes beside it with none."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType


def told_in_a_word() -> None:
    """From now on a Ctrl-C that nothing catches shows a word in place of a traceback.

    The process still ends by the signal, so that a shell's loop around it ends too.
    """
    sys.excepthook = _in_a_word(sys.excepthook)


@contextmanager
def unheard() -> Iterator[None]:
    """Let the processes that the block starts hear no Ctrl-C while they load modules.

    Each calls :func:`heard` when it is ready, and hears one then that came before.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def heard() -> None:
    """Let a Ctrl-C end this process at once, without a word: the one that started it has it."""
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _in_a_word(usual: Callable[..., object]) -> Callable[..., object]:
    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.stderr.write("trainscape: stopped\n")
        else:
            usual(kind, error, trace)

    return show
